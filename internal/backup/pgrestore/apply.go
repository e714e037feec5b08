package pgrestore

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"panshi/internal/backup/pgwal"
	"panshi/internal/backup/spool"
	"panshi/internal/errs"
)

// Apply makes the server's data directory at path, which must not exist, from a
// plan that was proved. It waits for Replay; nothing of it is synced yet: the
// server syncs all of it before it recovers. Code restore_target_exists.
func (r *Restorer) Apply(ctx context.Context, plan Plan, path string) error {
	if err := os.Mkdir(path, 0o700); errors.Is(err, os.ErrExist) {
		return errs.Wrap(err, errs.Conflict, "restore_target_exists", "there is something at "+path+" already; nothing is ever restored over it").With("path", path)
	} else if err != nil {
		return unwritable(err)
	}
	if err := r.unpack(ctx, plan.Files[0], path); err != nil {
		return err
	}
	if err := r.layLog(ctx, plan, filepath.Join(path, "pg_wal")); err != nil {
		return err
	}
	return finish(path)
}

func unwritable(err error) error {
	return errs.Wrap(err, errs.Unavailable, "restore_unwritable", "a restored file cannot be written")
}

// unpack writes the files of a base below a directory.
func (r *Restorer) unpack(ctx context.Context, base spool.File, path string) error {
	root, err := os.OpenRoot(path)
	if err != nil {
		return unwritable(err)
	}
	from, to := io.Pipe()
	go func() {
		done := int64(0)
		_, _, err := r.each(ctx, base, func(data []byte, _ uint64) error {
			done += int64(len(data))
			if done%(8<<20) < int64(len(data)) {
				r.progress("apply", done, 0)
			}
			_, err := to.Write(data)
			return err
		})
		_ = to.CloseWithError(err) // always nil; nil is the end
	}()
	err = untar(tar.NewReader(from), root)
	if err == nil {
		_, err = io.Copy(io.Discard, from) // what follows the archive's end
	}
	_ = from.CloseWithError(err) // always nil; ends the goroutine
	return errors.Join(err, root.Close())
}

func untar(in *tar.Reader, root *os.Root) error {
	for {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		name := filepath.Clean(strings.TrimPrefix(h.Name, "./"))
		switch {
		case name == ".":
		case h.Typeflag == tar.TypeDir:
			err = root.MkdirAll(name, 0o700)
		case h.Typeflag == tar.TypeReg:
			err = writeFile(root, name, in)
		default:
			return errs.New(errs.Unavailable, "backup_tablespaces", "a server with tablespaces of its own is not restored: "+name)
		}
		if err != nil {
			return unwritable(err)
		}
	}
}

func writeFile(root *os.Root, name string, content io.Reader) error {
	if err := root.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	file, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, content)
	return errors.Join(err, file.Close())
}

// layLog writes the log of a plan as files of the server's size, the last one
// filled up with zeros.
func (r *Restorer) layLog(ctx context.Context, plan Plan, dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return unwritable(err)
	}
	log := segments{dir: dir, head: plan.Base}
	for _, f := range plan.Files[1:] {
		_, _, err := r.each(ctx, f, func(data []byte, before uint64) error { return log.write(data, f.First-1+before) })
		if err != nil {
			return errors.Join(err, log.close())
		}
	}
	return log.close()
}

// segments writes log at positions that ascend.
type segments struct {
	dir    string
	head   pgwal.Head
	number uint64 // of the open file
	file   *os.File
}

func (s *segments) write(data []byte, at uint64) error {
	for len(data) > 0 {
		if err := s.turn(at / s.head.Segment); err != nil {
			return unwritable(err)
		}
		n := min(uint64(len(data)), s.head.Segment-at%s.head.Segment)
		if _, err := s.file.WriteAt(data[:n], int64(at%s.head.Segment)); err != nil {
			return unwritable(err)
		}
		data, at = data[n:], at+n
	}
	return nil
}

// turn opens the file of a segment.
func (s *segments) turn(number uint64) error {
	if s.file != nil && s.number == number {
		return nil
	}
	if err := s.close(); err != nil {
		return err
	}
	perID := (uint64(1) << 32) / s.head.Segment
	name := fmt.Sprintf("%08X%08X%08X", s.head.Timeline, number/perID, number%perID)
	file, err := os.OpenFile(filepath.Join(s.dir, name), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	s.file, s.number = file, number
	return file.Truncate(int64(s.head.Segment))
}

func (s *segments) close() error {
	if s.file == nil {
		return nil
	}
	err := s.file.Close()
	s.file = nil
	return err
}

// localOnly lets the roles of the machine in by their passwords, and nobody from
// elsewhere.
const localOnly = `# Made by panshi restore: the server had its settings elsewhere.
local   all   all                  scram-sha-256
host    all   all   127.0.0.1/32   scram-sha-256
host    all   all   ::1/128        scram-sha-256
`

// finish marks the directory as one to recover, and gives it settings if the
// server had them elsewhere.
func finish(path string) error {
	marks := map[string]string{"recovery.signal": "", "postgresql.conf": "# Made by panshi restore: the server had its settings elsewhere.\n", "pg_hba.conf": localOnly, "pg_ident.conf": ""}
	for name, content := range marks {
		file, err := os.OpenFile(filepath.Join(path, name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if errors.Is(err, os.ErrExist) {
			continue
		}
		if err == nil {
			_, err = file.WriteString(content)
			err = errors.Join(err, file.Close())
		}
		if err != nil {
			return unwritable(err)
		}
	}
	if err := os.Remove(filepath.Join(path, "standby.signal")); err != nil && !errors.Is(err, os.ErrNotExist) {
		return unwritable(err)
	}
	return nil
}
