package reconcile

import (
	"context"
	"iter"

	"panshi/internal/db"
	"panshi/internal/errs"
	"panshi/internal/fault"
	"panshi/internal/payment"
)

// batchLines is how many lines one transaction stores; the day's row is
// written with them.
const batchLines = 400

// store writes a bill's lines, or what is missing of them: the platform's order
// is the same each time, so a run that was interrupted goes on where it stopped.
// Lines of another bill of the day go first.
func (s *Service) store(ctx context.Context, d *Day, bill payment.Bill, told progress) error {
	if d.Digest != bill.Digest {
		if err := s.forget(ctx, d); err != nil {
			return err
		}
	}
	d.Digest, d.BillCount, d.Currency = bill.Digest, bill.Count, string(bill.Paid.Currency)
	d.BillPaid, d.BillRefunded, d.Fees = bill.Paid.Minor, bill.GivenUp.Minor, bill.Fees.Minor
	there, batch := d.stored, make([]payment.BillLine, 0, batchLines)
	for line, err := range linesOf(bill) {
		if err != nil {
			return err
		}
		if there > 0 {
			there--
			continue
		}
		if batch = append(batch, line); len(batch) < batchLines {
			continue
		}
		if err := s.storeBatch(ctx, d, batch, told); err != nil {
			return err
		}
		batch = batch[:0]
	}
	return s.storeBatch(ctx, d, batch, told) // a bill without lines is noted too
}

func linesOf(bill payment.Bill) iter.Seq2[payment.BillLine, error] {
	if bill.Lines == nil {
		return func(func(payment.BillLine, error) bool) {}
	}
	return bill.Lines
}

// storeBatch writes lines and how many there are by now in one transaction.
func (s *Service) storeBatch(ctx context.Context, d *Day, batch []payment.BillLine, told progress) error {
	next := *d
	next.stored += int64(len(batch))
	if err := s.db.Update(ctx, func(tx *db.Tx) error {
		next.FetchedAt = tx.Now()
		if err := billTx(tx, next); err != nil {
			return err
		}
		return linesTx(tx, next, batch)
	}); err != nil {
		return err
	}
	*d = next
	fault.Point("reconcile.store.batch-written")
	told("store", d.stored, d.BillCount)
	return nil
}

// forget takes the lines of a bill away that the platform has replaced.
func (s *Service) forget(ctx context.Context, d *Day) error {
	d.Digest, d.stored = "", 0
	for more := true; more; {
		if err := s.db.Update(ctx, func(tx *db.Tx) (err error) {
			if err := billTx(tx, *d); err != nil {
				return err
			}
			more, err = forgetTx(tx, *d)
			return err
		}); err != nil {
			return err
		}
	}
	return nil
}

// forgetTx takes as many lines as one transaction may, by a range of their key:
// a list of them would be looked for among all that are left.
func forgetTx(tx *db.Tx, d Day) (more bool, err error) {
	type lineKey struct{ kind, transactionID, refundNo string }
	last, err := db.Collect(tx, func(rows db.Rows) (k lineKey, err error) {
		err = rows.Scan(&k.kind, &k.transactionID, &k.refundNo)
		return k, err
	}, `SELECT kind, transaction_id, refund_no FROM reconcile_lines WHERE merchant_id = $1 AND day_id = $2
		ORDER BY kind, transaction_id, refund_no LIMIT 1 OFFSET $3`, d.MerchantID, d.ID, batchLines-1)
	if err != nil {
		return false, err
	}
	if len(last) == 0 {
		_, err = tx.Exec(`DELETE FROM reconcile_lines WHERE merchant_id = $1 AND day_id = $2`, d.MerchantID, d.ID)
		return false, err
	}
	_, err = tx.Exec(`DELETE FROM reconcile_lines WHERE merchant_id = $1 AND day_id = $2
		AND (kind, transaction_id, refund_no) <= ($3, $4, $5)`, d.MerchantID, d.ID, last[0].kind, last[0].transactionID, last[0].refundNo)
	return true, err
}

// linesTx writes lines. One that is there already stands twice in the bill: a
// batch and the count of what is stored are written together.
func linesTx(tx *db.Tx, d Day, lines []payment.BillLine) error {
	for _, l := range lines {
		if string(l.Amount.Currency) != d.Currency {
			return errs.New(errs.Integrity, "reconcile_currency", "the bill has two currencies")
		}
	}
	write := linesOneByOneTx
	if tx.Engine() == db.Postgres {
		write = linesAtOnceTx
	}
	n, err := write(tx, d, lines)
	if err == nil && n != int64(len(lines)) {
		return errRepeated
	}
	return err
}

func linesOneByOneTx(tx *db.Tx, d Day, lines []payment.BillLine) (written int64, err error) {
	for _, l := range lines {
		n, err := tx.Exec(`INSERT INTO reconcile_lines (merchant_id, day_id, kind, transaction_id, refund_no, payment_no, amount,
			fee, state, at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
			ON CONFLICT (merchant_id, day_id, kind, transaction_id, refund_no) DO NOTHING`,
			d.MerchantID, d.ID, string(l.Kind), l.TransactionID, l.RefundNo, l.PaymentNo, l.Amount.Minor, l.Fee.Minor, l.State,
			db.Millis(l.At))
		if err != nil {
			return written, err
		}
		written += n
	}
	return written, nil
}

// linesAtOnceTx is one statement for all, for an engine that is elsewhere.
func linesAtOnceTx(tx *db.Tx, d Day, lines []payment.BillLine) (written int64, err error) {
	n := len(lines)
	kinds, transactions, refunds, payments, states := make([]string, n), make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	amounts, fees, times := make([]int64, n), make([]int64, n), make([]int64, n)
	for i, l := range lines {
		kinds[i], transactions[i], refunds[i], payments[i], states[i] = string(l.Kind), l.TransactionID, l.RefundNo, l.PaymentNo, l.State
		amounts[i], fees[i], times[i] = l.Amount.Minor, l.Fee.Minor, l.At.UnixMilli()
	}
	return tx.Exec(`INSERT INTO reconcile_lines (merchant_id, day_id, kind, transaction_id, refund_no, payment_no, amount, fee, state, at)
		SELECT $1::BYTEA, $2::BYTEA, l.* FROM UNNEST($3::TEXT[], $4::TEXT[], $5::TEXT[], $6::TEXT[], $7::BIGINT[], $8::BIGINT[], $9::TEXT[],
		$10::BIGINT[]) AS l ON CONFLICT (merchant_id, day_id, kind, transaction_id, refund_no) DO NOTHING`,
		d.MerchantID, d.ID, kinds, transactions, refunds, payments, amounts, fees, states, times)
}
