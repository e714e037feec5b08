package ship

import (
	"errors"
	"path/filepath"
	"time"

	"panshi/internal/errs"
)

// Off is the value of Config.Spool that ships nothing.
const Off = "off"

// Config says where the history goes and how much of it is kept.
type Config struct {
	// Spool is the directory of the spool, or "off". Empty is the usual place
	// beside the data directory.
	Spool string `json:"spool"`
	// SpoolMax is how many bytes the spool may have before what is oldest goes
	// early; 0 is no limit. What the newest state needs always stays.
	SpoolMax int64 `json:"spool_max"`
	// Interval is how often commits are shipped: what a lost machine may cost.
	Interval time.Duration `json:"interval"`
	// Keep is how long every half minute can be restored.
	Keep time.Duration `json:"keep"`
	// KeepFine is how long every Interval can be restored.
	KeepFine time.Duration `json:"keep_fine"`
	// FullEvery is how often the whole database is written, from which restoring
	// starts, beside once every day between 03:00 and 05:00; 0 is not beside.
	FullEvery time.Duration `json:"full_every"`
}

// Defaults are the values of a shop that is told nothing.
func Defaults() Config {
	const day = 24 * time.Hour
	return Config{SpoolMax: 32 << 30, Interval: time.Second, Keep: 7 * day, KeepFine: day}
}

// Beside is the usual place of the spool of a data directory.
func Beside(data string) string {
	if abs, err := filepath.Abs(data); err == nil {
		data = abs // so that "." gets a name
	}
	return filepath.Clean(data) + ".spool"
}

// Enabled tells whether anything is shipped.
func (c Config) Enabled() bool { return c.Spool != Off }

// Validate reports everything that is wrong at once.
func (c Config) Validate() error {
	var faults []error
	span := func(field string, value, least, most time.Duration, msg string) {
		if value < least || value > most {
			faults = append(faults, errs.Field(field, "out_of_range", msg))
		}
	}
	const year = 366 * 24 * time.Hour
	span("backup.interval", c.Interval, 100*time.Millisecond, time.Minute, "100ms to 1m")
	if c.FullEvery != 0 {
		span("backup.full_every", c.FullEvery, time.Minute, 7*24*time.Hour, "0 (only the daily one), or 1m to 168h")
	}
	span("backup.keep", c.Keep, time.Hour, 10*year, "1h to ten years")
	span("backup.keep_fine", c.KeepFine, 5*time.Minute, c.Keep, "5m to backup.keep")
	if c.SpoolMax != 0 && c.SpoolMax < 64<<20 {
		faults = append(faults, errs.Field("backup.spool_max", "out_of_range", "0 (no limit), or at least 67108864 bytes"))
	}
	return errors.Join(faults...)
}
