package bench

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"panshi/internal/db"
	"panshi/internal/errs"
)

// The scenarios, in the order in which they run: later ones use what earlier
// ones made.
const (
	List     = "list"
	Detail   = "detail"
	Order    = "order"
	SoldOut  = "sold_out"
	Callback = "callback"
	Reveal   = "reveal"
	Import   = "import"
	Start    = "start"
	Memory   = "memory"

	// What keeping everything costs, and bringing it back. SQLite only.
	Ship    = "ship"    // orders of a shop that ships, against one that does not
	Copy    = "copy"    // the same with a destination, too
	Full    = "full"    // orders while a whole copy is written and brought away
	Restore = "restore" // a destination becomes a shop again
)

// Usual lists the scenarios of a run that names none.
func Usual() []string {
	return []string{List, Detail, Order, SoldOut, Callback, Reveal, Import, Start, Memory}
}

// Durability lists those about backup.
func Durability() []string { return []string{Ship, Copy, Full, Restore} }

// Scenarios lists all of them.
func Scenarios() []string { return append(Usual(), Durability()...) }

// Config says what to measure and how long.
type Config struct {
	Engine    db.Engine
	URL       string        // of a PostgreSQL server to use; "" starts one
	Scenarios []string      // names, in any order
	Sizes     []int64       // orders in the history, and cards behind each product
	Time      time.Duration // for each scenario: the shop's share; the reference gets as much
	Rounds    int           // turns of shop and reference
	Clients   int           // connections of the load generator
	Dir       string        // where scratch data may lie; "" is the system's place for temporary files
	Set       []string      // further settings of the shop under test, key=value
	Exe       string        // the program under test: this one
	Build     Build         // told in the report
}

// Validate reports all that is wrong at once.
func (c Config) Validate() error {
	var faults []error
	if c.Engine != db.SQLite && c.Engine != db.Postgres {
		faults = append(faults, errs.Field("--engine", "usage", "is sqlite or postgres"))
	}
	if c.URL != "" && c.Engine != db.Postgres {
		faults = append(faults, errs.Field("db.url", "usage", "goes with --engine postgres"))
	}
	for _, name := range c.Scenarios {
		if !slices.Contains(Scenarios(), name) {
			faults = append(faults, errs.Field("--scenarios", "usage", fmt.Sprintf("%q is none of %s", name, strings.Join(Scenarios(), ", "))))
		}
	}
	if c.Engine == db.Postgres && slices.ContainsFunc(Durability(), c.has) {
		faults = append(faults, errs.Field("--scenarios", "usage", strings.Join(Durability(), ", ")+" are about --engine sqlite"))
	}
	for _, n := range c.Sizes {
		if n < 100 || n > 10_000_000 {
			faults = append(faults, errs.Field("--sizes", "usage", "a size is 100 to 1e7"))
		}
	}
	if len(c.Sizes) == 0 || len(c.Scenarios) == 0 {
		faults = append(faults, errs.Field("--sizes", "usage", "name at least one size and one scenario"))
	}
	faults = append(faults, c.validateEffort())
	return errors.Join(append(faults, refuseLive(c.Dir), refuseSettings(c.Set))...)
}

// validateEffort bounds what a run may take.
func (c Config) validateEffort() error {
	var faults []error
	if c.Time < 100*time.Millisecond || c.Time > 10*time.Minute {
		faults = append(faults, errs.Field("--seconds", "usage", "is 0.1 to 600"))
	}
	if c.Rounds < 1 || c.Rounds > 100 {
		faults = append(faults, errs.Field("--rounds", "usage", "is 1 to 100"))
	}
	if c.Clients < 1 || c.Clients > 1000 {
		faults = append(faults, errs.Field("--clients", "usage", "is 1 to 1000"))
	}
	return errors.Join(faults...)
}

// refuseLive keeps scratch data out of a shop's data directory.
func refuseLive(dir string) error {
	if dir == "" {
		return nil
	}
	for _, mark := range []string{"panshi.db", "keys", "lock", "admin.sock"} {
		if _, err := os.Lstat(filepath.Join(dir, mark)); err == nil {
			return errs.Field("--dir", "bench_live_data", dir+" is a shop's data directory; a bench works on scratch data of its own only")
		}
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return errs.Field("--dir", "usage", dir+" is not a directory")
	}
	return nil
}

// refuseSettings keeps what the bench itself decides.
func refuseSettings(set []string) error {
	own := []string{"data", "http", "console", "vault", "sandbox", "shop", "guard", "worker", "roles"}
	var faults []error
	for _, kv := range set {
		key, _, ok := strings.Cut(kv, "=")
		group, _, _ := strings.Cut(key, ".")
		if !ok || slices.Contains(own, group) {
			faults = append(faults, errs.Field("--set", "usage", fmt.Sprintf("%q is not for a bench: it decides places and limits of its shop itself", kv)))
		}
	}
	return errors.Join(faults...)
}

func (c Config) has(scenario string) bool { return slices.Contains(c.Scenarios, scenario) }

// round is how long one turn of one side lasts.
func (c Config) round() time.Duration { return c.Time / time.Duration(c.Rounds) }
