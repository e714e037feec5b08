package proof

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// KeepCards signs and keeps the record of a bundle of card keys, in the place of
// the last one. Code backup_proof_unwritable.
func (s *Store) KeepCards(r CardsRecord, signer Signer) error {
	return s.keepOne(s.dir, cardsFile, kindCards, r, signer)
}

// Cards gives the record of the bundle of card keys; nil if there is none. Code
// backup_proof_unreadable.
func (s *Store) Cards() (*CardsRecord, error) {
	return readOne[CardsRecord](s, kindCards, cardsFile)
}

// KeepStandby signs and keeps when the standby was seen, in the place of what was
// known before. Code backup_proof_unwritable.
func (s *Store) KeepStandby(r Standby, signer Signer) error {
	return s.keepOne(s.dir, standbyFile, kindStandby, r, signer)
}

// Standby gives when a standby was seen last; nil if none ever was. Code
// backup_proof_unreadable.
func (s *Store) Standby() (*Standby, error) {
	return readOne[Standby](s, kindStandby, standbyFile)
}

// KeepOffline signs and keeps the record of an offline disk, in the place of the
// last one of that disk. Code backup_proof_unwritable.
func (s *Store) KeepOffline(r Offline, signer Signer) error {
	return s.keepOne(filepath.Join(s.dir, offlineDir), r.Disk+ending, kindOffline, r, signer)
}

// OfflineOf gives the record of one disk; nil if it was never completed. Code
// backup_proof_unreadable.
func (s *Store) OfflineOf(disk string) (*Offline, error) {
	r, err := readOne[Offline](s, kindOffline, filepath.Join(offlineDir, disk+ending))
	if err != nil || r == nil || r.Disk != disk {
		return nil, err
	}
	return r, nil
}

// Offline gives the newest record of all offline disks; nil if there is none.
// Code backup_proof_unreadable.
func (s *Store) Offline() (*Offline, error) {
	all, err := s.Disks()
	if err != nil || len(all) == 0 {
		return nil, err
	}
	return &all[0], nil
}

// Disks gives the record of each offline disk, the newest first. Code
// backup_proof_unreadable.
func (s *Store) Disks() ([]Offline, error) {
	names, err := recordsIn(filepath.Join(s.dir, offlineDir))
	if err != nil {
		return nil, unreadable(err)
	}
	var all []Offline
	for _, name := range names {
		r, err := readOne[Offline](s, kindOffline, filepath.Join(offlineDir, name))
		if err != nil {
			return nil, err
		}
		if r != nil {
			all = append(all, *r)
		}
	}
	slices.SortFunc(all, func(a, b Offline) int { return b.At.Compare(a.At) })
	return all, nil
}

// keepOne signs a record of which there is one.
func (s *Store) keepOne(dir, name, kind string, record any, signer Signer) error {
	content, err := Encode(kind, record, signer)
	if err != nil {
		return err
	}
	if err := keep(dir, name, content); err != nil {
		return unwritable(err)
	}
	return nil
}

// readOne reads what keepOne wrote. What we did not sign counts as absent.
func readOne[R any](s *Store, kind, name string) (*R, error) {
	content, err := os.ReadFile(filepath.Join(s.dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil //nolint:nilnil // nothing is known, which is no failure
	}
	if err != nil {
		return nil, unreadable(err)
	}
	var r R
	if Decode(kind, content, s.signer, &r) != nil {
		return nil, nil //nolint:nilnil,nilerr // what we did not sign counts as absent
	}
	return &r, nil
}
