package sandbox

import (
	"net/http"
	"time"
)

const (
	maxTotal     = 100_000_000_00 // fen
	orderLife    = 7 * 24 * time.Hour
	minOrderLife = time.Second
)

// orderRequest is the body of POST /v3/pay/transactions/native, jsapi and h5. Members that do not matter here are
// accepted.
type orderRequest struct {
	kind        string // the last part of the path
	AppID       string `json:"appid"`
	MchID       string `json:"mchid"`
	Description string `json:"description"`
	OutTradeNo  string `json:"out_trade_no"`
	TimeExpire  string `json:"time_expire"`
	Attach      string `json:"attach"`
	NotifyURL   string `json:"notify_url"`
	Amount      struct {
		Total    int64  `json:"total"` // fen
		Currency string `json:"currency"`
	} `json:"amount"`
	Payer struct {
		OpenID string `json:"openid"`
	} `json:"payer"`
	Scene struct {
		ClientIP string `json:"payer_client_ip"`
		H5       struct {
			Type string `json:"type"`
		} `json:"h5_info"`
	} `json:"scene_info"`
}

func (q *orderRequest) validate() error {
	return firstError(
		q.checkPayer,
		func() error { return checkText("appid", q.AppID, 1, 32) },
		func() error { return checkText("mchid", q.MchID, 1, 32) },
		func() error { return checkText("description", q.Description, 1, 127) },
		func() error { return checkOrderNo(q.OutTradeNo) },
		func() error { return checkText("attach", q.Attach, 0, 128) },
		func() error { return checkURL("notify_url", q.NotifyURL) },
		func() error { return checkAmount("amount.total", q.Amount.Total) },
		func() error { return checkCurrency("amount.currency", q.Amount.Currency) },
	)
}

// checkPayer wants what a way to pay needs to know of who pays.
func (q *orderRequest) checkPayer() error {
	switch {
	case q.kind == "jsapi":
		return checkText("payer.openid", q.Payer.OpenID, 1, 128)
	case q.kind == "h5" && (q.Scene.ClientIP == "" || q.Scene.H5.Type == ""):
		return errParam("scene_info", "payer_client_ip and h5_info.type are required")
	}
	return nil
}

func (q *orderRequest) expiry(now time.Time) (time.Time, error) {
	if q.TimeExpire == "" {
		return now.Add(orderLife), nil
	}
	at, err := time.Parse(time.RFC3339, q.TimeExpire)
	if err != nil {
		return time.Time{}, errParam("time_expire", "must be an RFC 3339 time such as 2018-06-08T10:34:56+08:00")
	}
	return at, nil
}

// placing is the endpoint of one way to pay.
func (s *Sandbox) placing(kind string) endpoint {
	return func(c *call) (int, any, error) { return s.placeOrder(c, kind) }
}

func (s *Sandbox) placeOrder(c *call, kind string) (int, any, error) {
	q := orderRequest{kind: kind}
	if err := decodeJSON(c.body, &q, false); err != nil {
		return 0, nil, err
	}
	if err := q.validate(); err != nil {
		return 0, nil, err
	}
	if q.MchID != c.merchant.MchID {
		return 0, nil, errParam("mchid", "is not the merchant that signed the request")
	}
	if q.AppID != c.merchant.AppID {
		return 0, nil, &apiError{
			Status: http.StatusBadRequest, Code: "APPID_MCHID_NOT_MATCH", Field: "appid",
			Message: "appid: does not belong to the merchant",
		}
	}
	t, err := q.trade(c)
	if err != nil {
		return 0, nil, err
	}
	if err := s.update(func(st *state) error { return s.placeTrade(st, t, c.now) }); err != nil {
		return 0, nil, err
	}
	switch kind {
	case "jsapi":
		return http.StatusOK, map[string]string{"prepay_id": "wx" + t.Token}, nil
	case "h5":
		return http.StatusOK, map[string]string{"h5_url": s.baseURL(c.r) + "/scan?pr=" + t.Token}, nil
	}
	return http.StatusOK, map[string]string{"code_url": t.codeURL()}, nil
}

func (q *orderRequest) trade(c *call) (*trade, error) {
	expires, err := q.expiry(c.now)
	if err != nil {
		return nil, err
	}
	sum, err := fingerprint(c.body)
	if err != nil {
		return nil, err
	}
	return &trade{
		Kind: q.kind, OpenID: q.Payer.OpenID, MchID: q.MchID, AppID: q.AppID, OutTradeNo: q.OutTradeNo, Description: q.Description, Attach: q.Attach,
		NotifyURL: q.NotifyURL, Total: q.Amount.Total, Currency: "CNY", Token: randomString(alphanumeric, 16),
		Fingerprint: sum, CreatedAt: c.now, ExpiresAt: expires, State: stateNotPaid,
	}, nil
}

// placeTrade records t, or makes t the trade that an identical request recorded before.
func (s *Sandbox) placeTrade(st *state, t *trade, now time.Time) error {
	if old := st.order(t.MchID, t.OutTradeNo); old != nil {
		return adopt(t, old, now)
	}
	if t.ExpiresAt.Before(now.Add(minOrderLife)) {
		return errParam("time_expire", "must be in the future")
	}
	t.Seq = len(st.trades)
	return s.store.commit(record{Trade: t})
}

func adopt(t, old *trade, now time.Time) error {
	switch {
	case old.Fingerprint != t.Fingerprint:
		return &apiError{
			Status: http.StatusForbidden, Code: "OUT_TRADE_NO_USED", Field: "out_trade_no",
			Message: "out_trade_no: is in use with other parameters",
		}
	case old.paid():
		return errOrderPaid()
	case old.status(now) == stateClosed:
		return errOrderClosed()
	}
	*t = *old
	return nil
}

func checkAmount(field string, fen int64) error {
	if fen < 1 || fen > maxTotal {
		return errParam(field, "must be from 1 to 10000000000 fen")
	}
	return nil
}

func checkCurrency(field, currency string) error {
	if currency != "" && currency != "CNY" {
		return errParam(field, "must be CNY")
	}
	return nil
}

// firstError runs checks in order and stops at the first that fails.
func firstError(checks ...func() error) error {
	for _, check := range checks {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}
