package restore

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/superfly/ltx"

	"panshi/internal/backup/spool"
	"panshi/internal/errs"
)

// fill puts the pages of the files of a plan where they belong, one file after
// the other, so that the newest of each page stays. via is called after plan.Via
// of them.
func (r *Restorer) fill(ctx context.Context, plan Plan, file *os.File, via func() error) error {
	p := &pages{file: file}
	total, done := bytesOf(plan), int64(0)
	for i, f := range plan.Files {
		p.tell = func(read int64) { r.progress("apply", min(done+read, total), total) }
		p.tell(0)
		if err := r.fillOne(ctx, f, p); err != nil {
			return Named(f, err)
		}
		done += f.Size
		if i+1 == plan.Via {
			if err := via(); err != nil {
				return err
			}
		}
	}
	r.progress("apply", total, total)
	return nil
}

func (r *Restorer) fillOne(ctx context.Context, f spool.File, p *pages) error {
	content, err := Open(ctx, r.source, r.cipher, f)
	if err != nil {
		return err
	}
	from, stop := ahead(content)
	err = p.apply(ctx, from)
	stop()
	return errors.Join(err, content.Close())
}

// ahead has a reader's bytes opened and decrypted beside who reads them. stop ends
// that.
func ahead(r io.Reader) (from io.Reader, stop func()) {
	out, in := io.Pipe()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, err := io.CopyBuffer(struct{ io.Writer }{in}, struct{ io.Reader }{r}, make([]byte, 256<<10))
		_ = in.CloseWithError(err) // always nil
	}()
	return bufio.NewReaderSize(out, 256<<10), func() {
		_ = out.Close() // always nil
		<-ended
	}
}

// pages is a database file that is being made.
type pages struct {
	file   *os.File
	commit uint32 // pages that the file has after the last applied one
	tell   func(read int64)

	buffer []byte // of neighbours that are not written yet
	at     int64  // where they belong
}

const (
	writeSize = 1 << 20
	tellEvery = 2048 // pages
)

// apply puts all pages of one file. The first one has them all; of a later one
// those by which the database grew may not be missing.
func (p *pages) apply(ctx context.Context, content io.Reader) error {
	decoder := ltx.NewDecoder(content)
	if err := decoder.DecodeHeader(); err != nil {
		return err
	}
	head := decoder.Header()
	if p.commit == 0 && !head.IsSnapshot() {
		return errors.New("it is no whole copy")
	}
	grown := uint32(0)
	data := make([]byte, head.PageSize)
	for {
		var page ltx.PageHeader
		err := decoder.DecodePage(&page, data)
		if errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			break
		}
		if err != nil {
			return err
		}
		if page.Pgno > p.commit {
			grown++
		}
		if err := p.put(int64(page.Pgno-1)*int64(head.PageSize), data); err != nil {
			return err
		}
		if decoder.PageN()%tellEvery == 0 {
			p.tell(decoder.N())
			if err := ctx.Err(); err != nil {
				return err
			}
		}
	}
	if err := errors.Join(p.flush(), decoder.Close()); err != nil {
		return err
	}
	if want := newPages(p.commit, head); grown < want {
		return fmt.Errorf("of the %d pages by which it grows the database it has %d", want, grown)
	}
	p.commit = head.Commit
	return unwritable(p.file.Truncate(int64(head.Commit) * int64(head.PageSize)))
}

// newPages is how many pages a file brings that were not there before. The page
// of SQLite's locks is never written.
func newPages(before uint32, head ltx.Header) uint32 {
	if head.Commit <= before {
		return 0
	}
	n := head.Commit - before
	if lock := head.LockPgno(); lock > before && lock <= head.Commit {
		n--
	}
	return n
}

// put writes one page, together with its neighbours before it.
func (p *pages) put(at int64, data []byte) error {
	if at != p.at+int64(len(p.buffer)) || len(p.buffer) >= writeSize {
		if err := p.flush(); err != nil {
			return err
		}
		p.at = at
	}
	p.buffer = append(p.buffer, data...)
	return nil
}

func (p *pages) flush() error {
	_, err := p.file.WriteAt(p.buffer, p.at)
	p.buffer = p.buffer[:0]
	return unwritable(err)
}

// unwritable keeps a full disk apart from a damaged file.
func unwritable(err error) error {
	if err == nil {
		return nil
	}
	return errs.Wrap(err, errs.Unavailable, "restore_unwritable", "a restored file cannot be written")
}
