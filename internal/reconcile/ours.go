package reconcile

import (
	"context"
	"time"

	"panshi/internal/db"
	"panshi/internal/id"
	"panshi/internal/payment"
)

// begun is how long before its day a payment begins at most: an order waits a
// day for its money, and a platform calls back for a day after that. slice is
// how much of that is read at a time: ids are in the order of time.
const (
	begun = 3 * 24 * time.Hour
	slice = time.Hour
)

// oursOnly gives to found, in pages, what the shop has of a day and no bill
// has.
func (s *Service) oursOnly(ctx context.Context, d Day, g group, found func([]pair) error) error {
	from, err := ParseDate(d.Date)
	if err != nil {
		return err
	}
	to := from.AddDate(0, 0, 1)
	for at := from.Add(-begun); at.Before(to); at = at.Add(slice) {
		for _, a := range g.accounts {
			if err := s.page(ctx, found, func(tx *db.Tx, after id.ID) ([]pair, error) {
				return ourPaymentsTx(tx, a, window{after, at, at.Add(slice), from, to})
			}); err != nil {
				return err
			}
		}
	}
	return s.page(ctx, found, func(tx *db.Tx, after id.ID) ([]pair, error) {
		return ourRefundsTx(tx, d, window{after: after, from: from, to: to})
	})
}

// first is before every id that there is: the zero id is stored as NULL, which
// nothing is behind.
func first() id.ID { return id.Lowest(time.UnixMilli(1)) }

// page reads pages until one is not full.
func (s *Service) page(ctx context.Context, found func([]pair) error, read func(tx *db.Tx, after id.ID) ([]pair, error)) error {
	after := first()
	for {
		var pairs []pair
		if err := s.db.View(db.WithLong(ctx), func(tx *db.Tx) (err error) {
			pairs, err = read(tx, after)
			return err
		}); err != nil {
			return err
		}
		if len(pairs) == 0 {
			return nil
		}
		if err := found(pairs); err != nil {
			return err
		}
		if len(pairs) < pageLines {
			return nil
		}
		after = pairs[len(pairs)-1].owner
	}
}

// window is a page of what began in a slice and was paid, or done, in a day.
type window struct {
	after           id.ID
	begin, beginEnd time.Time
	from, to        time.Time
}

// ourPaymentsTx reads money of an account that came on a day by the platform's
// clock and that no bill of any day has.
func ourPaymentsTx(tx *db.Tx, a payment.Account, w window) ([]pair, error) {
	begin := id.Lowest(w.begin)
	if w.after != first() {
		begin = w.after
	}
	return db.Collect(tx, func(rows db.Rows) (pair, error) {
		p := pair{kind: payment.BillPayment, account: a.ID, known: true, done: true}
		err := rows.Scan(&p.owner, &p.paymentNo, &p.transactionID, &p.ours, &p.currency, &p.ledger)
		return p, err
	}, `SELECT o.id, o.payment_no, t.transaction_id, t.amount, t.currency, `+bookedLive+ofTransaction+` + `+bookedOld+ofTransaction+`
		FROM payments o JOIN payment_transactions t ON t.provider = o.provider AND t.account_id = o.account_id
			AND t.transaction_id = o.transaction_id
		WHERE o.id > $1 AND o.id < $2 AND o.account_id = $3 AND o.merchant_id = $4 AND o.transaction_id <> ''
		AND COALESCE(t.paid_at, t.created_at) >= $5 AND COALESCE(t.paid_at, t.created_at) < $6
		AND NOT EXISTS (SELECT 1 FROM reconcile_lines l WHERE l.merchant_id = o.merchant_id AND l.kind = 'payment'
			AND l.transaction_id = t.transaction_id)
		ORDER BY o.id LIMIT $7`, begin, id.Lowest(w.beginEnd), a.ID, a.MerchantID, db.Millis(w.from), db.Millis(w.to), pageLines)
}

// ourRefundsTx reads refunds that were done on a day and that no bill has.
func ourRefundsTx(tx *db.Tx, d Day, w window) ([]pair, error) {
	return db.Collect(tx, func(rows db.Rows) (pair, error) {
		p := pair{kind: payment.BillRefund, known: true, done: true}
		err := rows.Scan(&p.owner, &p.account, &p.paymentNo, &p.transactionID, &p.refundNo, &p.ours, &p.currency, &p.ledger)
		p.ledger = -p.ledger
		return p, err
	}, `SELECT r.id, p.account_id, p.payment_no, p.transaction_id, r.refund_no, r.amount, r.currency, `+
		bookedLive+ofRefund+` + `+bookedOld+ofRefund+`
		FROM refunds r JOIN payments p ON p.id = r.payment_id
		WHERE r.merchant_id = $1 AND r.done_at >= $2 AND r.done_at < $3 AND r.status = 'succeeded' AND r.id > $4
		AND r.credit_id IS NULL
		AND NOT EXISTS (SELECT 1 FROM reconcile_lines l WHERE l.merchant_id = r.merchant_id AND l.kind = 'refund'
			AND l.transaction_id = p.transaction_id AND l.refund_no = r.refund_no)
		ORDER BY r.id LIMIT $5`, d.MerchantID, db.Millis(w.from), db.Millis(w.to), w.after, pageLines)
}
