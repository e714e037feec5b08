package restore

import (
	"cmp"
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
	// Unborn is a younger generation that is there in part and has no whole copy,
	// so that nothing can be made of it: its whole copy was on the way when the
	// rest was lost. "" if there is none.
	Unborn string `json:"unborn,omitempty"`
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
	plan := Plan{Generation: generation, Transaction: goal.Last, Time: goal.Time, Unborn: unborn(files, want, generation)}
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
	return plan, endsWell(g, goal)
}

// endsWell refuses a goal behind which files are missing: what they had may
// have been at or before the wanted time. Files leave a level from its
// beginning only, so that the transaction after the goal is on the goal's level
// or below it as long as anything later is.
func endsWell(g []spool.File, goal spool.File) error {
	var later []spool.File
	for _, f := range g {
		if f.Last > goal.Last && f.Level <= goal.Level && f.Level != spool.SnapshotLevel {
			later = append(later, f)
		}
	}
	if len(later) == 0 {
		return nil
	}
	next := slices.MinFunc(later, func(a, b spool.File) int { return cmp.Compare(a.First, b.First) })
	if next.First > goal.Last+1 {
		return gap(g, goal.Last, next.First)
	}
	return nil
}

// headless tells of files whether their generation has no whole copy.
func headless(files []spool.File) func(spool.File) bool {
	whole := map[string]bool{}
	for _, f := range files {
		if f.Whole() {
			whole[f.Generation] = true
		}
	}
	return func(f spool.File) bool { return !whole[f.Generation] }
}

// unborn names a younger generation than the chosen one that was passed over.
func unborn(files []spool.File, want Target, chosen string) string {
	if name, _ := youngest(files, want); name != chosen {
		return name
	}
	return ""
}

// choose finds the youngest generation that begins at or before the wanted time
// and has a whole copy; without any, the youngest, whose gap is told then.
func choose(files []spool.File, want Target) (generation string, ok bool) {
	if generation, ok := youngest(slices.DeleteFunc(slices.Clone(files), headless(files)), want); ok {
		return generation, true
	}
	return youngest(files, want)
}

// youngest finds the youngest generation that begins at or before the wanted
// time. The time of a whole copy says nothing of what it was before.
func youngest(files []spool.File, want Target) (generation string, ok bool) {
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

// Next finds the file that brings a state furthest from a transaction on; false
// if none follows it.
func Next(g []spool.File, from uint64) (spool.File, bool) { return step(g, from, 1<<64-1) }

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

// After gives the files that bring a state further, in the order in which they
// apply, as far as they follow each other; whole tells that nothing newer of the
// generation is left out.
func After(files []spool.File, generation string, from uint64) (steps []spool.File, whole bool) {
	g := slices.DeleteFunc(slices.Clone(files), func(f spool.File) bool { return f.Generation != generation })
	goal := newest(g, time.Time{}).Last
	for from < goal {
		f, ok := step(g, from, goal)
		if !ok {
			return steps, false
		}
		steps, from = append(steps, f), f.Last
	}
	return steps, true
}
