package pgship

import (
	"errors"
	"regexp"

	"panshi/internal/backup/ship"
	"panshi/internal/errs"
)

// Config says which server is shipped, and how.
type Config struct {
	ship.Config // Spool is set
	Settings

	URL            string // of a replication connection
	Database, Role string // how the shop reaches its tables; restores need them
}

// Settings are what may be set of it.
type Settings struct {
	Slot string `json:"slot"` // name of the replication slot
	// SlotMax is how many bytes of log the server keeps for a spool that takes
	// nothing; 0 is no limit.
	SlotMax int64 `json:"slot_max"`
}

// Defaults are those of a shop that is told nothing.
func Defaults() Settings { return Settings{Slot: "panshi_backup", SlotMax: 8 << 30} }

// Validate reports everything that is wrong at once.
func (s Settings) Validate() error {
	var faults []error
	if !regexp.MustCompile(`^[a-z0-9_]{1,63}$`).MatchString(s.Slot) {
		faults = append(faults, errs.Field("backup.postgres.slot", "invalid_value", "a slot's name has 1 to 63 small letters, digits and underscores"))
	}
	if s.SlotMax != 0 && s.SlotMax < 64<<20 {
		faults = append(faults, errs.Field("backup.postgres.slot_max", "out_of_range", "0 (no limit), or at least 67108864 bytes"))
	}
	return errors.Join(faults...)
}
