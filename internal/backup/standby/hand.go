package standby

import (
	"errors"
	"os"
	"path/filepath"

	"panshi/internal/durable"
)

// Promoting notes, durably, that this standby took an epoch: it follows no more.
func (s *Standby) Promoting(epoch uint64) error {
	next := s.files.state
	next.Promoting = epoch
	if err := save(s.cfg.Data, next); err != nil {
		return err
	}
	s.files.state = next
	return nil
}

// Hand gives the database the shop's name and ends the standby; a crash before it
// is over leaves what Hand can be called on again.
func Hand(data, database string) error {
	from := filepath.Join(Dir(data), databaseName)
	if err := os.Rename(from, database); err != nil && !errors.Is(err, os.ErrNotExist) {
		return unusable(err)
	}
	_, err := os.Stat(database)
	if err := errors.Join(err, durable.SyncDir(filepath.Dir(database)), durable.SyncDir(Dir(data))); err != nil {
		return unusable(err)
	}
	return nil
}

// End forgets that a data directory was a standby's.
func End(data string) error {
	err := errors.Join(remove(filepath.Join(Dir(data), stateName)), os.RemoveAll(Dir(data)), durable.SyncDir(data))
	if err != nil {
		return unusable(err)
	}
	return nil
}
