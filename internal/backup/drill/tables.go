package drill

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"time"

	"panshi/internal/backup"
	"panshi/internal/db"
)

// core are tables that the dropped one is not chosen from: money and goods.
func core() []string {
	return []string{
		"orders", "order_lines", "order_numbers", "payments", "payment_transactions", "payment_accounts", "refunds", "refund_lines",
		"deliveries", "ledger_entries", "ledger_postings", "cards", "stock", "skus", "products", "merchants", "archived_orders",
		"archived_order_lines", "archived_ledger_postings", "credit_movements", "credit_accounts",
	}
}

// tableDropped: somebody dropped a table. It is found back in a backup, row for
// row.
func tableDropped(ctx context.Context, e *exercise) error {
	live, _, err := e.restore(ctx, e.Copies, Want{})
	if err != nil {
		return err
	}
	t, before, err := e.chooseTable(ctx, live.Shop.DB())
	if err != nil {
		return err
	}
	if err := e.drop(ctx, live.Shop.DB(), t, before); err != nil {
		return err
	}
	// Of the same moment: the shop goes on meanwhile, and its leases with it.
	backed, _, err := e.restore(ctx, e.Copies, Want{At: live.Time})
	if err != nil {
		return err
	}
	args := map[string]string{"table": t.name, "rows": strconv.FormatInt(before.rows, 10)}
	if err := e.step("table_back", args, func() error {
		if err := rebuild(ctx, backed.Shop.DB(), live.Shop.DB(), t); err != nil {
			return err
		}
		after, err := t.sum(ctx, live.Shop.DB())
		if err == nil && after != before {
			return errDiffers
		}
		return err
	}); err != nil {
		return err
	}
	e.recovered()
	e.report.Tables = []Table{{Name: t.name, Rows: before.rows, Lost: before.rows}}
	return e.checkAgain(ctx, live.Shop)
}

// chooseTable takes one that has rows, if any has.
func (e *exercise) chooseTable(ctx context.Context, d db.DB) (shape, sum, error) {
	all, err := leaves(ctx, d)
	if err != nil {
		return shape{}, sum{}, err
	}
	all = slices.DeleteFunc(all, func(s shape) bool { return slices.Contains(core(), s.name) })
	if len(all) == 0 {
		return shape{}, sum{}, errNoDisaster
	}
	shuffle(e.random, all)
	for _, t := range all {
		if s, err := t.sum(ctx, d); err != nil || s.rows > 0 {
			return t, s, err
		}
	}
	return all[0], sum{}, nil
}

func (e *exercise) drop(ctx context.Context, d db.DB, t shape, before sum) error {
	if err := d.Update(ctx, func(tx *db.Tx) error {
		_, err := tx.Exec(`DROP TABLE "` + t.name + `"`)
		return err
	}); err != nil {
		return err
	}
	e.strike(ctx, "table_dropped", map[string]string{"table": t.name, "rows": strconv.FormatInt(before.rows, 10)})
	if _, err := t.sum(ctx, d); err == nil {
		return errNoDisaster
	}
	return nil
}

// rebuild makes a table as it is in another shop: with its indices, then its
// rows.
func rebuild(ctx context.Context, from, to db.DB, t shape) error {
	var parts []string
	if err := from.View(ctx, func(tx *db.Tx) (err error) {
		parts, err = makings(tx, t.name)
		return err
	}); err != nil {
		return err
	}
	for _, part := range parts {
		if err := to.Update(ctx, func(tx *db.Tx) error {
			_, err := tx.Exec(part)
			return err
		}); err != nil {
			return err
		}
	}
	return t.bring(ctx, from, to, func(string) bool { return true })
}

func (e *exercise) checkAgain(ctx context.Context, s Shop) error {
	return e.step("check", nil, func() error {
		n, violations, err := s.Check(ctx)
		e.report.Invariants, e.report.Violations = max(e.report.Invariants, n), e.report.Violations+violations
		return err
	})
}

// minuteBefore is the state to go back to: the one that was asked for, or one of
// some minutes before the newest.
func (e *exercise) minuteBefore(ctx context.Context) (at time.Time, err error) {
	if !e.At.IsZero() {
		return e.At, nil
	}
	all, err := segments(ctx, e.Copies[0].Dest)
	if err != nil {
		return at, err
	}
	reach, ok := backup.Furthest(all)
	if !ok {
		return at, errNoHistory
	}
	oldest := reach.Time
	for _, s := range all {
		if s.Generation == reach.Full.Generation && s.Full() && s.Time.Before(oldest) {
			oldest = s.Time
		}
	}
	span := min(reach.Time.Sub(oldest), time.Hour)
	if span <= 0 {
		return reach.Time, nil
	}
	return reach.Time.Add(-time.Duration(e.random.below(uint64(span)))), nil
}

// most bounds what a report lists.
const most = 200

// rowsDeleted: somebody got in and deleted rows. The shop of just before shows
// which, and they are put back.
func rowsDeleted(ctx context.Context, e *exercise) error {
	at, err := e.minuteBefore(ctx)
	if err != nil {
		return err
	}
	live, _, err := e.restore(ctx, e.Copies, Want{})
	if err != nil {
		return err
	}
	before, _, err := e.restore(ctx, e.Copies, Want{At: at})
	if err != nil {
		return err
	}
	x := &intrusion{e: e, live: live.Shop.DB(), before: before.Shop.DB()}
	if err := errors.Join(x.prepare(ctx), before.Shop.Close()); err != nil {
		return err
	}
	e.strike(ctx, "rows_deleted", map[string]string{"minute": at.UTC().Format(time.RFC3339), "tables": strconv.Itoa(len(x.hit))})
	if err := x.delete(ctx); err != nil {
		return err
	}
	again, _, err := e.restore(ctx, e.Copies, Want{At: at})
	if err != nil {
		return err
	}
	x.before = again.Shop.DB()
	if err := x.find(ctx); err != nil {
		return err
	}
	if err := x.putBack(ctx); err != nil {
		return err
	}
	e.recovered()
	return e.checkAgain(ctx, live.Shop)
}

// intrusion is who deletes rows, and who finds them.
type intrusion struct {
	e            *exercise
	live, before db.DB
	tables       []shape
	// natural are rows, by table and key, that had gone by themselves since; hit
	// are those that were deleted.
	natural, hit map[string]map[string]bool
}

const (
	// victims is how many tables lose rows.
	victims = 3
	// mostRows is from how many rows on a table is left alone: the keys of all rows
	// of two shops are held in memory at a time.
	mostRows = 200_000
)

// prepare looks at what had gone before anybody got in, and chooses rows.
func (x *intrusion) prepare(ctx context.Context) error {
	all, err := leaves(ctx, x.live)
	if err != nil {
		return err
	}
	shuffle(x.e.random, all)
	x.natural, x.hit = map[string]map[string]bool{}, map[string]map[string]bool{}
	for _, t := range all {
		if len(t.keys) == 0 || len(x.hit) == victims {
			continue
		}
		n, err := t.rows(ctx, x.live)
		if err != nil {
			return err
		}
		if n > mostRows {
			continue
		}
		was, is, err := x.digests(ctx, t)
		if err != nil {
			return err
		}
		x.choose(t, was, is)
	}
	if len(x.hit) == 0 {
		return errNoHistory
	}
	return nil
}

// digests are those of a table's rows, as the minute had them and as they are.
func (x *intrusion) digests(ctx context.Context, t shape) (was, is map[string][32]byte, err error) {
	if was, err = t.digests(ctx, x.before); err != nil {
		return nil, nil, err
	}
	is, err = t.digests(ctx, x.live)
	return was, is, err
}

// choose takes up to half of the rows that a table has had since the minute.
func (x *intrusion) choose(t shape, was, is map[string][32]byte) {
	natural, both := map[string]bool{}, []string{}
	for _, key := range slices.Sorted(maps.Keys(was)) {
		if _, still := is[key]; still {
			both = append(both, key)
		} else {
			natural[key] = true
		}
	}
	if len(both) == 0 {
		return
	}
	shuffle(x.e.random, both)
	hit := map[string]bool{}
	for _, key := range both[:min(most, (len(both)+1)/2)] {
		hit[key] = true
	}
	x.tables = append(x.tables, t)
	x.natural[t.name], x.hit[t.name] = natural, hit
}

func (x *intrusion) delete(ctx context.Context) error {
	for _, t := range x.tables {
		if err := t.remove(ctx, x.live, x.hit[t.name]); err != nil {
			return err
		}
	}
	return nil
}

// find lists what the shop of before has and the damaged one has not: it must be
// what was deleted, and nothing else.
func (x *intrusion) find(ctx context.Context) error {
	for _, t := range x.tables {
		args := map[string]string{"table": t.name}
		if err := x.e.step("rows_found", args, func() error {
			was, is, err := x.digests(ctx, t)
			if err != nil {
				return err
			}
			found := map[string]bool{}
			for key := range was {
				if _, still := is[key]; !still && !x.natural[t.name][key] {
					found[key] = true
				}
			}
			args["rows"] = strconv.Itoa(len(found))
			keys := slices.Sorted(maps.Keys(found))
			x.e.report.Tables = append(x.e.report.Tables, Table{
				Name: t.name, Rows: int64(len(was)), Lost: int64(len(found)), Keys: keys[:min(most, len(keys))],
			})
			if !maps.Equal(found, x.hit[t.name]) {
				return errDiffers
			}
			return nil
		}); err != nil {
			return err
		}
	}
	return nil
}

// putBack brings the rows back, as they were at the minute.
func (x *intrusion) putBack(ctx context.Context) error {
	for _, t := range x.tables {
		if err := x.e.step("rows_back", map[string]string{"table": t.name}, func() error {
			if err := t.bring(ctx, x.before, x.live, func(key string) bool { return x.hit[t.name][key] }); err != nil {
				return err
			}
			was, err := t.digests(ctx, x.before)
			if err != nil {
				return err
			}
			is, err := t.digests(ctx, x.live)
			for key := range x.hit[t.name] {
				if was[key] != is[key] {
					return errDiffers
				}
			}
			return err
		}); err != nil {
			return err
		}
	}
	return nil
}
