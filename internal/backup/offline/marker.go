package offline

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"panshi/internal/backup"
	"panshi/internal/backup/proof"
	"panshi/internal/durable"
	"panshi/internal/errs"
)

const (
	// MarkerName is the file that makes a directory one of ours. It cannot be the
	// name of an object.
	MarkerName = "PANSHI-OFFLINE.json"
	markerTemp = ".panshi-offline.new"
	markerKind = "panshi-offline-disk-1"
	markerMost = 64 << 10 // bytes
)

// Marker says whose disk it is.
type Marker struct {
	Disk  string    `json:"disk"`  // drawn, tells two disks of one label apart
	Label string    `json:"label"` // what is written on the disk, for people
	Made  time.Time `json:"made"`
}

// ReadMarker reads the marker of a directory. Codes: offline_missing (no such
// directory), offline_new_disk (an empty directory without a marker),
// offline_foreign (something else is there), offline_other_shop (a marker that
// this shop did not sign).
func ReadMarker(dir string, signer ed25519.PublicKey) (Marker, error) {
	content, err := os.ReadFile(filepath.Join(dir, MarkerName))
	if errors.Is(err, fs.ErrNotExist) {
		return Marker{}, unmarked(dir)
	}
	if err != nil {
		return Marker{}, backup.Unavailable(err)
	}
	var m Marker
	if len(content) > markerMost || proof.Decode(markerKind, content, signer, &m) != nil || !validDisk(m.Disk) || validLabel(m.Label) != nil {
		return Marker{}, errs.New(errs.Conflict, "offline_other_shop", "this disk belongs to another shop; nothing was written to it").With("dir", dir)
	}
	return m, nil
}

// unmarked tells a disk that is empty from one that has something else.
func unmarked(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return errs.Wrap(err, errs.NotFound, "offline_missing", "there is no such directory: is the disk plugged in and mounted?").With("dir", dir)
	}
	for _, e := range entries {
		if !ofFileSystem(e.Name()) {
			return errs.New(errs.Conflict, "offline_foreign", "this directory has other files; an offline disk has a directory of its own").
				With("dir", dir).With("name", e.Name())
		}
	}
	return errs.New(errs.Conflict, "offline_new_disk", "this disk was not used before; name it with --init LABEL to take it into use").With("dir", dir)
}

// ofFileSystem tells whether systems put such an entry on every disk, or an
// interrupted Init did.
func ofFileSystem(name string) bool {
	switch name {
	case "lost+found", "System Volume Information", "$RECYCLE.BIN", ".fseventsd", ".Spotlight-V100", ".Trashes", markerTemp:
		return true
	}
	return strings.HasPrefix(name, ".Trash-")
}

// Init takes an empty directory into use. Codes: those of ReadMarker but
// offline_new_disk, offline_label, and those of a disk.
func Init(dir, label string, signer proof.Signer, public ed25519.PublicKey, now time.Time) (Marker, error) {
	if err := validLabel(label); err != nil {
		return Marker{}, err
	}
	known, err := ReadMarker(dir, public)
	if err == nil && known.Label == label {
		return known, nil // an answer that was lost
	}
	if err == nil {
		return Marker{}, errs.New(errs.Conflict, "offline_in_use", "this disk is in use as "+known.Label).With("label", known.Label)
	}
	if !backup.Is(err, "offline_new_disk") {
		return Marker{}, err
	}
	var raw [8]byte
	_, _ = rand.Read(raw[:]) // never fails
	m := Marker{Disk: hex.EncodeToString(raw[:]), Label: label, Made: now.UTC()}
	content, err := proof.Encode(markerKind, m, signer)
	if err != nil {
		return Marker{}, err
	}
	return m, writeMarker(dir, content)
}

func writeMarker(dir string, content []byte) error {
	temp := filepath.Join(dir, markerTemp)
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err == nil {
		_, err = f.Write(content)
		err = errors.Join(err, f.Sync(), f.Close())
	}
	if err == nil {
		err = errors.Join(os.Rename(temp, filepath.Join(dir, MarkerName)), durable.SyncDir(dir))
	}
	switch {
	case errors.Is(err, syscall.ENOSPC):
		return backup.Full(err)
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return backup.Refused("put", MarkerName, err)
	case err != nil:
		return backup.Unavailable(err)
	}
	return nil
}

// Lock keeps two runs from one disk. Code offline_busy.
func Lock(dir string) (release func() error, err error) {
	f, err := os.Open(filepath.Join(dir, MarkerName))
	if err != nil {
		return nil, backup.Unavailable(err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(errs.Wrap(err, errs.Conflict, "offline_busy", "another run writes to this disk"), f.Close())
	}
	return f.Close, nil
}

func validDisk(id string) bool { return regexp.MustCompile(`^[0-9a-f]{16}$`).MatchString(id) }

func validLabel(label string) error {
	if !regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,31}$`).MatchString(label) {
		return errs.Field("label", "offline_label", "a label has 1 to 32 small letters, digits and hyphens")
	}
	return nil
}
