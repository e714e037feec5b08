package standby

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/superfly/ltx"

	"panshi/internal/backup/spool"
	"panshi/internal/durable"
	"panshi/internal/errs"
	"panshi/internal/fault"
)

// files are those of one standby, and what they hold.
type files struct {
	data  string
	state State
}

func (f *files) path(name string) string { return filepath.Join(Dir(f.data), name) }

// recovered opens the files of a standby and ends what a crash cut off.
func recovered(data string) (*files, error) {
	s, err := Load(data)
	if err != nil {
		return nil, err
	}
	f := &files{data, s}
	if f.state.Replacing {
		if err := f.replace(); err != nil {
			return nil, err
		}
	}
	left, err := filepath.Glob(f.path("work-*"))
	for _, dir := range left {
		err = errors.Join(err, os.RemoveAll(dir))
	}
	if err := errors.Join(err, remove(f.path(nextName)), remove(f.path(segmentName+".new"))); err != nil {
		return nil, unusable(err)
	}
	return f, f.redo()
}

func remove(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// redo applies the segment that was being applied, if there is one.
func (f *files) redo() error {
	file, err := os.Open(f.path(segmentName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return unusable(err)
	}
	header, _, err := ltx.PeekHeader(file)
	if err := errors.Join(err, file.Close()); err != nil {
		return unusable(err)
	}
	if uint64(header.MaxTXID) <= f.state.Transaction {
		return f.drop()
	}
	return f.applySegment(f.state.Generation)
}

// keep puts the content of a segment, proved to its end, where a crash finds it.
func (f *files) keep(content io.Reader, named spool.File) error {
	tmp := f.path(segmentName + ".new")
	file, err := os.OpenFile(tmp, os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o600)
	if err != nil {
		return unusable(err)
	}
	_, err = io.Copy(file, content)
	if err == nil {
		err = prove(file, named)
	}
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return errors.Join(coded(err), remove(tmp))
	}
	if err := errors.Join(os.Rename(tmp, f.path(segmentName)), durable.SyncDir(Dir(f.data))); err != nil {
		return unusable(err)
	}
	return nil
}

// coded leaves errors that tell what is wrong with a file as they are.
func coded(err error) error {
	if errs.CodeOf(err) != "internal" {
		return err
	}
	return unusable(err)
}

// prove reads a segment to its end: it is whole, and of the transactions that its
// name tells.
func prove(file io.ReadSeeker, named spool.File) error {
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	decoder := ltx.NewDecoder(bufio.NewReaderSize(file, 256<<10))
	err := decoder.Verify()
	h := decoder.Header()
	if err == nil && (uint64(h.MinTXID) != named.First || uint64(h.MaxTXID) != named.Last) {
		err = errors.New("it holds other transactions than its name says")
	}
	if err != nil {
		return errs.Wrap(err, errs.Integrity, "spool_file_damaged", "a file of the backup is damaged, or not the one that its name says: "+
			string(named.Name)).With("file", string(named.Name))
	}
	return nil
}

// applySegment writes the pages of the kept segment, then the state, and lets go
// of it. It may be repeated from any point.
func (f *files) applySegment(generation string) error {
	header, err := f.writePages()
	if err != nil {
		return unusable(err)
	}
	fault.Point("standby.applied")
	next := f.state
	next.Generation, next.Transaction, next.Time = generation, uint64(header.MaxTXID), header.Timestamp
	if err := save(f.data, next); err != nil {
		return err
	}
	f.state = next
	return f.drop()
}

func (f *files) drop() error {
	if err := remove(f.path(segmentName)); err != nil {
		return unusable(err)
	}
	return nil
}

func (f *files) writePages() (ltx.Header, error) {
	segment, err := os.Open(f.path(segmentName))
	if err != nil {
		return ltx.Header{}, err
	}
	defer func() { _ = segment.Close() }() // it was only read
	database, err := os.OpenFile(f.path(databaseName), os.O_RDWR, 0o600)
	if err != nil {
		return ltx.Header{}, err
	}
	header, err := pagesInto(database, segment)
	return header, errors.Join(err, database.Sync(), database.Close())
}

func pagesInto(database *os.File, segment io.Reader) (ltx.Header, error) {
	decoder := ltx.NewDecoder(bufio.NewReaderSize(segment, 256<<10))
	if err := decoder.DecodeHeader(); err != nil {
		return ltx.Header{}, err
	}
	header := decoder.Header()
	size := int64(header.PageSize)
	for page := make([]byte, size); ; {
		var h ltx.PageHeader
		err := decoder.DecodePage(&h, page)
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			_, err = database.WriteAt(page, int64(h.Pgno-1)*size)
		}
		if err != nil {
			return header, err
		}
		fault.Point("standby.page")
	}
	if err := decoder.Close(); err != nil {
		return header, err
	}
	return header, database.Truncate(int64(header.Commit) * size)
}

// replaceBy makes the file next, which is whole and on disk, the database.
func (f *files) replaceBy(generation string, transaction uint64, at int64) error {
	if err := f.drop(); err != nil {
		return err
	}
	next := f.state
	next.Generation, next.Transaction, next.Time, next.Replacing = generation, transaction, at, true
	if err := save(f.data, next); err != nil {
		return err
	}
	f.state = next
	fault.Point("standby.replacing")
	return f.replace()
}

func (f *files) replace() error {
	err := os.Rename(f.path(nextName), f.path(databaseName))
	if errors.Is(err, fs.ErrNotExist) {
		_, err = os.Stat(f.path(databaseName)) // it was renamed before the crash
	}
	if err := errors.Join(err, durable.SyncDir(Dir(f.data))); err != nil {
		return unusable(fmt.Errorf("a whole copy cannot take its place: %w", err))
	}
	done := f.state
	done.Replacing = false
	if err := save(f.data, done); err != nil {
		return err
	}
	f.state = done
	return nil
}
