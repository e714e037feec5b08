package drill

import (
	"context"
	"errors"
	"maps"
	"strconv"
	"time"

	"panshi/internal/backup"
	"panshi/internal/backup/manifest"
	"panshi/internal/backup/proof"
	"panshi/internal/db"
	"panshi/internal/errs"
)

// runbook is the whole of a bad day against the clock. Somebody got in: the
// primary is cut off, within five minutes the standby or the shop of just before
// sells, within thirty yesterday's full and today's log are replayed, and the
// orders of the minutes between are listed one by one.
func runbook(ctx context.Context, e *exercise) error {
	at, err := e.minuteBefore(ctx)
	if err != nil {
		return err
	}
	primary, _, err := e.restore(ctx, e.Copies, Want{})
	if err != nil {
		return err
	}
	want, err := proof.Count(ctx, primary.Shop.DB(), e.Tables)
	if err != nil {
		return err
	}
	var minutes []Order
	if minutes, err = ordersSince(ctx, primary.Shop.DB(), at); err != nil {
		return err
	}
	e.strike(ctx, "intrusion_found", map[string]string{"minute": at.UTC().Format(time.RFC3339)})
	if err := e.cutOff(ctx, primary.Shop); err != nil {
		return err
	}
	selling, err := e.sellAgain(ctx, at)
	if err != nil {
		return err
	}
	if took := e.Clock.Now().Sub(e.disaster); took > sellGoal {
		return errs.New(errs.Conflict, "drill_slow", "the shop sold too late").With("took", lengthOf(int64(took))).With("goal", sellGoal.String())
	}
	if err := e.replay(ctx, want); err != nil {
		return err
	}
	e.recovered()
	return e.makeUp(ctx, minutes, selling)
}

// cutOff takes the primary away from everybody, and sees that it sells no more.
func (e *exercise) cutOff(ctx context.Context, primary Shop) error {
	return e.step("cut_off", nil, func() error {
		if err := primary.Close(); err != nil {
			return err
		}
		if _, err := offers(ctx, primary.DB()); err == nil {
			return errNoDisaster
		}
		return nil
	})
}

// sellAgain has the standby sell, if there is one and it is sound, else the shop
// of just before.
func (e *exercise) sellAgain(ctx context.Context, at time.Time) (Shop, error) {
	if e.Standby != nil {
		if f, err := e.takeOver(ctx); err == nil {
			return f.Shop, nil
		}
	}
	got, _, err := e.restore(ctx, e.Copies, Want{At: at})
	if err != nil {
		return nil, err
	}
	if err := e.sell(ctx, got.Shop); err != nil {
		return nil, err
	}
	e.note("sells_after", map[string]string{"took": lengthOf(int64(e.Clock.Now().Sub(e.disaster)))})
	return got.Shop, nil
}

// replay makes the newest state from a full of the day before and the log since,
// and compares it with what the primary had.
func (e *exercise) replay(ctx context.Context, want manifest.Sums) error {
	before, err := e.fullBefore(ctx)
	if err != nil {
		return err
	}
	got, _, err := e.restore(ctx, e.Copies, Want{FullBefore: before})
	if err != nil {
		return err
	}
	return e.step("replayed", map[string]string{"bytes": strconv.FormatInt(got.Bytes, 10)}, func() error {
		sums, err := proof.Count(ctx, got.Shop.DB(), e.Tables)
		if err == nil && !reaches(sums, want) {
			return errDiffers
		}
		return err
	})
}

// reaches tells whether a state has all that an earlier one had: the shop went
// on meanwhile, so that there may be more orders, and none fewer.
func reaches(got, want manifest.Sums) bool {
	return got.Rows["order_numbers"] >= want.Rows["order_numbers"] &&
		(got.Rows["order_numbers"] > want.Rows["order_numbers"] || maps.Equal(got.Orders, want.Orders) && maps.Equal(got.Ledger, want.Ledger))
}

// fullBefore gives a time that only fulls of the day before are older than; if
// there are none, any is good.
func (e *exercise) fullBefore(ctx context.Context) (time.Time, error) {
	all, err := segments(ctx, e.Copies[0].Dest)
	if err != nil {
		return time.Time{}, err
	}
	reach, _ := backup.Furthest(all)
	day := reach.Time.Add(-24 * time.Hour)
	for _, s := range all {
		if s.Full() && s.Generation == reach.Full.Generation && s.Time.Before(day) {
			return day, nil
		}
	}
	return time.Time{}, nil
}

// makeUp lists the orders that the shop that sells does not have.
func (e *exercise) makeUp(ctx context.Context, minutes []Order, selling Shop) error {
	args := map[string]string{}
	return e.step("make_up", args, func() error {
		for _, o := range minutes {
			known, err := hasOrder(ctx, selling.DB(), o.No)
			switch {
			case err != nil:
				return err
			case known:
			case len(e.report.Orders) == most:
				e.report.More++
			default:
				e.report.Orders = append(e.report.Orders, o)
			}
		}
		args["count"] = strconv.Itoa(len(e.report.Orders) + e.report.More)
		return nil
	})
}

// ordersSince lists orders that were placed at a time or later, the oldest first.
func ordersSince(ctx context.Context, d db.DB, at time.Time) (all []Order, err error) {
	err = d.View(db.WithLong(ctx), func(tx *db.Tx) error {
		all, err = db.Collect(tx, func(rows db.Rows) (o Order, err error) {
			var placed db.Time
			err = rows.Scan(&o.No, &o.Status, &o.Total, &o.Currency, &placed)
			o.At = placed.Time
			return o, err
		}, `SELECT order_no, status, total, currency, created_at FROM all_orders WHERE created_at >= $1 ORDER BY created_at, order_no`, at.UnixMilli())
		return err
	})
	return all, err
}

func hasOrder(ctx context.Context, d db.DB, no string) (bool, error) {
	var one int
	err := d.View(ctx, func(tx *db.Tx) error {
		return tx.Get([]any{&one}, `SELECT 1 FROM order_numbers WHERE order_no = $1`, no)
	})
	if errors.Is(err, db.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}
