package app

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"panshi/internal/errs"
)

// checkDir refuses a data directory in which others can put files: a link
// planted there leads what we write elsewhere. One that does not exist yet is
// made private.
func checkDir(dir string) error {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return errs.Wrap(err, errs.Invalid, "data_dir_unusable", "the data directory cannot be used")
	case !info.IsDir():
		return errs.Field("data", "data_dir_unusable", dir+" is not a directory")
	case info.Mode().Perm()&0o002 != 0:
		return unsafeDir(fmt.Sprintf("every user can write to %s: chmod 0700 it", dir))
	}
	stat, known := info.Sys().(*syscall.Stat_t)
	if me := os.Geteuid(); known && stat.Uid != 0 && int(stat.Uid) != me {
		return unsafeDir(fmt.Sprintf("%s belongs to user %d, and this is user %d: run as its owner", dir, stat.Uid, me))
	}
	return notScratch(dir)
}

func unsafeDir(msg string) error {
	e := errs.New(errs.Forbidden, "data_dir_unsafe", msg)
	e.Field = "data"
	return e
}
