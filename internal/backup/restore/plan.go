package restore

import (
	"fmt"
	"slices"
	"time"

	"panshi/internal/backup/spool"
	"panshi/internal/errs"
)

// Target says which state is wanted.
type Target struct {
	At         time.Time // the newest state that is not younger; zero is the newest of all
	Generation string    // "" is the newest that reaches back to At
}

// Plan is the files that make up one state, in the order in which they apply.
type Plan struct {
	Generation  string        `json:"generation"`
	Transaction uint64        `json:"transaction"` // the last one in it
	Time        time.Time     `json:"time"`        // of that transaction
	Lost        time.Duration `json:"lost_ns"`     // between it and Target.At; 0 for the newest state
	Files       []spool.File  `json:"files"`
}

// Make plans a restore from files, which are all that there are, sorted by
// name. Codes restore_nothing (no file fits), restore_gap.
func Make(files []spool.File, want Target) (Plan, error) {
	generation, ok := choose(files, want)
	if !ok {
		return Plan{}, errs.New(errs.NotFound, "restore_nothing", "there is no backup of that time here")
	}
	g := slices.DeleteFunc(slices.Clone(files), func(f spool.File) bool { return f.Generation != generation })
	goal := newest(g, want.At)
	plan := Plan{Generation: generation, Transaction: goal.Last, Time: goal.Time}
	if !want.At.IsZero() {
		plan.Lost = want.At.Sub(goal.Time)
	}
	for at := uint64(0); at < goal.Last; {
		f, ok := step(g, at, goal.Last)
		if !ok {
			return Plan{}, gap(g, at, goal.Last)
		}
		plan.Files = append(plan.Files, f)
		at = f.Last
	}
	return plan, whole(g, plan)
}

// whole refuses levels with holes. Files leave a level from its beginning only,
// so that a hole is a file that somebody else removed, and the newest state
// before a hole may not be the one that was asked for. Holes before the first
// whole copy and after the goal do not matter.
func whole(g []spool.File, plan Plan) error {
	base := plan.Files[0].Last
	last := map[int]uint64{}
	for _, f := range g {
		if f.Level == spool.SnapshotLevel {
			continue
		}
		from, known := last[f.Level]
		if known && f.First > from+1 && f.First > base+1 && from <= plan.Transaction {
			return gap(g, from, f.First)
		}
		last[f.Level] = max(from, f.Last)
	}
	return nil
}

// choose finds the newest generation that begins at or before the wanted time.
// The time of a whole copy says nothing of what it was before.
func choose(files []spool.File, want Target) (generation string, ok bool) {
	for _, f := range files {
		if want.Generation != "" && f.Generation != want.Generation || !want.At.IsZero() && f.Time.After(want.At) {
			continue
		}
		generation, ok = max(generation, f.Generation), true
	}
	return generation, ok
}

// newest is the file with the last transaction that is not after at.
func newest(g []spool.File, at time.Time) (goal spool.File) {
	for _, f := range g {
		if (at.IsZero() || !f.Time.After(at)) && f.Last > goal.Last {
			goal = f
		}
	}
	return goal
}

// step finds the file that brings a state furthest from a transaction on,
// without going beyond the goal. A state of nothing needs a whole copy.
func step(g []spool.File, from, goal uint64) (best spool.File, ok bool) {
	for _, f := range g {
		if f.First > from+1 || f.Last <= from || f.Last > goal || from == 0 && !f.Whole() {
			continue
		}
		// Of two that bring it as far, the one of the higher level is read faster.
		if !ok || f.Last > best.Last || f.Last == best.Last && f.Level > best.Level {
			best, ok = f, true
		}
	}
	return best, ok
}

// gap says what is missing, by the files around it.
func gap(g []spool.File, from, goal uint64) error {
	before, after := "the beginning", "the end"
	next := goal
	for _, f := range g {
		if f.Last == from {
			before = string(f.Name)
		}
		if f.First > from && f.First <= next {
			next, after = f.First, string(f.Name)
		}
	}
	missing := fmt.Sprintf("%016x", from+1)
	return errs.New(errs.Integrity, "restore_gap", fmt.Sprintf("the backup has a gap: transaction %s is missing, between %s and %s",
		missing, before, after)).With("transaction", missing).With("before", before).With("after", after)
}
