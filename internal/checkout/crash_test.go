package checkout_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"panshi/internal/checkout"
	"panshi/internal/clock"
	"panshi/internal/db"
	"panshi/internal/errs"
	"panshi/internal/order"
)

var errCrashed = errs.New(errs.Unavailable, "crashed", "the process is gone")

// mortal is a database whose user dies at one of its commits: just before it,
// so that nothing is written, or just after, so that all is and nobody hears of
// it. What comes after fails, as for a process that is gone.
type mortal struct {
	db.DB

	mu    sync.Mutex
	left  int  // commits until it dies; guarded by mu
	after bool // dies after the commit; guarded by mu
	dead  bool // guarded by mu
}

// strikes tells what happens to the next commit.
func (m *mortal) strikes() (dead, now, after bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.dead {
		return true, false, false
	}
	m.left--
	m.dead = m.left <= 0
	return false, m.dead, m.after
}

// Update implements db.DB.
func (m *mortal) Update(ctx context.Context, fn func(tx *db.Tx) error) error {
	dead, now, after := m.strikes()
	switch {
	case dead:
		return errCrashed
	case now && !after:
		return m.DB.Update(ctx, func(tx *db.Tx) error {
			if err := fn(tx); err != nil {
				return err
			}
			return errCrashed
		})
	}
	err := m.DB.Update(ctx, fn)
	if err == nil && now {
		return errCrashed
	}
	return err
}

// serve gives the shop a process of its own on a database.
func (s *shop) serve(d db.DB) *checkout.Service {
	cfg := checkout.Defaults()
	cfg.UnpaidLimit = 0
	return checkout.New(d, s.vault, s.accounts, cfg, clock.System{}, slog.New(slog.NewTextHandler(io.Discard, nil)))
}

// crash has the process die somewhere in a step, and start again. The buyer or
// the platform who got no answer asks again.
func (w *world) crash(rt *rapid.T) {
	steps := map[string]func(*checkout.Service) (again func()){
		"place": w.crashPlace, "start": w.crashStart, "settle": w.crashSettle, "cancel": w.crashCancel, "refund": w.crashRefund,
		"credit": w.crashCredit, "to credit": w.crashToCredit, "grant": w.crashGrant,
		"query": w.crashSweep("payments.query"), "expire": w.crashSweep("orders.expire"), "send refunds": w.crashSweep("refunds.push"),
	}
	names := []string{"place", "start", "settle", "cancel", "refund", "credit", "to credit", "grant", "query", "expire", "send refunds"}
	step := rapid.SampledFrom(names).Draw(rt, "step")
	at, after := rapid.IntRange(1, 3).Draw(rt, "commit"), rapid.Bool().Draw(rt, "after it")
	w.exec(`UPDATE payments SET next_query_at = 1 WHERE next_query_at IS NOT NULL`)
	w.exec(`UPDATE refunds SET next_try_at = 1 WHERE next_try_at IS NOT NULL`)
	old := w.svc
	doomed := &mortal{DB: w.db, left: at, after: after}
	w.pick = rapid.IntRange(0, 1<<20).Draw(rt, "whose")
	again := steps[step](w.serve(doomed))
	w.svc = w.serve(w.db) // nothing that the old one had in memory is left
	if again != nil {
		w.soundAtOnce()
		again()
	}
	w.svc = old
}

// picked is the order that a crash is about, nil if there is none.
func (w *world) picked() *bought {
	if len(w.orders) == 0 {
		return nil
	}
	return w.orders[w.pick%len(w.orders)]
}

func (w *world) crashPlace(dying *checkout.Service) func() {
	w.n++
	contact, err := order.ParseContact(fmt.Sprintf("c%d@example.com", w.pick%3), "")
	require.NoError(w.t, err)
	r := checkout.PlaceRequest{
		MerchantID: w.merchant.ID, Key: fmt.Sprint(w.n), Contact: contact, Lang: "en",
		Lines: []checkout.PlaceLine{{SKUID: w.goods[w.pick%len(w.goods)].ID, Quantity: 1 + w.pick%2}},
	}
	_, err = dying.Place(w.t.Context(), r)
	w.mayFail(err, "crashed", "sold_out", "contact_limit")
	return func() {
		p, err := w.svc.Place(w.t.Context(), r)
		w.mayFail(err, "sold_out", "contact_limit")
		if err == nil {
			w.orders = append(w.orders, &bought{Placed: p})
		}
	}
}

func (w *world) crashStart(dying *checkout.Service) func() {
	b := w.picked()
	if b == nil {
		return nil
	}
	w.n++
	r := checkout.PayRequest{MerchantID: w.merchant.ID, OrderNo: b.Order.No, Token: b.AccessToken, Key: fmt.Sprint(w.n)}
	_, err := dying.StartPayment(w.t.Context(), r)
	w.mayFail(err, "crashed", "order_not_payable", "too_many_payments", "payment_busy")
	return func() {
		pay, err := w.svc.StartPayment(w.t.Context(), r)
		w.mayFail(err, "order_not_payable", "too_many_payments", "payment_busy")
		if err == nil {
			b.payments = append(b.payments, pay.No)
		}
	}
}

func (w *world) crashSettle(dying *checkout.Service) func() {
	b := w.picked()
	if b == nil || len(b.payments) == 0 {
		return nil
	}
	no := b.payments[w.pick%len(b.payments)]
	r, ok := w.platform.trades[no]
	if !ok || r.State == "closed" {
		return nil
	}
	r = w.platform.pay(no)
	_, err := dying.Settle(w.t.Context(), w.account, r, "callback")
	w.mayFail(err, "crashed")
	return func() {
		_, err := w.svc.Settle(w.t.Context(), w.account, r, "callback")
		require.NoError(w.t, err)
	}
}

func (w *world) crashCancel(dying *checkout.Service) func() {
	b := w.picked()
	if b == nil {
		return nil
	}
	cancel := func(svc *checkout.Service, codes ...string) {
		_, err := svc.Cancel(w.t.Context(), w.merchant.ID, b.Order.No, b.AccessToken)
		w.mayFail(err, append(codes, "order_state", "payment_checking")...)
	}
	cancel(dying, "crashed")
	return func() { cancel(w.svc) }
}

func (w *world) crashRefund(dying *checkout.Service) func() {
	b := w.picked()
	if b == nil {
		return nil
	}
	r := w.refundRequest(b, checkout.Part{})
	if w.pick%3 > 0 {
		r.Part.Minor = 1 + int64(w.pick%120)
	}
	return w.crashRequest(dying, b, r)
}

func (w *world) crashRequest(dying *checkout.Service, b *bought, r checkout.RefundRequest, codes ...string) func() {
	refund := func(svc *checkout.Service, more ...string) error {
		_, err := svc.RefundOrder(w.t.Context(), r)
		w.mayFail(err, slices.Concat(codes, more, refundCodes())...)
		return err
	}
	_ = refund(dying, "crashed") // and nobody hears whether it was done
	return func() {
		if refund(w.svc) == nil {
			w.notePart(b, r.Part)
		}
	}
}

// crashSweep dies in a sweep; nobody asks again, the next run finds what is left.
func (w *world) crashSweep(name string) func(*checkout.Service) func() {
	return func(dying *checkout.Service) func() {
		if b := w.picked(); name == "orders.expire" && b != nil {
			w.exec(`UPDATE orders SET due_at = 1, expires_at = 1 WHERE id = $1 AND status = 'pending'`, b.Order.ID)
		}
		for _, sw := range dying.Sweeps() {
			if sw.Name == name {
				_, _ = sw.Run(w.t.Context())
			}
		}
		return func() {}
	}
}
