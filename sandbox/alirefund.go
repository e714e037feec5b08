package sandbox

import "time"

// aliRefundRequest is the biz_content of alipay.trade.refund.
type aliRefundRequest struct {
	aliRef
	Amount   string `json:"refund_amount"`
	RefundNo string `json:"out_request_no"`
	Reason   string `json:"refund_reason"`
}

// aliRefund moves the money at once; the same number again moves nothing and says so.
func (s *Sandbox) aliRefund(c *aliCall) (map[string]any, error) {
	var q aliRefundRequest
	if err := c.content(&q); err != nil {
		return nil, err
	}
	fen, err := fenOf(q.Amount)
	if err != nil {
		return nil, errAliParam("refund_amount: must be yuan with two decimals")
	}
	if err := checkNumber("out_request_no", q.RefundNo, 1, 64, "_"); err != nil {
		return nil, err
	}
	t, err := s.aliFind(c, q.OutTradeNo, q.TradeNo)
	if err != nil {
		return nil, err
	}
	moved := "Y"
	err = s.update(func(st *state) error {
		t = st.trades[t.Seq]
		old := st.aliRefundOf(t, q.RefundNo)
		switch {
		case old != nil && old.Amount != fen:
			return errAli("REFUND_AMT_NOT_EQUAL_TOTAL", "out_request_no is in use with another amount")
		case old != nil:
			moved = "N"
			return nil
		case !t.paid():
			return errAli("TRADE_STATUS_ERROR", "the trade is not paid")
		case fen > t.Total-t.Refunded:
			return errAli("REFUND_AMT_NOT_EQUAL_TOTAL", "more than what is left to refund")
		}
		t, err = s.placeAliRefund(st, c, t, fen, q)
		return err
	})
	return map[string]any{
		"out_trade_no": t.OutTradeNo, "trade_no": t.TransactionID, "fund_change": moved, "refund_fee": yuanOf(t.Refunded),
		"buyer_logon_id": "159****5620",
	}, err
}

func (s *Sandbox) placeAliRefund(st *state, c *aliCall, t *trade, fen int64, q aliRefundRequest) (*trade, error) {
	r := &refund{
		Seq: len(st.refunds), TradeSeq: t.Seq, OutRefundNo: q.RefundNo, Amount: fen, Reason: q.Reason, NotifyURL: t.NotifyURL,
		CreatedAt: c.now, DueAt: c.now,
	}
	after := *t
	after.State, after.Refunded = stateRefund, t.Refunded+fen
	note := s.newNote(st, eventRefunded, t.Seq, r.Seq, t.NotifyURL, c.now, c.now)
	return &after, s.store.commit(record{Trade: &after, Refund: r, Note: note})
}

// aliRefundOf finds a refund of a trade: at Alipay its number is the trade's own.
func (st *state) aliRefundOf(t *trade, no string) *refund {
	for _, r := range st.refundsOfTrade(t) {
		if r.OutRefundNo == no {
			return r
		}
	}
	return nil
}

// aliRefundQuery tells of a refund; one that is not known is a success that says nothing.
func (s *Sandbox) aliRefundQuery(c *aliCall) (map[string]any, error) {
	var q struct {
		aliRef
		RefundNo string   `json:"out_request_no"`
		Options  []string `json:"query_options"`
	}
	if err := c.content(&q); err != nil {
		return nil, err
	}
	t, err := s.aliFind(c, q.OutTradeNo, q.TradeNo)
	if err != nil {
		return nil, err
	}
	var r *refund
	s.view(func(st *state) { r = st.aliRefundOf(t, q.RefundNo) })
	if r == nil {
		return map[string]any{}, nil
	}
	out := map[string]any{
		"out_trade_no": t.OutTradeNo, "trade_no": t.TransactionID, "out_request_no": r.OutRefundNo, "total_amount": yuanOf(t.Total),
		"refund_amount": yuanOf(r.Amount), "refund_status": "REFUND_SUCCESS",
	}
	for _, option := range q.Options {
		if option == "gmt_refund_pay" {
			out[option] = aliMoment(r.DueAt)
		}
	}
	return out, nil
}

func aliMoment(t time.Time) string { return t.In(beijing()).Format(aliTime) }
