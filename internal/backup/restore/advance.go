package restore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/superfly/ltx"

	"panshi/internal/backup/spool"
)

// advance brings a database file that nobody has open from the state before some
// files to the state after them, durably. If it fails the file is of no use.
func (r *Restorer) advance(ctx context.Context, files []spool.File, path string) error {
	if len(files) == 0 {
		return nil
	}
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	for i, f := range files {
		r.progress("advance", int64(i), int64(len(files)))
		if err == nil {
			err = r.advanceBy(ctx, f, file)
		}
	}
	r.progress("advance", int64(len(files)), int64(len(files)))
	return errors.Join(err, file.Sync(), file.Close())
}

// advanceBy writes the pages of one file to their places.
func (r *Restorer) advanceBy(ctx context.Context, f spool.File, file *os.File) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	content, err := r.open(ctx, f)
	if err != nil {
		return err
	}
	return Named(f, errors.Join(writePages(ltx.NewDecoder(content), file), content.Close()))
}

func writePages(d *ltx.Decoder, file *os.File) error {
	if err := d.DecodeHeader(); err != nil {
		return err
	}
	size := int64(d.Header().PageSize)
	page := make([]byte, size)
	for {
		var head ltx.PageHeader
		err := d.DecodePage(&head, page)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if _, err := file.WriteAt(page, int64(head.Pgno-1)*size); err != nil {
			return err
		}
	}
	return errors.Join(d.Close(), file.Truncate(int64(d.Header().Commit)*size))
}
