package reconcile

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"panshi/internal/db"
	"panshi/internal/errs"
	"panshi/internal/payment"
)

// batchLines is how many lines one transaction stores; the day's row is
// written with them.
const batchLines = 400

// sorted puts lines in the order of their key, so that a run that was
// interrupted goes on where it stopped, and refuses one that comes twice.
func sorted(lines []payment.BillLine) error {
	order := func(a, b payment.BillLine) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.TransactionID, b.TransactionID), cmp.Compare(a.RefundNo, b.RefundNo))
	}
	slices.SortFunc(lines, order)
	for i := 1; i < len(lines); i++ {
		if order(lines[i-1], lines[i]) == 0 {
			return errRepeated
		}
	}
	return nil
}

// store writes a bill's lines, or what is missing of them. Lines of another
// bill of the day go first.
func (s *Service) store(ctx context.Context, d *Day, bill payment.Bill, told progress) error {
	if err := sorted(bill.Lines); err != nil {
		return err
	}
	if d.Digest != bill.Digest {
		if err := s.forget(ctx, d); err != nil {
			return err
		}
	}
	d.Digest, d.BillCount, d.Currency = bill.Digest, int64(len(bill.Lines)), string(bill.Paid.Currency)
	d.BillPaid, d.BillRefunded, d.Fees = bill.Paid.Minor, bill.GivenUp.Minor, bill.Fees.Minor
	for {
		batch := bill.Lines[min(d.stored, d.BillCount):]
		batch = batch[:min(len(batch), batchLines)]
		if err := s.db.Update(ctx, func(tx *db.Tx) error {
			next := *d
			next.stored += int64(len(batch))
			d.FetchedAt = tx.Now()
			return errors.Join(linesTx(tx, *d, batch), billTx(tx, next))
		}); err != nil {
			return err
		}
		d.stored += int64(len(batch))
		told("store", d.stored, d.BillCount)
		if d.stored >= d.BillCount {
			return nil
		}
	}
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

func forgetTx(tx *db.Tx, d Day) (more bool, err error) {
	n, err := tx.Exec(`DELETE FROM reconcile_lines WHERE merchant_id = $1 AND day_id = $2
		AND (kind, transaction_id, refund_no) IN (SELECT kind, transaction_id, refund_no FROM reconcile_lines
		WHERE merchant_id = $3 AND day_id = $4 LIMIT $5)`, d.MerchantID, d.ID, d.MerchantID, d.ID, batchLines)
	return n == batchLines, err
}

// linesTx writes lines; those that are there already stay.
func linesTx(tx *db.Tx, d Day, lines []payment.BillLine) error {
	for _, l := range lines {
		if string(l.Amount.Currency) != d.Currency {
			return errs.New(errs.Integrity, "reconcile_currency", "the bill has two currencies")
		}
		if _, err := tx.Exec(`INSERT INTO reconcile_lines (merchant_id, day_id, kind, transaction_id, refund_no, payment_no, amount,
			fee, state, at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
			ON CONFLICT (merchant_id, day_id, kind, transaction_id, refund_no) DO NOTHING`,
			d.MerchantID, d.ID, string(l.Kind), l.TransactionID, l.RefundNo, l.PaymentNo, l.Amount.Minor, l.Fee.Minor, l.State,
			db.Millis(l.At)); err != nil {
			return err
		}
	}
	return nil
}
