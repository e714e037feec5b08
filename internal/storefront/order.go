package storefront

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"panshi/internal/checkout"
	"panshi/internal/errs"
	"panshi/internal/money"
	"panshi/internal/order"
	"panshi/internal/payment"
)

// orderData is an order's page.
type orderData struct {
	No        string
	Token     string // the look-up code
	Status    order.Status
	Steps     []step
	Lines     []checkout.LineView
	Total     money.Amount
	Refunded  money.Amount // given back so far
	Refunds   []refundRow
	ToCredit  bool // all of it as store credit
	ExpiresAt time.Time
	CanPay    bool
	CanCancel bool
	CanReveal bool
	Waiting   bool // some is delivered, staff has still to deliver the rest
	Goods     []goods
}

// step is one point of the order's course. State is "done", "now" or "todo".
type step struct {
	Key   string // of the text, below shop.step.
	At    time.Time
	State string
}

// refundRow is money that goes back. State ends the key of its text, below
// shop.refund: the refund's status, or credit for what is back as store credit.
type refundRow struct {
	At     time.Time // when it went back, or was promised
	Amount money.Amount
	State  string
}

// Dated tells whether the step has a time to show.
func (s step) Dated() bool { return !s.At.IsZero() }

// goods are what was delivered of one line. They are rendered by the answer to
// a POST and nowhere else.
type goods struct {
	Title string
	Items []good
}

type good struct {
	ID      string // of the element, for its copy button
	Content string
	Long    bool // several lines: a text, not a key
}

// order shows an order without its goods.
func (s *Shop) order(v *visit) error {
	return s.withOrder(v, func(h held) error { return s.showOrder(v, h, nil) })
}

// reveal shows an order with its goods. Revealing is recorded by the service.
func (s *Shop) reveal(v *visit) error {
	return s.withOrder(v, func(h held) error {
		revealed, err := s.Orders.Reveal(v.r.Context(), v.shop.ID, h.no, h.token)
		if errs.CodeOf(err) == "not_delivered" {
			return v.see(h.path()) // the order's page says why
		}
		if err != nil {
			return err
		}
		return s.showOrder(v, h, goodsOf(revealed))
	})
}

// cancel closes an unpaid order. If it was paid meanwhile the order's page says
// so.
func (s *Shop) cancel(v *visit) error {
	return s.withOrder(v, func(h held) error {
		_, err := s.Orders.Cancel(v.r.Context(), v.shop.ID, h.no, h.token)
		if err != nil && errs.KindOf(err) != errs.Conflict {
			return err
		}
		return v.see(h.path())
	})
}

func (s *Shop) showOrder(v *visit, h held, shown []goods) error {
	o := h.Order
	pending := o.Status == order.Pending
	delivered, waiting := delivery(h)
	d := orderData{
		No: h.no, Token: h.token, Status: o.Status, Steps: stepsOf(o), Lines: h.Lines, Total: o.Total,
		Refunded: refunded(h), Refunds: refundsOf(h), ToCredit: becameCredit(h), ExpiresAt: o.ExpiresAt,
		CanPay:    pending && s.Clock.Now().Before(o.ExpiresAt),
		CanCancel: pending, CanReveal: delivered, Waiting: delivered && waiting && o.Status == order.Paid, Goods: shown,
	}
	return s.show(v, http.StatusOK, "order", screen{
		Title: s.text(v, "shop.order.title", "no", h.no), Private: true, Back: h.path(),
		Scripts: []string{"order.js"}, Data: d,
	})
}

// delivery tells whether anything was delivered, and whether anything is still
// to come.
func delivery(h held) (some, rest bool) {
	for _, l := range h.Lines {
		some = some || l.Delivered > 0
		rest = rest || l.Waits()
	}
	return some, rest
}

func refunded(h held) money.Amount {
	sum := money.Of(0, h.Order.Total.Currency)
	for _, r := range h.Refunds {
		if r.Status == payment.RefundDone {
			sum.Minor += r.Amount.Minor
		}
	}
	return sum
}

func refundsOf(h held) []refundRow {
	rows := make([]refundRow, len(h.Refunds))
	for i, r := range h.Refunds {
		rows[i] = refundRow{At: r.CreatedAt, Amount: r.Amount, State: string(r.Status)}
		if r.Status == payment.RefundDone {
			rows[i].At = r.DoneAt
			if !r.CreditID.IsZero() {
				rows[i].State = "credit"
			}
		}
	}
	return rows
}

// becameCredit tells whether all that was given back is store credit.
func becameCredit(h held) bool {
	platforms := func(r payment.Refund) bool { return r.CreditID.IsZero() }
	return len(h.Refunds) > 0 && !slices.ContainsFunc(h.Refunds, platforms)
}

// stepsOf tells an order's course: what happened, where it stands, what comes.
func stepsOf(o order.Order) []step {
	placed := step{"placed", o.CreatedAt, "done"}
	paid := step{"paid", o.PaidAt, "done"}
	switch o.Status {
	case order.Pending:
		return []step{placed, {"pay", time.Time{}, "now"}, {"deliver", time.Time{}, "todo"}}
	case order.Paid:
		return []step{placed, paid, {"deliver", time.Time{}, "now"}}
	case order.Delivered, order.Completed:
		return []step{placed, paid, {"delivered", o.DeliveredAt, "done"}}
	case order.Closed:
		return []step{placed, {"closed", o.ClosedAt, "now"}}
	case order.Held:
		return []step{placed, {"held", time.Time{}, "now"}}
	case order.Refunding:
		return []step{placed, paid, {"refunding", time.Time{}, "now"}}
	case order.Refunded:
		return []step{placed, paid, {"refunded", time.Time{}, "now"}}
	}
	return []step{placed}
}

// goodsOf groups what was revealed by line.
func goodsOf(revealed []checkout.Revealed) []goods {
	var out []goods
	last := 0
	for i, r := range revealed {
		if len(out) == 0 || r.LineNo != last {
			out, last = append(out, goods{Title: r.Title}), r.LineNo
		}
		g := &out[len(out)-1]
		g.Items = append(g.Items, good{
			ID: fmt.Sprintf("good-%d", i+1), Content: r.Content, Long: strings.Contains(strings.TrimSpace(r.Content), "\n"),
		})
	}
	return out
}
