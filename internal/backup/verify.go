package backup

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"

	"panshi/internal/errs"
)

func hasCode(err error) bool {
	var e *errs.Error
	return errors.As(err, &e)
}

// Checked reads a Body and fails if what comes is not what the Body promised,
// before it hands the last bytes out: so that no destination has all of what its
// caller did not mean. Destinations wrap Body.Open in it.
func (b Body) Checked(name string) (io.ReadCloser, error) {
	r, err := b.Open()
	if err != nil {
		return nil, err
	}
	return &checked{r: r, name: name, want: b, sum: sha256.New()}, nil
}

type checked struct {
	r    io.ReadCloser
	name string
	want Body
	sum  hash.Hash
	read int64
}

// Read gives bytes until only the last ones are missing, and those after the
// verdict. A client that knows the size never asks for more.
func (c *checked) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.sum.Write(p[:n])
	c.read += int64(n)
	if c.read < c.want.Size && err == nil {
		return n, nil
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return n, err
	}
	if verdict := c.verdict(err != nil); verdict != nil {
		return 0, verdict
	}
	return n, err
}

// verdict is due when all bytes that were promised are there, or no more come.
func (c *checked) verdict(ended bool) error {
	for one := make([]byte, 1); !ended; {
		n, err := c.r.Read(one)
		c.read += int64(n)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		ended = n > 0 || err != nil
	}
	if c.read != c.want.Size || Digest(c.sum.Sum(nil)) != c.want.SHA256 {
		return Damaged(c.name, fmt.Errorf("the source gave %d bytes of %d, or others", c.read, c.want.Size))
	}
	return nil
}

// Close closes the source.
func (c *checked) Close() error { return c.r.Close() }
