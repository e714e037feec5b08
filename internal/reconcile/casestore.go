package reconcile

import (
	"panshi/internal/db"
	"panshi/internal/id"
	"panshi/internal/payment"
)

const caseColumns = `id, day_id, kind, line_kind, transaction_id, number, bill_amount, our_amount, ledger_amount,
	currency, remedy, created_at, resolved_at, resolved_by, reason, decision, adjusted, posted, account_id`

func scanCase(rows db.Rows) (Case, error) {
	c, into := scanInto()
	err := rows.Scan(into...)
	return c(), err
}

// scanInto gives where the columns of a case go, and what makes one of them.
func scanInto() (made func() Case, into []any) {
	var c Case
	var kind, line, remedy, decision string
	var created, resolved db.Time
	done := func() Case {
		c.Kind, c.LineKind, c.Remedy, c.Decision = Kind(kind), payment.BillKind(line), Remedy(remedy), Decision(decision)
		c.CreatedAt, c.ResolvedAt = created.Time, resolved.Time
		return c
	}
	return done, []any{
		&c.ID, &c.DayID, &kind, &line, &c.TransactionID, &c.Number, &c.BillAmount, &c.OurAmount, &c.LedgerAmount, &c.Currency,
		&remedy, &created, &resolved, &c.ResolvedBy, &c.Reason, &decision, &c.Adjusted, &c.posted, &c.account,
	}
}

func caseByIDTx(tx *db.Tx, merchantID, caseID id.ID) (Case, error) {
	found, err := db.Collect(tx, scanCase, `SELECT `+caseColumns+` FROM reconcile_cases WHERE id = $1 AND merchant_id = $2`,
		caseID, merchantID)
	if err == nil && len(found) == 0 {
		err = ErrCaseUnknown
	}
	if err != nil {
		return Case{}, err
	}
	return found[0], nil
}

// caseTx writes a difference. One that a run before wrote is renewed; what a
// person decided stays (revise takes back what does not fit any more), and what
// had agreed meanwhile, or is another fee, is open again.
func caseTx(tx *db.Tx, d Day, c Case) error {
	const again = `(reconcile_cases.resolved_by = 'system'
		OR reconcile_cases.kind = 'fee' AND reconcile_cases.bill_amount <> excluded.bill_amount)`
	_, err := tx.Exec(`INSERT INTO reconcile_cases (id, merchant_id, day_id, kind, line_kind, transaction_id, number,
		bill_amount, our_amount, ledger_amount, currency, remedy, seen_run, created_at, account_id)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
		ON CONFLICT (merchant_id, day_id, kind, line_kind, transaction_id, number) DO UPDATE SET
		bill_amount = excluded.bill_amount, our_amount = excluded.our_amount, ledger_amount = excluded.ledger_amount,
		remedy = excluded.remedy, seen_run = excluded.seen_run, account_id = excluded.account_id,
		resolved_at = CASE WHEN `+again+` THEN NULL ELSE reconcile_cases.resolved_at END,
		reason = CASE WHEN `+again+` THEN '' ELSE reconcile_cases.reason END,
		decision = CASE WHEN `+again+` THEN '' ELSE reconcile_cases.decision END,
		resolved_by = CASE WHEN `+again+` THEN '' ELSE reconcile_cases.resolved_by END`,
		id.New(), d.MerchantID, d.ID, string(c.Kind), string(c.LineKind), c.TransactionID, c.Number, c.BillAmount, c.OurAmount,
		c.LedgerAmount, d.Currency, string(c.Remedy), d.run, db.Millis(tx.Now()), c.account)
	return err
}

// saveTx writes what was decided about a case, or that nothing is any more.
func saveTx(tx *db.Tx, merchantID id.ID, c Case) error {
	changed, err := tx.Exec(`UPDATE reconcile_cases SET resolved_at = $1, resolved_by = $2, reason = $3, decision = $4, adjusted = $5,
		posted = $6 WHERE id = $7 AND merchant_id = $8`, db.Millis(c.ResolvedAt), c.ResolvedBy, c.Reason, string(c.Decision), c.Adjusted,
		c.posted, c.ID, merchantID)
	if err == nil && changed != 1 {
		return ErrCaseUnknown
	}
	return err
}

// missing is Case.Missing, and stale what makes a decision one about something
// else.
const (
	missing = `(CASE WHEN kind = 'fee' THEN 0 WHEN line_kind = 'refund' THEN ledger_amount - bill_amount ELSE bill_amount - ledger_amount END)`
	stale   = `decision <> '' AND (seen_run = $4 AND adjusted <> ` + missing + ` OR seen_run < $5 AND decision NOT LIKE 'accept%')`
)

// staleCase is a decision that does not fit any more; met tells whether the run
// met the case.
type staleCase struct {
	Case
	met bool
}

func staleTx(tx *db.Tx, d Day) ([]staleCase, error) {
	return db.Collect(tx, func(rows db.Rows) (staleCase, error) {
		c, into := scanInto()
		var met int64
		err := rows.Scan(append(into, &met)...)
		return staleCase{c(), met == 1}, err
	}, `SELECT `+caseColumns+`, CASE WHEN seen_run < $1 THEN 0 ELSE 1 END FROM reconcile_cases
		WHERE merchant_id = $2 AND day_id = $3 AND `+stale+` ORDER BY id LIMIT $6`,
		d.run, d.MerchantID, d.ID, d.run, d.run, reviseCases)
}

// settledCasesTx closes cases that this run did not meet again, a batch at a
// time.
func settledCasesTx(tx *db.Tx, d Day) (more bool, err error) {
	n, err := tx.Exec(`UPDATE reconcile_cases SET resolved_at = $1, resolved_by = 'system', reason = 'agrees by now'
		WHERE id IN (SELECT id FROM reconcile_cases WHERE merchant_id = $2 AND day_id = $3 AND resolved_at IS NULL
		AND seen_run < $4 ORDER BY id LIMIT $5)`, db.Millis(tx.Now()), d.MerchantID, d.ID, d.run, db.MaxRows)
	return n == db.MaxRows, err
}

// openTx counts what keeps a day open: what this run found and nobody has
// decided about, and decisions about something else.
func openTx(tx *db.Tx, d Day) (n int64, err error) {
	err = tx.Get([]any{&n}, `SELECT COUNT(*) FROM reconcile_cases WHERE merchant_id = $1 AND day_id = $2
		AND (seen_run = $3 AND resolved_at IS NULL OR `+stale+`)`, d.MerchantID, d.ID, d.run, d.run, d.run)
	return n, err
}

// decidedTx adds up what people decided about the cases of this run. A refund
// that the shop did not finish counts as one that it does not have.
func decidedTx(tx *db.Tx, d Day) (sum Decided, err error) {
	err = tx.Get([]any{&sum.Count, &sum.Paid, &sum.Refunded, &sum.Net}, `SELECT
		COALESCE(SUM(CASE WHEN kind = 'ours_only' THEN -1 WHEN kind = 'theirs_only' OR kind = 'state' AND our_amount = 0 THEN 1 ELSE 0 END), 0),
		COALESCE(SUM(CASE WHEN line_kind = 'payment' AND kind <> 'ledger' THEN bill_amount - our_amount ELSE 0 END), 0),
		COALESCE(SUM(CASE WHEN line_kind = 'refund' AND kind <> 'ledger' THEN bill_amount - our_amount ELSE 0 END), 0),
		COALESCE(SUM(adjusted), 0)
		FROM reconcile_cases WHERE merchant_id = $1 AND day_id = $2 AND seen_run = $3 AND decision <> '' AND kind <> 'fee'`,
		d.MerchantID, d.ID, d.run)
	return sum, err
}

// decidedSoTx tells whether a person decided about a case that is like c.
func decidedSoTx(tx *db.Tx, d Day, c Case) (bool, error) {
	var n int64
	err := tx.Get([]any{&n}, `SELECT COUNT(*) FROM reconcile_cases WHERE merchant_id = $1 AND day_id = $2 AND kind = $3
		AND line_kind = $4 AND transaction_id = $5 AND number = $6 AND decision <> '' AND bill_amount = $7 AND our_amount = $8
		AND ledger_amount = $9`, d.MerchantID, d.ID, string(c.Kind), string(c.LineKind), c.TransactionID, c.Number, c.BillAmount,
		c.OurAmount, c.LedgerAmount)
	return n > 0, err
}
