package drill

import (
	"context"
	"errors"
	"slices"
	"time"

	"panshi/internal/backup"
	"panshi/internal/errs"
)

// diskLost: the disk of the data is gone with everything on it.
func diskLost(ctx context.Context, e *exercise) error {
	left, err := e.elsewhere()
	if err != nil {
		return err
	}
	e.strike(ctx, "disk_lost", nil)
	_, _, err = e.comeBack(ctx, left, Want{})
	return err
}

// elsewhere are the copies that are not on the disk of the data.
func (e *exercise) elsewhere() ([]Copy, error) {
	left := slices.DeleteFunc(slices.Clone(e.Copies), func(c Copy) bool { return c.OnDataDisk })
	if len(left) == 0 {
		return nil, errOnDataDisk
	}
	return left, nil
}

// machineLost: nothing is left but one copy and what opens it. Card keys stay
// shut until their own bundle comes.
func machineLost(ctx context.Context, e *exercise) error {
	left, err := e.elsewhere()
	if err != nil {
		return err
	}
	e.strike(ctx, "machine_lost", nil)
	got, _, err := e.comeBack(ctx, left, Want{})
	if err != nil {
		return err
	}
	none := false
	if err := e.step("cards_shut", nil, func() error {
		switch code := errs.CodeOf(openCard(ctx, got.Shop)); code {
		case "vault_cards_shut":
			return nil
		case "drill_no_card":
			none = true
			return nil
		}
		return errNoDisaster
	}); err != nil || none {
		return err
	}
	if got.WithCards == nil {
		e.note("cards_not_given", nil)
		return nil
	}
	return e.step("cards_opened", nil, func() error {
		if err := got.WithCards(ctx); err != nil {
			return err
		}
		return openCard(ctx, got.Shop)
	})
}

// keyLost: the key file is gone, and with it whatever it wraps.
func keyLost(ctx context.Context, e *exercise) error {
	e.strike(ctx, "key_lost", nil)
	if err := e.step("key_shut", nil, func() error {
		if e.WithoutKey(ctx) == nil {
			return errNoDisaster
		}
		return nil
	}); err != nil {
		return err
	}
	var err error = errNoCopy
	for _, c := range e.Copies {
		err = e.step("key_back", map[string]string{"destination": c.Label}, func() error { return e.KeyFrom(ctx, c) })
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err == nil {
			e.report.From = append(e.report.From, c.Label)
			e.recovered()
			return nil
		}
	}
	return err
}

// regionGone: one region after the other does not answer, and the others are
// enough.
func regionGone(ctx context.Context, e *exercise) error {
	var regions []string
	for _, c := range e.Copies {
		if c.Region != "" && !slices.Contains(regions, c.Region) {
			regions = append(regions, c.Region)
		}
	}
	if len(regions) < 2 {
		return errOneRegion
	}
	came := map[string]bool{} // labels that brought the shop back already
	for _, gone := range regions {
		e.strike(ctx, "region_gone", map[string]string{"region": gone})
		if err := e.without(ctx, gone, came); err != nil {
			return err
		}
	}
	return nil
}

func (e *exercise) without(ctx context.Context, gone string, came map[string]bool) error {
	copies, damages := damaged(e.Copies)
	var left []Copy
	for i, c := range copies {
		if c.Region == gone {
			damages[i].Cut()
			if _, err := segments(ctx, c.Dest); err == nil {
				return errNoDisaster
			}
			continue
		}
		if came[c.Label] {
			e.note("came_already", map[string]string{"destination": c.Label})
			return nil
		}
		left = append(left, c)
	}
	_, used, err := e.comeBack(ctx, left, Want{})
	came[used.Label] = err == nil
	return errors.Join(err, e.tidy())
}

// standbyFailover: the primary is gone, and the standby takes over.
func standbyFailover(ctx context.Context, e *exercise) error {
	if e.Standby == nil {
		return errNoStandby
	}
	e.strike(ctx, "primary_gone", nil)
	_, err := e.takeOver(ctx)
	return err
}

// takeOver has the standby sell.
func (e *exercise) takeOver(ctx context.Context) (f Failover, err error) {
	if err := e.step("take_over", nil, func() error {
		f, err = e.Standby.Failover(ctx)
		return err
	}); err != nil {
		return f, err
	}
	e.open = append(e.open, f.Shop)
	if err := e.step("check", nil, func() error {
		n, violations, err := f.Shop.Check(ctx)
		e.report.Invariants, e.report.Violations = n, e.report.Violations+violations
		return err
	}); err != nil {
		return f, err
	}
	if err := e.sell(ctx, f.Shop); err != nil {
		return f, err
	}
	e.recovered()
	e.lost(f.Time)
	return f, nil
}

// wrongClock: the clock is two hours off, in both directions. Retention by it
// takes nothing that is needed, and the shop comes back all the same.
func wrongClock(ctx context.Context, e *exercise) error {
	for _, c := range e.Copies {
		all, err := segments(ctx, c.Dest)
		if err != nil {
			return err
		}
		for _, off := range []time.Duration{-2 * time.Hour, 2 * time.Hour} {
			args := map[string]string{"destination": c.Label, "off": off.String()}
			if err := e.step("clock_off", args, func() error { return e.keeps(c.Label, e.Clock.Now().Add(off), all) }); err != nil {
				return err
			}
		}
	}
	e.strike(ctx, "clock_wrong", nil)
	_, _, err := e.comeBack(ctx, e.Copies, Want{})
	return err
}

// keeps tells whether retention at some time leaves what a restore needs: to the
// newest state, and to the oldest that there was.
func (e *exercise) keeps(label string, now time.Time, all []backup.Segment) error {
	gone, err := e.Gone(label, now, all)
	if backup.Is(err, "backup_retention_unsafe") {
		return nil // it does not run at all, and says so
	}
	if err != nil {
		return err
	}
	honest, err := e.Gone(label, e.Clock.Now(), all)
	if err != nil {
		return err
	}
	left := slices.DeleteFunc(slices.Clone(all), func(s backup.Segment) bool { return slices.Contains(gone, s) })
	before, was := backup.Furthest(all)
	after, is := backup.Furthest(left)
	if was != is || before.End != after.End || len(gone) > len(honest) {
		return errUnsafeClock
	}
	return nil
}
