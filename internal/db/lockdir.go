package db

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"panshi/internal/errs"
)

// DirLock is the exclusive use of a data directory.
type DirLock struct {
	once sync.Once
	file *os.File
	err  error
}

// LockDir creates dir (mode 0700) if it is missing and takes it for this
// process. If another process has it, the error has the code data_dir_locked
// and names that process. The kernel drops the lock when the process ends,
// however it ends; the file DIR/lock stays.
func LockDir(dir string) (*DirLock, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("db: creating the data directory: %w", err)
	}
	file, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("db: locking the data directory: %w", err)
	}
	if err := flock(file); err != nil {
		defer file.Close() // nothing was written
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, lockedBy(file, err)
		}
		return nil, fmt.Errorf("db: locking the data directory: %w", err)
	}
	if err := signLock(file); err != nil {
		return nil, errors.Join(fmt.Errorf("db: locking the data directory: %w", err), file.Close())
	}
	return &DirLock{file: file}, nil
}

func flock(file *os.File) error {
	for {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

func lockedBy(file *os.File, cause error) error {
	text := make([]byte, 20)
	n, _ := file.ReadAt(text, 0) // what cannot be read is named "unknown"
	pid := strings.TrimSpace(string(text[:n]))
	if _, err := strconv.Atoi(pid); err != nil {
		pid = "unknown"
	}
	return errs.Wrap(cause, errs.Unavailable, "data_dir_locked",
		"the data directory is in use by the process "+pid).With("pid", pid)
}

// signLock writes the process id for those who come later.
func signLock(file *os.File) error {
	if err := file.Truncate(0); err != nil {
		return err
	}
	_, err := file.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}

// Close gives the directory back. Repeats return what the first returned.
func (l *DirLock) Close() error {
	l.once.Do(func() { l.err = l.file.Close() })
	return l.err
}
