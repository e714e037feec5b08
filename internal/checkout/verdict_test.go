package checkout_test

import (
	"fmt"

	"github.com/stretchr/testify/require"

	"panshi/internal/catalog"
	"panshi/internal/checkout"
	"panshi/internal/db"
	"panshi/internal/errs"
	"panshi/internal/id"
	"panshi/internal/money"
	"panshi/internal/order"
	"panshi/internal/payment"
	"panshi/internal/stock"
	"panshi/internal/vault"
)

// shareText gives a SKU its shared text.
func (s *shop) shareText(sku catalog.SKU) {
	contentID := id.New()
	sealed, err := s.vault.Seal(vault.Cards, stock.SharedCell(contentID), []byte("the same for all"))
	require.NoError(s.t, err)
	require.NoError(s.t, s.db.Update(s.t.Context(), func(tx *db.Tx) error {
		return stock.PutSharedTx(tx, s.merchant.ID, sku.ID, contentID, sealed)
	}))
}

type row struct{ id id.ID }

func (w *world) rows(query string, args ...any) (all []row) {
	require.NoError(w.t, w.db.View(w.t.Context(), func(tx *db.Tx) (err error) {
		all, err = db.Collect(tx, func(rows db.Rows) (r row, err error) {
			err = rows.Scan(&r.id)
			return r, err
		}, query, args...)
		return err
	}))
	return all
}

func (w *world) refundOf(refundID id.ID) (r payment.Refund) {
	require.NoError(w.t, w.db.View(w.t.Context(), func(tx *db.Tx) (err error) {
		r, err = payment.RefundTx(tx, w.merchant.ID, refundID)
		return err
	}))
	return r
}

// soundAtOnce is sound on one state and, while all is well, in one query,
// because it runs after every step.
func (w *world) soundAtOnce() {
	require.NoError(w.t, w.db.View(w.t.Context(), func(tx *db.Tx) error {
		names, err := db.Collect(tx, func(rows db.Rows) (name string, err error) {
			err = rows.Scan(&name)
			return name, err
		}, w.broken)
		require.NoError(w.t, err)
		if len(names) > 0 {
			w.tellBroken(tx)
		}
		require.Empty(w.t, names)
		return nil
	}))
}

// tellBroken fails the test with what breaks the invariants.
func (w *world) tellBroken(tx *db.Tx) {
	for _, inv := range invariants() {
		broken, err := db.Collect(tx, func(rows db.Rows) (string, error) {
			var subject, detail any
			err := rows.Scan(&subject, &detail)
			return fmt.Sprintf("%s: %v", subject, detail), err
		}, inv.Query)
		require.NoError(w.t, err)
		require.Empty(w.t, broken, inv.Name)
	}
}

// settleAll lets time pass until nothing is under way: the platform answers,
// all that was paid is told, all that waits expires, all refunds are sent.
func (w *world) settleAll() {
	w.platform.fail, w.platform.refuseRefunds = nil, false
	for _, b := range w.orders {
		for _, no := range b.payments {
			if r := w.platform.trades[no]; r.State == payment.StatePaid {
				_, err := w.svc.Settle(w.t.Context(), w.account, r, "callback")
				require.NoError(w.t, err)
			}
		}
		for _, r := range b.second {
			_, err := w.svc.Settle(w.t.Context(), w.account, r, "callback")
			require.NoError(w.t, err)
		}
	}
	w.expire()
	w.query(nil)
	w.send(nil)
}

// verify weighs money against goods, order by order.
func (w *world) verify() {
	keys := map[string]string{}
	for _, b := range w.orders {
		v, err := w.svc.OrderForStaff(w.t.Context(), w.merchant.ID, b.Order.No)
		require.NoError(w.t, err)
		in, out := w.moneyOf(b, v)
		desk := w.number(`SELECT COALESCE(SUM(amount), 0) FROM holds WHERE order_id = $1 AND reason <> 'refund_mismatch'
			AND (resolved_at IS NULL OR (refund_id IS NULL AND resolution LIKE 'dismiss%'))`, b.Order.ID)
		kept := money.Of(in-out-desk, money.CNY)
		want := money.Of(0, money.CNY)
		if w.got(b, v, keys) {
			want = b.Order.Total
			if accepted := w.accepted[b.Order.No]; accepted > 0 {
				want = money.Of(accepted, money.CNY)
			}
			want.Minor -= w.parts[b.Order.No]
		}
		require.Equal(w.t, want, kept, "order %s is %s: in %d, out %d, on the desk %d", v.Order.No, v.Order.Status, in, out, desk)
	}
}

// moneyOf tells what platform and store credit took for an order and gave back.
func (w *world) moneyOf(b *bought, v checkout.View) (in, out int64) {
	for _, no := range b.payments {
		if r := w.platform.trades[no]; r.State == payment.StatePaid {
			in += r.Amount.Minor
		}
	}
	for _, r := range b.second {
		in += r.Amount.Minor
	}
	for _, r := range v.Refunds {
		out += w.platform.refunds[r.No].Amount.Minor
	}
	spent, returned := w.creditOf(b)
	return in + spent, out + returned + w.byHand[b.Order.No]
}

// got tells whether the buyer has the goods, all of them, or work for them
// waits; no key is ever shown to two orders.
func (w *world) got(b *bought, v checkout.View, keys map[string]string) bool {
	cards, waits := 0, false
	for _, l := range v.Lines {
		if l.Kind == "card" {
			cards += l.Quantity
		}
		rest := l.Quantity
		if l.Kind != "card" { // what was given back of a card is with the buyer all the same
			rest -= w.back[lineKey(b, l.No)]
		}
		waits = waits || l.Delivered < rest
	}
	revealed, err := w.svc.Reveal(w.t.Context(), w.merchant.ID, b.Order.No, b.AccessToken)
	shown := 0
	for _, r := range revealed {
		if r.Kind == "card" {
			require.Empty(w.t, keys[r.Content], "one key for two orders")
			keys[r.Content] = b.Order.No
			shown++
		}
	}
	switch v.Order.Status {
	case order.Paid:
		require.True(w.t, waits)
	case order.Delivered, order.Completed:
		require.False(w.t, waits)
	case order.Pending:
		w.t.Fatalf("order %s waits for ever", v.Order.No)
	default:
		require.Contains(w.t, []string{"not_delivered", "goods_refunded"}, errs.CodeOf(err))
		return false
	}
	require.Equal(w.t, cards, shown)
	return true
}
