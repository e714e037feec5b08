package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"panshi/internal/backup/manifest"
	"panshi/internal/backup/restore"
	"panshi/internal/backup/tally"
	"panshi/internal/db"
	"panshi/internal/db/sqlite"
	"panshi/internal/errs"
)

// Compared tells what came of comparing a restored shop with the sums that the
// running shop had counted.
type Compared struct {
	// Transaction and Time are the state that was counted; 0 if the manifests
	// tell of no sums for it, and nothing was compared.
	Transaction uint64    `json:"transaction"`
	Time        time.Time `json:"time,omitzero"`
	// Exact says that the restore passed that very state and all of it was
	// compared; else only the days that were closed both then and in what was
	// restored.
	Exact bool `json:"exact"`
	// Differences are in words, sorted; at most differencesTold.
	Differences []string `json:"differences"`
}

// codeSumsDiffer is the code of a comparison that found something.
const codeSumsDiffer = "restore_sums_differ"

// differencesTold bounds what is told of differences.
const differencesTold = 50

// differ makes the error of a comparison; nil if nothing differs.
func (c Compared) differ() error {
	if len(c.Differences) == 0 {
		return nil
	}
	return errs.New(errs.Integrity, codeSumsDiffer, fmt.Sprintf("the backup is not what the shop had counted: %s",
		strings.Join(c.Differences[:min(3, len(c.Differences))], "; "))).With("differences", strings.Join(c.Differences, "; "))
}

// addUp adds up the database file at path, which nobody has open, as want was.
// An older one has fewer tables: what want counted is what is counted.
func addUp(ctx context.Context, path string, want manifest.Sums) (s manifest.Sums, err error) {
	d, err := sqlite.OpenStill(path)
	if err != nil {
		return s, err
	}
	tables := slices.DeleteFunc(tableNames(), func(name string) bool {
		_, counted := want.Rows[name]
		return !counted
	})
	err = d.View(db.WithLong(ctx), func(tx *db.Tx) error {
		s, err = tally.NewCounter(tables).Count(tx, want.At())
		return err
	})
	return s, errors.Join(err, d.Close())
}

// planOf plans a restore that passes, if it can, the state that the shop had
// counted last before the goal. sums is nil if there are none to compare with.
func planOf(ctx context.Context, restorer *restore.Restorer, from origin, at time.Time) (restore.Plan, *manifest.Sums, error) {
	plan, err := restorer.Plan(ctx, restore.Target{At: at})
	if err != nil {
		return plan, nil, err
	}
	sums, ok := from.sums(plan.Generation, plan.Transaction)
	if !ok {
		return plan, nil, nil
	}
	if len(plan.Files) == 0 || sums.Tx < plan.Files[0].Last {
		return plan, &sums, nil // a whole copy came since: a proof is of that one, and a restore begins with it
	}
	plan, err = restorer.Plan(ctx, restore.Target{At: at, Generation: plan.Generation, Via: sums.Tx})
	return plan, &sums, err
}

// apply makes the database file of a plan and compares it: at the very state of
// the sums, if the plan passes it, and at its end. Code restore_sums_differ; the
// file is whole then, too.
func (c *Compared) apply(ctx context.Context, restorer *restore.Restorer, plan restore.Plan, sums *manifest.Sums, path string) error {
	if sums == nil {
		return restorer.Apply(ctx, plan, path)
	}
	c.Transaction, c.Time = sums.Tx, sums.At()
	err := restorer.ApplyVia(ctx, plan, path, func() error {
		got, err := addUp(ctx, path, *sums)
		c.Exact = true
		c.note(sums.Differences(got))
		return err
	})
	if err != nil {
		return err
	}
	// What cannot have changed between the two states.
	both := sums.At()
	if plan.Time.Before(both) {
		both = plan.Time
	}
	got, err := addUp(ctx, path, *sums)
	if err != nil {
		return err
	}
	c.note(sums.Settled(both).Differences(got.Settled(both)))
	return c.differ()
}

// note keeps what is not told yet.
func (c *Compared) note(differences []string) {
	for _, d := range differences {
		if len(c.Differences) < differencesTold && !slices.Contains(c.Differences, d) {
			c.Differences = append(c.Differences, d)
		}
	}
}
