package sandbox

import (
	"net/http"
)

// tradeBody is a trade as queries and callbacks tell it.
type tradeBody struct {
	MchID          string      `json:"mchid"`
	AppID          string      `json:"appid"`
	OutTradeNo     string      `json:"out_trade_no"`
	TransactionID  string      `json:"transaction_id,omitempty"`
	TradeType      string      `json:"trade_type,omitempty"`
	TradeState     string      `json:"trade_state"`
	TradeStateDesc string      `json:"trade_state_desc"`
	BankType       string      `json:"bank_type,omitempty"`
	Attach         string      `json:"attach"`
	SuccessTime    string      `json:"success_time,omitempty"`
	Payer          *payerBody  `json:"payer,omitempty"`
	Amount         *amountBody `json:"amount"`
}

type payerBody struct {
	OpenID string `json:"openid"`
}

// amountBody is in fen; what the payer paid is present once he did.
type amountBody struct {
	Total         int64  `json:"total"`
	PayerTotal    int64  `json:"payer_total,omitempty"`
	Currency      string `json:"currency"`
	PayerCurrency string `json:"payer_currency,omitempty"`
}

func describeTrade(t *trade, state string) *tradeBody {
	out := &tradeBody{
		MchID: t.MchID, AppID: t.AppID, OutTradeNo: t.OutTradeNo, Attach: t.Attach,
		TradeState: state, TradeStateDesc: stateText(state),
		Amount: &amountBody{Total: t.Total, Currency: t.Currency},
	}
	if t.TransactionID != "" {
		out.TransactionID, out.TradeType, out.BankType = t.TransactionID, t.kind(), "OTHERS"
		out.SuccessTime = wxTime(t.PaidAt)
		out.Payer = &payerBody{OpenID: t.OpenID}
		out.Amount.PayerTotal, out.Amount.PayerCurrency = t.Total, t.Currency
	}
	return out
}

func stateText(state string) string {
	return map[string]string{
		stateNotPaid: "订单未支付", stateSuccess: "支付成功", stateRefund: "订单发生过退款，退款详情请查询退款单", stateClosed: "订单已关闭",
	}[state]
}

func (s *Sandbox) queryByOrder(c *call) (int, any, error) {
	return s.queryTrade(c, func(st *state) *trade { return st.order(c.merchant.MchID, c.r.PathValue("no")) })
}

func (s *Sandbox) queryByTransaction(c *call) (int, any, error) {
	return s.queryTrade(c, func(st *state) *trade { return st.transaction(c.merchant.MchID, c.r.PathValue("id")) })
}

func (s *Sandbox) queryTrade(c *call, find func(*state) *trade) (int, any, error) {
	if err := ownMerchant(c, c.r.URL.Query().Get("mchid")); err != nil {
		return 0, nil, err
	}
	var t *trade
	s.view(func(st *state) { t = find(st) })
	if t == nil {
		return 0, nil, errNoOrder()
	}
	return http.StatusOK, describeTrade(t, t.status(c.now)), nil
}

func ownMerchant(c *call, mchID string) error {
	if mchID == "" {
		return errParam("mchid", "is required")
	}
	if mchID != c.merchant.MchID {
		return errParam("mchid", "is not the merchant that signed the request")
	}
	return nil
}

func (s *Sandbox) closeOrder(c *call) (int, any, error) {
	var q struct {
		MchID string `json:"mchid"`
	}
	if err := decodeJSON(c.body, &q, false); err != nil {
		return 0, nil, err
	}
	if err := ownMerchant(c, q.MchID); err != nil {
		return 0, nil, err
	}
	no := c.r.PathValue("no")
	if err := s.update(func(st *state) error { return s.closeTrade(st, q.MchID, no) }); err != nil {
		return 0, nil, err
	}
	return http.StatusNoContent, nil, nil
}

// closeTrade closes an unpaid trade. Closing a closed one succeeds again, so that a lost answer may be asked for anew.
func (s *Sandbox) closeTrade(st *state, mchID, no string) error {
	t := st.order(mchID, no)
	switch {
	case t == nil:
		return errNoOrder()
	case t.paid():
		return errOrderPaid()
	case t.State == stateClosed:
		return nil
	}
	closed := *t
	closed.State = stateClosed
	return s.store.commit(record{Trade: &closed})
}

// certificates lists the platform certificates, encrypted for the caller: two while one follows the other. Merchants
// with a public key only are told of none.
func (s *Sandbox) certificates(c *call) (int, any, error) {
	var p *platform
	s.view(func(st *state) { p = st.platform })
	data := []any{}
	for _, cert := range p.listed(c.now) {
		box, err := seal(c.merchant.APIKey, "certificate", []byte(cert.Certificate))
		if err != nil {
			return 0, nil, err
		}
		data = append(data, map[string]any{
			"serial_no":           cert.Serial,
			"effective_time":      wxTime(cert.parsed.NotBefore),
			"expire_time":         wxTime(cert.parsed.NotAfter),
			"encrypt_certificate": box,
		})
	}
	if len(data) == 0 {
		return 0, nil, errNoResource("platform certificate")
	}
	return http.StatusOK, map[string]any{"data": data}, nil
}
