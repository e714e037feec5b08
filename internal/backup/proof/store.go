package proof

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"panshi/internal/durable"
	"panshi/internal/errs"
)

const (
	cardsFile   = "cards.json"
	standbyFile = "standby.json"
	// offlineDir holds the records of offline disks. No label has a dot.
	offlineDir = "offline.d"
	ending     = ".json"
	// kept is how many records of a destination stay.
	kept = 400
)

// Store keeps records in a directory: one below it for each destination.
type Store struct {
	dir    string
	signer ed25519.PublicKey
}

// NewStore makes a Store over dir, which Keep makes if it is not there. Records
// that signer did not sign count as absent.
func NewStore(dir string, signer ed25519.PublicKey) *Store { return &Store{dir, signer} }

// Keep signs a record and keeps it durably. Code backup_proof_unwritable.
func (s *Store) Keep(r Record, signer Signer) error {
	content, err := Encode(kindProof, r, signer)
	if err != nil {
		return err
	}
	dir := filepath.Join(s.dir, r.Destination)
	if err := keep(dir, fmt.Sprintf("%013d%s", r.At.UnixMilli(), ending), content); err != nil {
		return unwritable(err)
	}
	return s.thin(dir)
}

// Last gives the newest record of a destination, good or not; nil if there is
// none. Code backup_proof_unreadable.
func (s *Store) Last(label string) (*Record, error) {
	return s.newest(label, func(Record) bool { return true })
}

// Newest gives the newest record of a destination and the newest good one, as
// Last does.
func (s *Store) Newest(label string) (last, good *Record, err error) {
	last, err = s.Last(label)
	if err != nil || last == nil || last.Good() {
		return last, last, err
	}
	good, err = s.newest(label, Record.Good)
	return last, good, err
}

// Good gives the good records of a destination, oldest first.
func (s *Store) Good(label string) (good []Record, err error) {
	_, err = s.newest(label, func(r Record) bool {
		if r.Good() {
			good = append(good, r)
		}
		return false // look at all
	})
	slices.Reverse(good)
	return good, err
}

func (s *Store) newest(label string, want func(Record) bool) (*Record, error) {
	found, err := s.some(label, 1, want)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return &found[0], nil
}

// All gives the newest records of a destination, good or not, the newest first,
// at most most. Code backup_proof_unreadable.
func (s *Store) All(label string, most int) ([]Record, error) {
	return s.some(label, most, func(Record) bool { return true })
}

func (s *Store) some(label string, most int, want func(Record) bool) (found []Record, err error) {
	names, err := recordsIn(filepath.Join(s.dir, label))
	if err != nil {
		return nil, unreadable(err)
	}
	for _, name := range slices.Backward(names) {
		if len(found) == most {
			break
		}
		content, err := os.ReadFile(filepath.Join(s.dir, label, name))
		if err != nil {
			return nil, unreadable(err)
		}
		var r Record
		if Decode(kindProof, content, s.signer, &r) == nil && r.Destination == label && want(r) {
			found = append(found, r)
		}
	}
	return found, nil
}

// recordsIn lists the records in a directory, oldest first.
func recordsIn(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var names []string
	for _, e := range entries {
		if e.Type().IsRegular() && strings.HasSuffix(e.Name(), ending) && !strings.HasPrefix(e.Name(), ".") {
			names = append(names, e.Name())
		}
	}
	return names, err
}

func (s *Store) thin(dir string) error {
	names, err := recordsIn(dir)
	for _, name := range names[:max(0, len(names)-kept)] {
		err = errors.Join(err, os.Remove(filepath.Join(dir, name)))
	}
	if err != nil {
		return unwritable(err)
	}
	return nil
}

// keep writes a file durably, in the place of one of that name.
func keep(dir, name string, content []byte) error {
	if err := durable.MakeDir(dir); err != nil {
		return err
	}
	return durable.WriteFile(filepath.Join(dir, name), content)
}

func unreadable(err error) error {
	return errs.Wrap(err, errs.Unavailable, "backup_proof_unreadable", "the records of proofs cannot be read")
}
