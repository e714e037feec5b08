package dirdest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"panshi/internal/backup"
	"panshi/internal/durable"
)

// swapMax bounds an object that is swapped, in bytes.
const swapMax = 64 << 10

// Load reads an object with its version, the digest of its content.
func (d *Dest) Load(ctx context.Context, name string) (content []byte, version string, err error) {
	r, err := d.Get(ctx, name, 0, swapMax)
	if backup.Is(err, "backup_object_missing") {
		return nil, "", nil
	}
	if err != nil {
		return nil, "", err
	}
	content, err = io.ReadAll(r)
	if err := errors.Join(err, r.Close()); err != nil {
		return nil, "", backup.Unavailable(err)
	}
	return content, versionOf(content), nil
}

func versionOf(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// Swap replaces an object under a lock of the directory. It keeps apart all
// processes that share this file system; whether a network file system's locks
// hold between machines is for its operator to know.
func (d *Dest) Swap(ctx context.Context, name, was string, content []byte) (string, error) {
	if err := backup.ValidName(name); err != nil {
		return "", err
	}
	lock, err := os.OpenFile(filepath.Join(d.dir, scratch, "swap.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return "", failure("swap", name, err)
	}
	defer func() { _ = lock.Close() }() // closing frees the lock
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return "", failure("swap", name, err)
	}
	_, version, err := d.Load(ctx, name)
	if err != nil {
		return "", err
	}
	if version != was {
		return "", backup.SwapLost(name, nil)
	}
	if err := d.replace(ctx, name, content); err != nil {
		return "", failure("swap", name, err)
	}
	return versionOf(content), nil
}

func (d *Dest) replace(ctx context.Context, name string, content []byte) error {
	tmp, err := d.write(ctx, name, backup.Bytes(content))
	if err != nil {
		return err
	}
	defer discard(tmp)
	path := d.path(name)
	if err := d.makeDirs(filepath.Dir(path)); err != nil {
		return err
	}
	if err := os.Rename(tmp.Name(), path); err != nil {
		return err
	}
	return durable.SyncDir(filepath.Dir(path))
}
