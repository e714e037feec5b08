package checkout_test

import (
	"fmt"

	"pgregory.net/rapid"

	"panshi/internal/checkout"
	"panshi/internal/id"
	"panshi/internal/order"
)

// refundCodes are the ways in which a refund may be refused.
func refundCodes() []string {
	return []string{
		"order_state", "order_on_hold", "nothing_to_refund", "refund_too_much", "refund_line_too_much", "refund_line_unknown",
		"too_many_refunds",
	}
}

func (w *world) refundRequest(b *bought, part checkout.Part) checkout.RefundRequest {
	return checkout.RefundRequest{
		MerchantID: w.merchant.ID, OrderNo: b.Order.No, Key: id.New().String(), Reason: "staff", Part: part,
	}
}

func lineKey(b *bought, lineNo int) string { return fmt.Sprint(b.Order.No, "/", lineNo) }

func (w *world) refund(rt *rapid.T) { w.refundPart(rt, checkout.Part{}) }

func (w *world) refundAmount(rt *rapid.T) { w.refundPart(rt, drawnAmount(rt)) }

func (w *world) refundLine(rt *rapid.T) { w.refundPart(rt, drawnLine(rt)) }

func drawnAmount(rt *rapid.T) checkout.Part {
	return checkout.Part{Minor: rapid.Int64Range(1, 300).Draw(rt, "amount")}
}

func drawnLine(rt *rapid.T) checkout.Part {
	return checkout.Part{Lines: []checkout.PartLine{{
		LineNo: rapid.IntRange(1, 3).Draw(rt, "line"), Quantity: rapid.IntRange(1, 2).Draw(rt, "quantity"),
	}}}
}

func (w *world) refundPart(rt *rapid.T, part checkout.Part) {
	b := w.one(rt)
	w.refundTwice(rt, b, w.refundRequest(b, part))
}

// refundTwice gives something of an order back, by a request that is repeated.
func (w *world) refundTwice(rt *rapid.T, b *bought, r checkout.RefundRequest, codes ...string) {
	for i := range rapid.IntRange(1, 2).Draw(rt, "times") {
		_, err := w.svc.RefundOrder(w.t.Context(), r)
		w.mayFail(err, append(codes, refundCodes()...)...)
		if err == nil && i == 0 {
			w.notePart(b, r.Part)
		}
	}
}

// notePart notes what was given back of an order whose buyer keeps the goods.
func (w *world) notePart(b *bought, part checkout.Part) {
	v, err := w.svc.OrderForStaff(w.t.Context(), w.merchant.ID, b.Order.No)
	if err != nil {
		w.t.Fatalf("%v", err)
	}
	switch v.Order.Status {
	case order.Paid, order.Delivered, order.Completed:
	default:
		return // all of it: the buyer keeps nothing
	}
	w.parts[b.Order.No] += part.Minor
	for _, l := range part.Lines {
		w.parts[b.Order.No] += v.Lines[l.LineNo-1].UnitPrice.Minor * int64(l.Quantity)
		w.back[lineKey(b, l.LineNo)] += l.Quantity
	}
}
