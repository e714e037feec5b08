package reconcile

import (
	"errors"
	"time"

	"panshi/internal/db"
	"panshi/internal/id"
)

const dayColumns = `id, merchant_id, account_id, day, currency, state, run, digest, stored, bill_count, bill_paid,
	bill_refunded, bill_fees, our_count, our_paid, our_refunded, ledger_net, decided_count, decided_paid, decided_refunded,
	decided_net, problem, fetched_at, closed_at`

func scanDay(rows db.Rows) (Day, error) {
	var d Day
	var state string
	var fetched, closed db.Time
	err := rows.Scan(&d.ID, &d.MerchantID, &d.AccountID, &d.Date, &d.Currency, &state, &d.run, &d.Digest, &d.stored,
		&d.BillCount, &d.BillPaid, &d.BillRefunded, &d.Fees, &d.OurCount, &d.OurPaid, &d.OurRefunded, &d.LedgerNet,
		&d.Decided.Count, &d.Decided.Paid, &d.Decided.Refunded, &d.Decided.Net, &d.Problem, &fetched, &closed)
	d.State, d.FetchedAt, d.ClosedAt = State(state), fetched.Time, closed.Time
	return d, err
}

func oneDay(found []Day, err error) (Day, error) {
	if err != nil {
		return Day{}, err
	}
	if len(found) == 0 {
		return Day{}, ErrDayUnknown
	}
	return found[0], nil
}

func dayTx(tx *db.Tx, merchantID, dayID id.ID) (Day, error) {
	return oneDay(db.Collect(tx, scanDay, `SELECT `+dayColumns+` FROM reconcile_days WHERE id = $1 AND merchant_id = $2`,
		dayID, merchantID))
}

func dayOfTx(tx *db.Tx, g group, date string) (Day, error) {
	return oneDay(db.Collect(tx, scanDay, `SELECT `+dayColumns+` FROM reconcile_days
		WHERE merchant_id = $1 AND account_id = $2 AND day = $3`, g.main.MerchantID, g.main.ID, date))
}

// ensureTx makes the row of a day if there is none; next is when the sweep
// takes it up.
func ensureTx(tx *db.Tx, g group, date string, next time.Time) error {
	_, err := tx.Exec(`INSERT INTO reconcile_days (id, merchant_id, account_id, day, currency, state, next_try_at, created_at)
		VALUES ($1, $2, $3, $4, $5, 'open', $6, $7) ON CONFLICT (merchant_id, account_id, day) DO NOTHING`,
		id.New(), g.main.MerchantID, g.main.ID, date, string(g.currency), db.Millis(next), db.Millis(tx.Now()))
	return err
}

// beginTx starts a run: whatever ran before on this day can write no more.
func beginTx(tx *db.Tx, g group, date string, next time.Time) (Day, error) {
	if err := ensureTx(tx, g, date, next); err != nil {
		return Day{}, err
	}
	if _, err := tx.Exec(`UPDATE reconcile_days SET run = run + 1, problem = '', next_try_at = $1
		WHERE merchant_id = $2 AND account_id = $3 AND day = $4 AND state <> 'closed'`,
		db.Millis(next), g.main.MerchantID, g.main.ID, date); err != nil {
		return Day{}, err
	}
	return dayOfTx(tx, g, date)
}

// overtaken makes an error of an update by run that found no row.
func overtaken(changed int64, err error) error {
	if err == nil && changed != 1 {
		return errOvertaken
	}
	return err
}

// billTx notes the bill that is being stored, and how many lines of it are.
func billTx(tx *db.Tx, d Day) error {
	return overtaken(tx.Exec(`UPDATE reconcile_days SET digest = $1, stored = $2, bill_count = $3, bill_paid = $4,
		bill_refunded = $5, bill_fees = $6, currency = $7, fetched_at = $8
		WHERE id = $9 AND merchant_id = $10 AND run = $11 AND state <> 'closed'`,
		d.Digest, d.stored, d.BillCount, d.BillPaid, d.BillRefunded, d.Fees, d.Currency, db.Millis(tx.Now()),
		d.ID, d.MerchantID, d.run))
}

// endTx writes what a run that began with a day in state before found, and when
// to compare again; zero: never.
func endTx(tx *db.Tx, before State, d Day, next time.Time) error {
	if !before.may(d.State) {
		return errOvertaken
	}
	return overtaken(tx.Exec(`UPDATE reconcile_days SET state = $1, our_count = $2, our_paid = $3, our_refunded = $4,
		ledger_net = $5, decided_count = $6, decided_paid = $7, decided_refunded = $8, decided_net = $9, problem = $10,
		closed_at = $11, next_try_at = $12
		WHERE id = $13 AND merchant_id = $14 AND run = $15 AND state <> 'closed'`,
		string(d.State), d.OurCount, d.OurPaid, d.OurRefunded, d.LedgerNet, d.Decided.Count, d.Decided.Paid, d.Decided.Refunded,
		d.Decided.Net, d.Problem, db.Millis(d.ClosedAt), db.Millis(next), d.ID, d.MerchantID, d.run))
}

// problemTx notes what ended a run early, and when to try again.
func problemTx(tx *db.Tx, d Day, code string, next time.Time) error {
	return overtaken(tx.Exec(`UPDATE reconcile_days SET problem = $1, next_try_at = $2
		WHERE id = $3 AND merchant_id = $4 AND run = $5 AND state <> 'closed'`, code, db.Millis(next), d.ID, d.MerchantID, d.run))
}

// standsTx is errOvertaken unless d's run is still the latest.
func standsTx(tx *db.Tx, d Day) error {
	var run int64
	err := tx.Get([]any{&run}, `SELECT run FROM reconcile_days WHERE id = $1 AND merchant_id = $2`+tx.ForUpdate(), d.ID, d.MerchantID)
	if err == nil && run != d.run {
		return errOvertaken
	}
	return err
}

// lockDayTx reads a day that no run ends meanwhile.
func lockDayTx(tx *db.Tx, merchantID, dayID id.ID) (Day, error) {
	return oneDay(db.Collect(tx, scanDay, `SELECT `+dayColumns+` FROM reconcile_days
		WHERE id = $1 AND merchant_id = $2`+tx.ForUpdate(), dayID, merchantID))
}

// dueNowTx has the sweep run a day again at once. A run that is under way goes
// by what was decided before, and ends nothing any more.
func dueNowTx(tx *db.Tx, d Day) error {
	_, err := tx.Exec(`UPDATE reconcile_days SET next_try_at = $1, run = run + 1 WHERE id = $2 AND merchant_id = $3 AND state <> 'closed'`,
		db.Millis(tx.Now()), d.ID, d.MerchantID)
	return err
}

// dueTx finds the day that waits longest for a run.
func dueTx(tx *db.Tx, now time.Time) (d Day, found bool, err error) {
	d, err = oneDay(db.Collect(tx, scanDay, `SELECT `+dayColumns+` FROM reconcile_days
		WHERE next_try_at IS NOT NULL AND next_try_at <= $1 ORDER BY next_try_at LIMIT 1`, db.Millis(now)))
	if errors.Is(err, ErrDayUnknown) {
		return d, false, nil
	}
	return d, err == nil, err
}
