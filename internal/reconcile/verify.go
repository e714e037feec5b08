package reconcile

import (
	"context"

	"panshi/internal/db"
	"panshi/internal/payment"
)

// verify compares a closed day with what there is now: the bill with the one
// that the platform gives out, each line with the shop. Problem says what does
// not hold any more; the day stays as it is.
func (r *run) verify(ctx context.Context, biller payment.Biller) (Day, error) {
	closed := r.day
	bill, err := biller.Bill(ctx, r.from)
	changed := err == nil && (bill.Count != closed.BillCount || bill.Paid.Minor != closed.BillPaid ||
		bill.GivenUp.Minor != closed.BillRefunded || bill.Fees.Minor != closed.Fees)
	var lines, net int64
	differs := false
	for _, read := range []reader{paymentsTx, refundsTx} {
		if err := r.pages(ctx, read, func(pairs []pair) error {
			for _, p := range pairs {
				lines, net = lines+1, net+p.signed(p.amount)
			}
			fits, err := r.decided(ctx, r.judge(pairs))
			differs = differs || !fits
			return err
		}); err != nil {
			return closed, err
		}
	}
	switch {
	case changed:
		closed.Problem = "reconcile_bill_changed"
	case differs || lines != closed.BillCount || net != closed.BillPaid-closed.BillRefunded:
		closed.Problem = "reconcile_closed_differs"
	}
	return closed, nil
}

// decided tells whether a person decided about each of cases as it is now.
func (r *run) decided(ctx context.Context, cases []Case) (all bool, err error) {
	all = true
	err = r.s.db.View(ctx, func(tx *db.Tx) error {
		for _, c := range cases {
			if c.Kind == Fee || !all {
				continue
			}
			if all, err = decidedSoTx(tx, r.day, c); err != nil {
				return err
			}
		}
		return nil
	})
	return all, err
}
