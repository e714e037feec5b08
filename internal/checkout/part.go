package checkout

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strings"

	"panshi/internal/db"
	"panshi/internal/delivery"
	"panshi/internal/errs"
	"panshi/internal/id"
	"panshi/internal/money"
	"panshi/internal/order"
	"panshi/internal/payment"
)

// Part is what of an order is to be given back: an amount, or items of its
// lines at their unit price. Neither is all that is left.
type Part struct {
	Minor int64      `json:"amount,omitempty"` // in minor units of the order's currency
	Lines []PartLine `json:"lines,omitempty"`
}

// PartLine is items of one line of an order.
type PartLine struct {
	LineNo   int `json:"line_no"`
	Quantity int `json:"quantity"`
}

// RefundRequest asks to give back all or a part of an order, by its platforms
// or as store credit.
type RefundRequest struct {
	MerchantID id.ID
	OrderNo    string
	Key        string // Idempotency-Key
	Reason     string // for the record and the platform
	Part
	Target
}

// Target is where a refund goes: back the way the money came, or to store
// credit.
type Target struct {
	ToCredit bool  `json:"to_credit,omitempty"` // what platforms took becomes store credit, at once and for good
	CreditID id.ID `json:"credit_id,omitzero"`  // whose; zero: a new account for the order's contact
}

// maxParts is how many refunds an order makes before it can only give back all:
// platforms make at most 50 of one payment.
const maxParts = 49

var (
	errTooManyParts  = errs.New(errs.Conflict, "too_many_refunds", "this order made too many refunds; give back all that is left")
	errPartAmbiguous = errs.Field("lines", "refund_part_ambiguous", "give an amount or lines, not both")
	errPartLine      = errs.Field("lines", "refund_line_unknown", "the order has no such line")
	errPartTooMuch   = errs.Field("lines", "refund_line_too_much", "fewer of this line are left to give back")
	errTargetIdle    = errs.Field("credit_id", "credit_not_taken", "an account of store credit is named, and the refund goes to the payer")
	errNothingLeft   = errs.New(errs.Conflict, "nothing_to_refund", "nothing of this order is left to give back")
)

func (r RefundRequest) check() error {
	if err := checkText("reason", r.Reason, 1, 200); err != nil {
		return err
	}
	if !r.ToCredit && !r.CreditID.IsZero() {
		return errTargetIdle
	}
	return r.Part.check()
}

func (p Part) check() error {
	switch {
	case p.Minor < 0 || p.Minor > maxLimit:
		return errs.Field("amount", "out_of_range", "an amount is more than 0")
	case p.Minor > 0 && len(p.Lines) > 0:
		return errPartAmbiguous
	}
	seen := make(map[int]bool, len(p.Lines))
	for _, l := range p.Lines {
		if l.Quantity < 1 || l.Quantity > order.MaxQuantity {
			return errs.Field("lines", "out_of_range", "a quantity is 1 to 999")
		}
		if seen[l.LineNo] {
			return errs.Field("lines", "duplicate_line", "a line stands here twice")
		}
		seen[l.LineNo] = true
	}
	return nil
}

// detail adds to what a person reads the lines, if any, and that credit is where
// it goes: "1x2 3x1" is two items of line 1 and one of line 3.
func (r RefundRequest) detail(of map[string]string) map[string]string {
	if r.ToCredit {
		of["to"] = "credit"
	}
	if len(r.Lines) == 0 {
		return of
	}
	words := make([]string, len(r.Lines))
	for i, l := range r.Lines {
		words[i] = fmt.Sprintf("%dx%d", l.LineNo, l.Quantity)
	}
	of["lines"] = strings.Join(words, " ")
	return of
}

// refundKey is the use of the request's idempotency key for an order.
func (s *Service) refundKey(o order.Order, r RefundRequest) (idempotency, error) {
	body, err := json.Marshal([]any{r.Reason, r.Part, r.Target})
	digest := sha256.Sum256(body)
	return idempotency{o.MerchantID, "refund/" + o.No, r.Key, s.keepable(o.MerchantID, digest[:])}, err
}

// plan is what a refund will do, found without writing anything.
type plan struct {
	takes []giveBack // what each payment gives
	total money.Amount
	lines []lineTake
	all   bool // nothing is left afterwards
}

// lineTake is items of a line that are given back.
type lineTake struct {
	line     order.Line
	quantity int
	left     int  // how many items are not given back afterwards
	unmade   bool // nobody has made them yet
}

// refundLines is how the plan's lines are noted.
func (p plan) refundLines() []payment.RefundLine {
	lines := make([]payment.RefundLine, len(p.lines))
	for i, t := range p.lines {
		lines[i] = payment.RefundLine{LineNo: t.line.No, Quantity: t.quantity, Amount: t.line.UnitPrice.Minor * int64(t.quantity)}
		if t.unmade {
			lines[i].Withdrawn = t.quantity
		}
	}
	return lines
}

// planTx plans to give back a part of an order. Whoever carries the plan out
// has locked the order.
func planTx(tx *db.Tx, o order.Order, part Part) (p plan, err error) {
	switch {
	case o.Status == order.Held:
		return p, errOnHold
	case !order.CanMove(o.Status, order.Refunding):
		return p, order.ErrMove
	}
	back, left, err := refundableTx(tx, o)
	if err != nil {
		return p, err
	}
	want := left
	switch {
	case left == 0:
		return p, errNothingLeft
	case part.Minor > 0:
		want = part.Minor
	case len(part.Lines) > 0:
		if p.lines, want, err = planLinesTx(tx, o, part.Lines); err != nil {
			return p, err
		}
	}
	switch {
	case want > left:
		return p, payment.ErrRefundTooMuch
	case want == 0: // lines that cost nothing
		return p, errNothingLeft
	}
	made, err := payment.RefundsOfTx(tx, o.MerchantID, o.ID)
	if err != nil {
		return p, err
	}
	if len(made) >= maxParts && want < left {
		return p, errTooManyParts
	}
	p.takes, p.total, p.all = takeFrom(back, want), money.Of(want, o.Total.Currency), want == left
	return p, nil
}

// takeFrom chooses what an amount is taken from: one payment if one has enough,
// else the oldest first. Together they have enough.
func takeFrom(back []giveBack, want int64) (takes []giveBack) {
	for _, g := range back {
		if g.amount.Minor >= want {
			g.amount.Minor = want
			return []giveBack{g}
		}
	}
	for _, g := range back {
		g.amount.Minor = min(g.amount.Minor, want)
		if want -= g.amount.Minor; g.amount.Minor > 0 {
			takes = append(takes, g)
		}
	}
	return takes
}

// planLinesTx finds what items of lines come to, and refuses more than their
// lines have left.
func planLinesTx(tx *db.Tx, o order.Order, asked []PartLine) (takes []lineTake, minor int64, err error) {
	lines, err := order.LinesTx(tx, o)
	if err != nil {
		return nil, 0, err
	}
	back, err := backOfTx(tx, o)
	if err != nil {
		return nil, 0, err
	}
	items, err := delivery.OfTx(tx, o.MerchantID, o.ID)
	if err != nil {
		return nil, 0, err
	}
	byNo, waits := make(map[int]order.Line, len(lines)), map[int]bool{}
	for _, l := range lines {
		byNo[l.No] = l
	}
	for _, it := range items {
		waits[it.LineNo] = waits[it.LineNo] || !it.Delivered
	}
	for _, a := range asked {
		l, known := byNo[a.LineNo]
		left := l.Quantity - back[l.No].quantity - a.Quantity
		switch {
		case !known:
			return nil, 0, errPartLine
		case left < 0:
			return nil, 0, errPartTooMuch
		}
		takes = append(takes, lineTake{line: l, quantity: a.Quantity, left: left, unmade: waits[l.No]})
		minor += l.UnitPrice.Minor * int64(a.Quantity)
	}
	return takes, minor, nil
}

// lineBack is how many items of a line were given back, and how many of them
// before anybody had made them.
type lineBack struct{ quantity, withdrawn int }

// backOfTx tells by line what of an order was given back.
func backOfTx(tx *db.Tx, o order.Order) (map[int]lineBack, error) {
	lines, err := payment.RefundLinesTx(tx, o.MerchantID, o.ID)
	return backOf(lines), err
}

func backOf(lines []payment.RefundLine) map[int]lineBack {
	back := make(map[int]lineBack, len(lines))
	for _, l := range lines {
		b := back[l.LineNo]
		back[l.LineNo] = lineBack{b.quantity + l.Quantity, b.withdrawn + l.Withdrawn}
	}
	return back
}
