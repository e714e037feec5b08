package spool

import (
	"bufio"
	"errors"
	"io"

	"github.com/tink-crypto/tink-go/v2/tink"

	"panshi/internal/errs"
)

// Decrypt opens the bytes of the file that had the given name in a spool,
// wherever they come from. See Spool.Read.
func Decrypt(cipher tink.StreamingAEAD, name Name, raw io.Reader) (io.Reader, error) {
	source := &source{r: bufio.NewReaderSize(raw, 64<<10)}
	content, err := cipher.NewDecryptingReader(source, associated(name))
	if err != nil {
		return nil, damaged(name, err)
	}
	return &decrypted{name: name, source: source, content: content}, nil
}

func damaged(name Name, err error) error {
	return errs.Wrap(err, errs.Integrity, "spool_file_damaged",
		"a file of the backup is damaged, or not the one that its name says: "+string(name)).With("file", string(name))
}

// decrypted gives errors of the cipher a code and those of the disk their own.
type decrypted struct {
	name    Name
	source  *source
	content io.Reader
}

func (d *decrypted) Read(p []byte) (int, error) {
	n, err := d.content.Read(p)
	switch {
	case err == nil, errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
		return n, err
	case d.source.err != nil:
		return n, d.source.err
	}
	return n, damaged(d.name, err)
}

// source remembers why reading failed, if it was not the end.
type source struct {
	r   io.Reader
	err error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}
