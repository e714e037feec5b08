package sqlite

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"panshi/internal/durable"
)

// rewriteLog writes a log that an earlier process left behind once more and
// syncs it, before SQLite opens it. If that process died because an fsync had
// failed, the system may still show what the disk never got: it counts such
// pages as written, no later fsync repeats them, and commits appended after
// them would be lost with them at the next power loss. Writing a log's own
// bytes over it changes nothing, wherever it is broken off.
//
// The caller holds the data directory, so that nobody else has the log open.
func rewriteLog(database string) error {
	log, err := os.OpenFile(database+"-wal", os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("db: opening the log that was left behind: %w", err)
	}
	if err := errors.Join(writeOver(log), log.Sync(), log.Close(), durable.SyncDir(filepath.Dir(database))); err != nil {
		return fmt.Errorf("db: securing the log that was left behind: %w", err)
	}
	return nil
}

// writeOver writes a file's content over itself.
func writeOver(file *os.File) error {
	chunk := make([]byte, 1<<20)
	for at := int64(0); ; {
		n, err := file.ReadAt(chunk, at)
		if n > 0 {
			if _, err := file.WriteAt(chunk[:n], at); err != nil {
				return err
			}
			at += int64(n)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
