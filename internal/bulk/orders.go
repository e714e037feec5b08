package bulk

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"time"

	"panshi/internal/delivery"
	"panshi/internal/id"
	"panshi/internal/ledger"
	"panshi/internal/order"
	"panshi/internal/vault"
)

// fateOf is the status that the ith of n orders has come to. The youngest
// fiftieth is still under way; of the others one in five was never paid.
func fateOf(i, n int) order.Status {
	if i >= n-max(n/50, 1) {
		return []order.Status{order.Pending, order.Delivered, order.Paid, order.Delivered}[i%4]
	}
	switch c := i % 100; {
	case c < 2:
		return order.Refunded
	case c == 2:
		return order.Refunding
	case c == 3:
		return order.Held
	case c < 24:
		return order.Closed
	}
	return order.Completed
}

// purchase is one order being made.
type purchase struct {
	*maker
	n      int
	id     id.ID
	no     string
	status order.Status
	at     int64
	total  int64
	lines  int

	contact []byte // its blind index
}

// paid tells whether the full price came.
func (p *purchase) paid() bool {
	switch p.status {
	case order.Pending, order.Closed, order.Held:
		return false
	default:
		return true
	}
}

// order makes the ith order with all that belongs to it.
func (m *maker) order(i int, at int64) {
	p := &purchase{maker: m, n: i, id: m.id(at), status: fateOf(i, m.size.Orders), at: at}
	p.no = id.Number("", time.UnixMilli(at).In(time.FixedZone("UTC+8", 8*60*60)))
	kind, contact := order.Email, "buyer"+strconv.Itoa(i%(m.size.Orders*4/5+1))+"@example.com"
	if i%10 == 0 {
		kind, contact = order.Phone, strconv.Itoa(13_000_000_000+i)
	}
	p.contact = m.vault.Fingerprint(vault.PII, m.shop.MerchantID, order.ContactIndexPurpose, []byte(string(kind)+":"+contact))
	p.addLines()
	p.addMoney()
	p.addOrder(kind, contact)
}

// addLines sells one or two kinds of card, now and then with a text or work.
func (p *purchase) addLines() {
	g := p.cards[p.n%len(p.cards)]
	quantity := 1
	if p.n%7 == 0 {
		quantity = 2
	}
	p.addLine(g, quantity)
	if p.n%5 == 0 {
		p.addLine(p.text, 1)
	}
	if p.n%11 == 0 || p.status == order.Paid {
		p.addLine(p.manual, 1)
	}
}

func (p *purchase) addLine(g *good, quantity int) {
	p.lines++
	amount := g.price * int64(quantity)
	p.total += amount
	p.w.put("order_lines", p.id, p.lines, p.shop.MerchantID, g.product, g.sku, g.kind, g.title, quantity, g.price, amount,
		g.mode, g.limited)
	switch {
	case p.paid():
		g.sold += int64(quantity)
		p.deliver(g, quantity)
	case p.status == order.Closed:
		return // has given back what it held
	default:
		g.held += int64(quantity)
		for range cardsOf(g, quantity) {
			p.card(g, p.at, "held", p.id)
		}
	}
	if g.limited == 1 {
		p.bought[string(p.contact)] += int64(quantity)
	}
}

func cardsOf(g *good, quantity int) int {
	if g.kind == "card" {
		return quantity
	}
	return 0
}

// deliver writes a line's items: cards, the text, or work done or waited for.
func (p *purchase) deliver(g *good, quantity int) {
	for i := range cardsOf(g, quantity) {
		p.item(g, i+1, p.card(g, p.at, "sold", p.id), nil, nil)
	}
	switch {
	case g.kind == "text":
		p.item(g, 1, nil, g.content, nil)
	case g.kind == "manual" && p.status != order.Paid:
		p.item(g, 1, nil, nil, p.seal(vault.Cards, delivery.ManualCell(p.id, p.lines, 1), "已充值"))
	case g.kind == "manual":
		p.item(g, 1, nil, nil, nil)
	}
}

func (p *purchase) item(g *good, n int, card, content any, sealed []byte) {
	status, at, bytes := "delivered", moment(p.at+2000), any(sealed)
	if sealed == nil {
		bytes = nil
	}
	if card == nil && content == nil && sealed == nil {
		status, at = "waiting", nil
	}
	p.w.put("deliveries", p.id, p.lines, n, p.shop.MerchantID, g.sku, g.kind, card, content, bytes, status, p.at+2000, at)
}

// addOrder writes the order itself, its number and its trail.
func (p *purchase) addOrder(kind order.ContactKind, contact string) {
	p.w.put("order_numbers", p.no, p.shop.MerchantID, p.id)
	reason, due, paid, delivered, closed := "", int64(0), p.at+2000, p.at+2000, int64(0)
	switch p.status {
	case order.Pending:
		due, paid, delivered = p.until+day, 0, 0
	case order.Closed:
		paid, delivered, closed = 0, 0, p.at+15*60*1000
	case order.Held:
		reason, delivered = "amount_mismatch", 0
	case order.Paid:
		delivered = 0
	case order.Delivered:
		due = p.until + 7*day
	case order.Completed, order.Refunding, order.Refunded:
	}
	p.w.put("orders", p.id, p.shop.MerchantID, p.no, string(p.status), currency, p.total, string(kind),
		p.seal(vault.PII, order.ContactCell(p.id), contact), p.contact, "zh-CN", reason, p.at+15*60*1000, moment(due), p.at,
		moment(paid), moment(delivered), moment(closed))
	if p.at > p.until-day {
		p.w.put("idempotency_keys", p.shop.MerchantID, "order", hex.EncodeToString(p.bytes(16)), p.bytes(32), p.id, p.at+day)
	}
}

// record writes a line of the trail.
func (p *purchase) record(actor, actorID, action, detail string, at int64) {
	p.w.put("audit_records", p.maker.id(at), p.shop.MerchantID, actor, actorID, action, "order", p.id, detail,
		hex.EncodeToString(p.bytes(8)), at)
}

// addMoney writes the payment with what it brought.
func (p *purchase) addMoney() {
	if p.status == order.Closed {
		p.record("system", "", "order.expired", "", p.at+15*60*1000)
	}
	if !p.paid() && p.status != order.Held && p.n%2 == 0 {
		return // never chose a way to pay
	}
	y := payment{id: p.maker.id(p.at), no: id.Number("P", time.UnixMilli(p.at).UTC()), amount: p.total}
	switch p.status {
	case order.Pending:
		y.status, y.next, y.url = "open", p.until+day, "weixin://wxpay/bizpayurl?pr="+hex.EncodeToString(p.bytes(5))
	case order.Closed:
		y.status, y.closed = "closed", p.at+15*60*1000
	case order.Held:
		y.status, y.received = "held", p.total-1
	default:
		y.status, y.received = "paid", p.total
	}
	if y.received > 0 {
		p.receive(&y)
	}
	if p.status == order.Refunding || p.status == order.Refunded {
		p.giveBack(&y)
	}
	p.w.put("payments", y.id, p.shop.MerchantID, p.id, p.shop.AccountID, y.no, "wechatpay", "native", y.status, y.amount, currency,
		y.received, y.refunded, y.url, y.transaction, y.by, moment(y.next), nil, 0, p.at, moment(y.paid), moment(y.closed))
}

// payment is one payment being made.
type payment struct {
	id                               id.ID
	no, status, url, transaction, by string
	amount, received, refunded       int64
	next, paid, closed               int64
}

// receive books what the platform says it took.
func (p *purchase) receive(y *payment) {
	y.transaction, y.by, y.paid = "42000"+hex.EncodeToString(p.bytes(11)), "callback", p.at+2000
	if p.n%50 == 0 {
		y.by = "query"
	}
	p.w.put("payment_transactions", "wechatpay", p.shop.AccountID, y.transaction, p.shop.MerchantID, y.id, y.received, currency, y.paid)
	kind, from, action := "payment", ledger.Sales, "order.settled"
	if y.status == "held" {
		kind, from, action = "suspense/"+y.transaction, ledger.Suspense, "order.money_held"
		p.w.put("holds", p.maker.id(y.paid), p.shop.MerchantID, p.id, y.id, "amount_mismatch", y.received, currency,
			fmt.Sprintf("received %d, expected %d", y.received, y.amount), y.paid)
	}
	p.post(kind, y.id, from, ledger.Provider(p.shop.AccountID), y.received, y.paid)
	p.record("platform", p.shop.AccountID.String(), action, `{"by":"`+y.by+`","payment_no":"`+y.no+`"}`, y.paid)
	if p.status == order.Completed {
		p.record("buyer", "", "order.goods_revealed", `{"items":"1"}`, y.paid+3000)
	}
}

// post books a transfer.
func (p *purchase) post(kind string, subject id.ID, from, to string, amount, at int64) {
	entry := p.maker.id(at)
	p.w.put("ledger_entries", entry, p.shop.MerchantID, kind, subject, at)
	p.w.put("ledger_postings", entry, 1, p.shop.MerchantID, to, amount, currency)
	p.w.put("ledger_postings", entry, 2, p.shop.MerchantID, from, -amount, currency)
}

// giveBack refunds all of a payment, or is about to.
func (p *purchase) giveBack(y *payment) {
	at := p.at + day/24
	r, no := p.maker.id(at), id.Number("R", time.UnixMilli(at).UTC())
	y.refunded = y.received
	p.post("refund_due", r, ledger.RefundsDue, ledger.Sales, y.received, at)
	status, refundID, next, done := "succeeded", "50000"+hex.EncodeToString(p.bytes(11)), int64(0), at+5000
	if p.status == order.Refunding {
		status, refundID, next, done = "requested", "", p.until+day, 0
		p.w.put("jobs", p.maker.id(at), p.shop.MerchantID, "refund.send", r, p.until+day, at)
	} else {
		p.post("refund_paid", r, ledger.Provider(p.shop.AccountID), ledger.RefundsDue, y.received, done)
	}
	p.refunds = append(p.refunds, []any{
		r, p.shop.MerchantID, p.id, y.id, no, y.received, currency, status, "buyer asked", "sales",
		refundID, moment(next), 0, at, moment(done),
	})
	p.record("staff", "", "refund.promised", `{"refund_no":"`+no+`"}`, at)
}
