package sandbox

import (
	"net/http"
	"time"
)

const maxRefunds = 50 // a trade, the platform's limit

// refundRequest is the body of POST /v3/refund/domestic/refunds.
type refundRequest struct {
	TransactionID string `json:"transaction_id"`
	OutTradeNo    string `json:"out_trade_no"`
	OutRefundNo   string `json:"out_refund_no"`
	Reason        string `json:"reason"`
	NotifyURL     string `json:"notify_url"`
	Amount        struct {
		Refund   int64  `json:"refund"` // fen
		Total    int64  `json:"total"`  // fen
		Currency string `json:"currency"`
	} `json:"amount"`
}

func (q *refundRequest) validate() error {
	return firstError(
		func() error {
			if (q.TransactionID == "") == (q.OutTradeNo == "") {
				return errParam("out_trade_no", "give either out_trade_no or transaction_id")
			}
			return nil
		},
		func() error { return checkNumber("out_refund_no", q.OutRefundNo, 1, 64, "_-|*@") },
		func() error { return checkText("reason", q.Reason, 0, 80) },
		func() error {
			if q.NotifyURL == "" {
				return nil
			}
			return checkURL("notify_url", q.NotifyURL)
		},
		func() error { return checkAmount("amount.refund", q.Amount.Refund) },
		func() error { return checkAmount("amount.total", q.Amount.Total) },
		func() error {
			if q.Amount.Currency == "" {
				return errParam("amount.currency", "is required")
			}
			return checkCurrency("amount.currency", q.Amount.Currency)
		},
	)
}

// refundBody is a refund as the API tells it.
type refundBody struct {
	RefundID            string           `json:"refund_id"`
	OutRefundNo         string           `json:"out_refund_no"`
	TransactionID       string           `json:"transaction_id"`
	OutTradeNo          string           `json:"out_trade_no"`
	Channel             string           `json:"channel"`
	UserReceivedAccount string           `json:"user_received_account"`
	SuccessTime         string           `json:"success_time,omitempty"`
	CreateTime          string           `json:"create_time"`
	Status              string           `json:"status"`
	FundsAccount        string           `json:"funds_account"`
	Amount              refundAmountBody `json:"amount"`
}

// refundAmountBody is in fen.
type refundAmountBody struct {
	Total            int64  `json:"total"`
	Refund           int64  `json:"refund"`
	PayerTotal       int64  `json:"payer_total"`
	PayerRefund      int64  `json:"payer_refund"`
	SettlementRefund int64  `json:"settlement_refund"`
	SettlementTotal  int64  `json:"settlement_total"`
	DiscountRefund   int64  `json:"discount_refund"`
	Currency         string `json:"currency"`
}

func describeRefund(r *refund, t *trade, now time.Time) *refundBody {
	out := &refundBody{
		RefundID: r.RefundID, OutRefundNo: r.OutRefundNo, TransactionID: t.TransactionID, OutTradeNo: t.OutTradeNo,
		Channel: "ORIGINAL", UserReceivedAccount: "支付用户零钱", FundsAccount: "AVAILABLE",
		CreateTime: wxTime(r.CreatedAt), Status: r.status(now),
		Amount: refundAmountBody{
			Total: t.Total, Refund: r.Amount, PayerTotal: t.Total, PayerRefund: r.Amount,
			SettlementRefund: r.Amount, SettlementTotal: t.Total, Currency: t.Currency,
		},
	}
	if out.Status == refundSuccess {
		out.SuccessTime = wxTime(r.DueAt)
	}
	return out
}

func (s *Sandbox) createRefund(c *call) (int, any, error) {
	var q refundRequest
	if err := decodeJSON(c.body, &q, false); err != nil {
		return 0, nil, err
	}
	if err := q.validate(); err != nil {
		return 0, nil, err
	}
	sum, err := fingerprint(c.body)
	if err != nil {
		return 0, nil, err
	}
	var out *refundBody
	err = s.update(func(st *state) error {
		out, err = s.placeRefund(st, c, &q, sum)
		return err
	})
	return http.StatusOK, out, err
}

func (s *Sandbox) placeRefund(st *state, c *call, q *refundRequest, sum string) (*refundBody, error) {
	if old := st.refund(c.merchant.MchID, q.OutRefundNo); old != nil {
		if old.Fingerprint != sum {
			return nil, errInvalid("out_refund_no is in use with other parameters")
		}
		return describeRefund(old, st.trades[old.TradeSeq], c.now), nil
	}
	t := st.order(c.merchant.MchID, q.OutTradeNo)
	if q.TransactionID != "" {
		t = st.transaction(c.merchant.MchID, q.TransactionID)
	}
	if err := refundable(st, t, q); err != nil {
		return nil, err
	}
	r := &refund{
		Seq: len(st.refunds), TradeSeq: t.Seq, OutRefundNo: q.OutRefundNo, RefundID: "503" + randomString(digits, 26),
		Amount: q.Amount.Refund, Reason: q.Reason, NotifyURL: q.NotifyURL, Fingerprint: sum,
		CreatedAt: c.now, DueAt: c.now.Add(s.cfg.RefundDelay),
	}
	after := *t
	after.State, after.Refunded = stateRefund, t.Refunded+r.Amount
	change := record{Trade: &after, Refund: r}
	if r.NotifyURL != "" {
		change.Note = s.newNote(st, eventRefunded, t.Seq, r.Seq, r.NotifyURL, c.now, r.DueAt)
	}
	return describeRefund(r, &after, c.now), s.store.commit(change)
}

func refundable(st *state, t *trade, q *refundRequest) error {
	switch {
	case t == nil:
		return errNoResource("order")
	case !t.paid():
		return errInvalid("the order is not paid")
	case q.Amount.Total != t.Total:
		return errParam("amount.total", "is not the total of the order")
	case q.Amount.Refund > t.Total-t.Refunded:
		return errInvalid("amount.refund: more than what is left to refund")
	case len(st.refundsOf[t.Seq]) >= maxRefunds:
		return errInvalid("the order has 50 refunds already")
	}
	return nil
}

func (s *Sandbox) queryRefund(c *call) (int, any, error) {
	var out *refundBody
	s.view(func(st *state) {
		if r := st.refund(c.merchant.MchID, c.r.PathValue("no")); r != nil {
			out = describeRefund(r, st.trades[r.TradeSeq], c.now)
		}
	})
	if out == nil {
		return 0, nil, errNoResource("refund")
	}
	return http.StatusOK, out, nil
}
