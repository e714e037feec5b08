package checkout_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"panshi/internal/catalog"
	"panshi/internal/checkout"
	"panshi/internal/db"
	"panshi/internal/errs"
	"panshi/internal/id"
	"panshi/internal/jobs"
	"panshi/internal/order"
	"panshi/internal/payment"
)

// world is a shop with a model of what buyers and platform know. The model
// never reads the shop's own books: what a buyer paid and got back is the
// platform's word, what a buyer got is what Reveal shows.
type world struct {
	*shop
	goods    []catalog.SKU // card, counted work, shared text
	orders   []*bought
	accepted map[string]int64 // by order number: money that staff took as good
	byHand   map[string]int64 // by order number: money that staff gave back by hand
	parts    map[string]int64 // by order number: what staff gave back of it while the buyer kept goods
	back     map[string]int   // by order number and line: items that were given back
	broken   string           // query that names the invariants which do not hold
	n        int
	pick     int // what a crash is about
	credit   payment.Account
	purses   []*purse
}

// bought is one order as its buyer knows it.
type bought struct {
	checkout.Placed
	payments []string
	second   []payment.Report // transactions beyond the first of a payment
}

// TestEveryBuyerHasGoodsOrMoney runs the money path in random order, breaks
// what can break in the real world, and verifies after each step that every
// invariant holds, and at the end that each buyer has the goods or the money.
func TestEveryBuyerHasGoodsOrMoney(t *testing.T) {
	sequences(t, func(d db.DB, rt *rapid.T) {
		w := newWorld(t, rt, d)
		rt.Repeat(map[string]func(*rapid.T){
			"place": w.place, "place again": w.place, "start payment": w.start,
			"pay": w.pay, "pay and tell": w.payAndTell, "pay and tell again": w.payAndTell, "pay wrongly": w.payWrongly, "charge twice": w.chargeTwice,
			"notify": w.notify, "notify again": w.notify, "query": w.query, "expire": w.expireSome, "abandon": w.abandon, "pay late": w.payLate, "cancel": w.cancel,
			"refund": w.refund, "refund an amount": w.refundAmount, "refund a line": w.refundLine, "refund another": w.refundLine,
			"send refunds": w.send, "refund job": w.refundJob, "refund after all": w.afterAll,
			"grant": w.grant, "pay by credit": w.payByCredit, "refund to credit": w.refundToCredit,
			"an amount to credit": w.amountToCredit, "a line to credit": w.lineToCredit, "turn purse": w.turnPurse,
			"deliver by hand": w.deliver, "resolve": w.resolveSome, "complete": w.complete,
			"platform": w.turnPlatform, "change the shop": w.changeShop,
			"crash": w.crash, "crash again": w.crash,
			"": func(*rapid.T) { w.soundAtOnce() },
		})
		w.settleAll()
		w.soundAtOnce()
		w.verify()
		w.verifyPurses()
	})
}

func newWorld(t *testing.T, rt *rapid.T, d db.DB) *world {
	w := &world{shop: newShopOn(t, d), accepted: map[string]int64{}, byHand: map[string]int64{}, parts: map[string]int64{}, back: map[string]int{}, broken: broken()}
	w.t = rt
	w.goods = []catalog.SKU{
		w.product("card", catalog.Card, 100), w.product("work", catalog.Manual, 250),
		w.product("text", catalog.Text, 30, func(p *catalog.Product) { p.PerContactLimit = 4 }),
	}
	w.cards(w.goods[0], 3)
	w.setCount("work", true, 3)
	w.shareText(w.goods[2])
	w.newPurses()
	return w
}

// one draws an order; a step that has none is no step.
func (w *world) one(rt *rapid.T) *bought {
	if len(w.orders) == 0 {
		rt.Skip()
	}
	return w.orders[rapid.IntRange(0, len(w.orders)-1).Draw(rt, "order")]
}

// paymentOf draws a payment of any order that the platform knows in a state.
func (w *world) paymentIn(rt *rapid.T, state payment.State) (*bought, payment.Report) {
	var owners []*bought
	var reports []payment.Report
	for _, b := range w.orders {
		for _, no := range b.payments {
			if r, ok := w.platform.trades[no]; ok && r.State == state {
				owners, reports = append(owners, b), append(reports, r)
			}
		}
	}
	if len(reports) == 0 {
		rt.Skip()
	}
	i := rapid.IntRange(0, len(reports)-1).Draw(rt, "payment")
	return owners[i], reports[i]
}

// mayFail lets a step fail in the ways that a user may meet.
func (w *world) mayFail(err error, codes ...string) {
	if err != nil {
		require.Contains(w.t, codes, errs.CodeOf(err), "%v", err)
	}
}

func (w *world) place(rt *rapid.T) {
	var lines []checkout.PlaceLine
	for i, sku := range w.goods {
		if n := rapid.IntRange(0, 2).Draw(rt, fmt.Sprint("quantity ", i)); n > 0 {
			lines = append(lines, checkout.PlaceLine{SKUID: sku.ID, Quantity: n})
		}
	}
	if len(lines) == 0 {
		rt.Skip()
	}
	contact, err := order.ParseContact(fmt.Sprintf("b%d@example.com", rapid.IntRange(0, 2).Draw(rt, "buyer")), "")
	require.NoError(w.t, err)
	w.n++
	p, err := w.svc.Place(w.t.Context(), checkout.PlaceRequest{
		MerchantID: w.merchant.ID, Key: fmt.Sprint(w.n), Lines: lines, Contact: contact, Lang: "en",
	})
	w.mayFail(err, "sold_out", "contact_limit")
	if err == nil {
		b := &bought{Placed: p}
		w.orders = append(w.orders, b)
		for range rapid.IntRange(0, 2).Draw(rt, "payments") {
			w.startFor(b)
		}
	}
}

func (w *world) start(rt *rapid.T) { w.startFor(w.one(rt)) }

func (w *world) startFor(b *bought) {
	w.n++
	pay, err := w.svc.StartPayment(w.t.Context(), checkout.PayRequest{
		MerchantID: w.merchant.ID, OrderNo: b.Order.No, Token: b.AccessToken, Key: fmt.Sprint(w.n),
	})
	w.mayFail(err, "order_not_payable", "too_many_payments", "payment_busy")
	if err == nil {
		b.payments = append(b.payments, pay.No)
	}
}

func (w *world) pay(rt *rapid.T) {
	_, r := w.paymentIn(rt, payment.StateOpen)
	w.platform.pay(r.PaymentNo)
}

func (w *world) payAndTell(rt *rapid.T) {
	_, r := w.paymentIn(rt, payment.StateOpen)
	_, err := w.svc.Settle(w.t.Context(), w.account, w.platform.pay(r.PaymentNo), "callback")
	require.NoError(w.t, err)
}

func (w *world) payWrongly(rt *rapid.T) {
	_, r := w.paymentIn(rt, payment.StateOpen)
	r.Amount.Minor += rapid.SampledFrom([]int64{-1, 1, 100}).Draw(rt, "wrong by")
	w.platform.trades[r.PaymentNo] = r
	w.platform.pay(r.PaymentNo)
}

// chargeTwice has the platform tell of a second transaction of one payment.
func (w *world) chargeTwice(rt *rapid.T) {
	b, r := w.paymentIn(rt, payment.StatePaid)
	r.TransactionID += fmt.Sprint("/", len(b.second))
	b.second = append(b.second, r)
}

func (w *world) notify(rt *rapid.T) {
	b, r := w.paymentIn(rt, payment.StatePaid)
	reports := append([]payment.Report{r}, b.second...)
	r = reports[rapid.IntRange(0, len(reports)-1).Draw(rt, "transaction")]
	for range rapid.IntRange(1, 3).Draw(rt, "times") {
		_, err := w.svc.Settle(w.t.Context(), w.account, r, "callback")
		require.NoError(w.t, err)
	}
}

func (w *world) query(*rapid.T) {
	w.exec(`UPDATE payments SET next_query_at = 1 WHERE next_query_at IS NOT NULL`)
	w.run("payments.query")
}

func (w *world) expireSome(rt *rapid.T) {
	b := w.one(rt)
	expired := rapid.SampledFrom([]int64{1, b.Order.CreatedAt.UnixMilli()}).Draw(rt, "expired at")
	w.exec(`UPDATE orders SET due_at = 1, expires_at = $1 WHERE id = $2 AND status = 'pending'`, expired, b.Order.ID)
	w.run("orders.expire")
}

// abandon closes an order while its platform is down, so that it can still be
// paid there.
func (w *world) abandon(rt *rapid.T) {
	down := w.platform.fail
	w.platform.fail = payment.ErrProviderBusy
	w.exec(`UPDATE orders SET due_at = 1, expires_at = 1 WHERE id = $1 AND status = 'pending'`, w.one(rt).Order.ID)
	w.run("orders.expire")
	w.platform.fail = down
}

// payLate pays an order that was abandoned, and tells of it.
func (w *world) payLate(rt *rapid.T) {
	b, r := w.paymentIn(rt, payment.StateOpen)
	if w.status(b.Placed) != order.Closed {
		rt.Skip()
	}
	if left := w.available(w.goods[0]); left > 0 && rapid.Bool().Draw(rt, "somebody takes the last cards") {
		w.n++
		p, err := w.shop.place(fmt.Sprint(w.n), checkout.PlaceLine{SKUID: w.goods[0].ID, Quantity: int(left)})
		require.NoError(w.t, err)
		w.orders = append(w.orders, &bought{Placed: p})
	}
	_, err := w.svc.Settle(w.t.Context(), w.account, w.platform.pay(r.PaymentNo), "query")
	require.NoError(w.t, err)
}

func (w *world) cancel(rt *rapid.T) {
	b := w.one(rt)
	_, err := w.svc.Cancel(w.t.Context(), w.merchant.ID, b.Order.No, b.AccessToken)
	w.mayFail(err, "order_state", "payment_checking")
}

func (w *world) send(*rapid.T) {
	w.exec(`UPDATE refunds SET next_try_at = 1 WHERE next_try_at IS NOT NULL`)
	w.run("refunds.push")
}

// refundJob runs every queued job once more than needed.
func (w *world) refundJob(*rapid.T) {
	for _, r := range w.rows(`SELECT id FROM refunds`) {
		require.NoError(w.t, w.svc.SendRefund(w.t.Context(), jobs.Job{MerchantID: w.merchant.ID, SubjectID: r.id}))
	}
}

// afterAll has the platform do a refund that it had refused.
func (w *world) afterAll(rt *rapid.T) {
	refused := w.rows(`SELECT id FROM refunds WHERE status = 'failed'`)
	if len(refused) == 0 {
		rt.Skip()
	}
	r := w.refundOf(refused[rapid.IntRange(0, len(refused)-1).Draw(rt, "refund")].id)
	if w.number(`SELECT COUNT(*) FROM payments WHERE id = $1 AND received - refunded >= $2`, r.PaymentID, r.Amount.Minor) == 0 {
		rt.Skip() // given back in another way: the platform has nothing left to give
	}
	if w.number(`SELECT COUNT(*) FROM holds WHERE refund_id = $1 AND resolved_at IS NULL`, r.ID) == 0 {
		rt.Skip() // staff decided already
	}
	report := payment.RefundReport{State: payment.RefundSucceeded, RefundNo: r.No, Amount: r.Amount}
	w.platform.refunds[r.No] = report
	require.NoError(w.t, w.svc.SettleRefund(w.t.Context(), w.account, report))
}

func (w *world) deliver(rt *rapid.T) {
	b := w.one(rt)
	_, err := w.svc.DeliverByHand(w.t.Context(), w.merchant.ID, b.Order.No, rapid.IntRange(1, 3).Draw(rt, "line"), "made")
	w.mayFail(err, "order_state", "nothing_waiting")
}

func (w *world) resolveSome(rt *rapid.T) {
	holds, err := w.svc.Holds(w.t.Context(), w.merchant.ID, id.ID{}, 100)
	require.NoError(w.t, err)
	if len(holds) == 0 {
		rt.Skip()
	}
	h := holds[rapid.IntRange(0, len(holds)-1).Draw(rt, "case")]
	action := rapid.SampledFrom([]string{checkout.HoldRefund, checkout.HoldAccept, checkout.HoldDismiss}).Draw(rt, "action")
	err = w.svc.ResolveHold(w.t.Context(), w.merchant.ID, h.ID, action, "")
	w.mayFail(err, "hold_action")
	if err == nil {
		w.noteResolved(h, action)
	}
}

func (w *world) noteResolved(h payment.Hold, action string) {
	no := w.orderOf(h.OrderID).Order.No
	switch {
	case action == checkout.HoldAccept:
		w.accepted[no] += h.Amount.Minor
	case action == checkout.HoldDismiss && h.Reason == payment.RefundFailedHold:
		w.byHand[no] += h.Amount.Minor
	}
}

func (w *world) orderOf(orderID id.ID) *bought {
	i := slices.IndexFunc(w.orders, func(b *bought) bool { return b.Order.ID == orderID })
	return w.orders[i]
}

func (w *world) complete(*rapid.T) {
	w.exec(`UPDATE orders SET due_at = 1 WHERE status = 'delivered'`)
	w.sweep("orders.complete")
}

func (w *world) turnPlatform(rt *rapid.T) {
	w.platform.fail = rapid.SampledFrom([]error{nil, payment.ErrProviderBusy}).Draw(rt, "down")
	w.platform.refuseRefunds = rapid.Bool().Draw(rt, "refuses refunds")
}

// changeShop has staff change what orders under way were placed by.
func (w *world) changeShop(rt *rapid.T) {
	w.setCount("work", rapid.Bool().Draw(rt, "counted"), rapid.Int64Range(0, 4).Draw(rt, "count"))
	w.setLimit("text", rapid.SampledFrom([]int{0, 4, 6}).Draw(rt, "limit"))
}
