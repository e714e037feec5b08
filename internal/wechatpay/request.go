package wechatpay

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"panshi/internal/errs"
	"panshi/internal/money"
	"panshi/internal/payment"
	"panshi/internal/payment/wire"
)

// Limits of the platform, in bytes.
const (
	minOutTradeNo  = 6
	maxOutTradeNo  = 32
	maxOutRefundNo = 64
	maxDescription = 127
	maxReason      = 80
	maxNotifyURL   = 255
)

// maxFen is the largest amount that every JSON reader gets whole (2^53-1).
const maxFen = 1<<53 - 1

type amountOut struct {
	Total    int64  `json:"total"`
	Refund   int64  `json:"refund,omitempty"`
	Currency string `json:"currency"`
}

type sceneOut struct {
	PayerClientIP string   `json:"payer_client_ip"`
	H5            *h5Scene `json:"h5_info,omitempty"`
}

type h5Scene struct {
	Type string `json:"type"`
}

type payerOut struct {
	OpenID string `json:"openid"`
}

type orderOut struct {
	AppID       string    `json:"appid"`
	MchID       string    `json:"mchid"`
	Description string    `json:"description"`
	OutTradeNo  string    `json:"out_trade_no"`
	TimeExpire  string    `json:"time_expire,omitempty"`
	NotifyURL   string    `json:"notify_url"`
	Amount      amountOut `json:"amount"`
	Payer       *payerOut `json:"payer,omitempty"`
	Scene       *sceneOut `json:"scene_info,omitempty"`
}

type refundOut struct {
	OutTradeNo  string    `json:"out_trade_no"`
	OutRefundNo string    `json:"out_refund_no"`
	Reason      string    `json:"reason,omitempty"`
	NotifyURL   string    `json:"notify_url,omitempty"`
	Amount      amountOut `json:"amount"`
}

// order spells a request for one of the three ways to pay.
func (a *Account) order(r payment.Request) ([]byte, error) {
	description := wire.Cut(r.Description, maxDescription)
	if err := errors.Join(
		wantNumber("payment_no", r.PaymentNo, minOutTradeNo, maxOutTradeNo),
		wantFen("amount", r.Amount),
		wantNotifyURL(r.NotifyURL),
		check(description != "", "description", "must not be empty"),
		check(r.Method != JSAPI || wire.WantToken(r.PayerID, 128) == nil, "payer_id", "must be the payer's openid"),
		check(r.Method != H5 || scene(r.ClientIP) != nil, "client_ip", "must be the payer's address"),
	); err != nil {
		return nil, err
	}
	out := orderOut{
		AppID: a.appID, MchID: a.mchID, Description: description, OutTradeNo: r.PaymentNo,
		TimeExpire: beijing(r.ExpiresAt), NotifyURL: r.NotifyURL,
		Amount: amountOut{Total: r.Amount.Minor, Currency: string(r.Amount.Currency)},
		Scene:  scene(r.ClientIP),
	}
	switch r.Method {
	case JSAPI:
		out.Payer = &payerOut{r.PayerID}
	case H5:
		out.Scene.H5 = &h5Scene{"Wap"}
	}
	return json.Marshal(out)
}

func refundOrder(r payment.RefundRequest) ([]byte, error) {
	var notify error
	if r.NotifyURL != "" {
		notify = wantNotifyURL(r.NotifyURL)
	}
	if err := errors.Join(
		wantNumber("payment_no", r.PaymentNo, minOutTradeNo, maxOutTradeNo),
		wantNumber("refund_no", r.RefundNo, 1, maxOutRefundNo),
		wantFen("amount", r.Amount),
		wantFen("total", r.Total),
		check(r.Amount.Minor <= r.Total.Minor, "amount", "exceeds what was paid"),
		notify,
	); err != nil {
		return nil, err
	}
	return json.Marshal(refundOut{
		OutTradeNo: r.PaymentNo, OutRefundNo: r.RefundNo,
		Reason: wire.Cut(r.Reason, maxReason), NotifyURL: r.NotifyURL,
		Amount: amountOut{Total: r.Total.Minor, Refund: r.Amount.Minor, Currency: string(r.Amount.Currency)},
	})
}

// wantNumber checks an out_trade_no or out_refund_no.
func wantNumber(field, s string, least, most int) error {
	return check(len(s) >= least && len(s) <= most && strings.Trim(s, wire.Alphanumeric+"_-|*") == "",
		field, fmt.Sprintf("must be %d-%d of letters, digits and _-|*", least, most))
}

func wantFen(field string, m money.Amount) error {
	return errors.Join(
		check(m.Currency == money.CNY, field, "must be CNY"),
		check(m.Minor > 0 && m.Minor <= maxFen, field, "is out of range"),
	)
}

// wantNotifyURL keeps to what the platform takes: absolute, no parameters.
func wantNotifyURL(s string) error {
	u, err := url.Parse(s)
	return check(err == nil && len(s) <= maxNotifyURL && u.Host != "" && u.RawQuery == "" && u.Fragment == "" &&
		(u.Scheme == "https" || u.Scheme == "http"), "notify_url", "must be an absolute address without parameters")
}

func check(ok bool, field, msg string) error {
	if ok {
		return nil
	}
	return errs.Field(field, "payment_request_invalid", msg)
}

// beijing spells an expiry as the platform reads it; "" for none. Fractions of
// a second are dropped, so the platform never closes later than we do.
func beijing(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.In(wire.Beijing()).Format(time.RFC3339)
}

func scene(ip string) *sceneOut {
	addr, err := netip.ParseAddr(ip)
	if err != nil {
		return nil
	}
	return &sceneOut{PayerClientIP: addr.WithZone("").Unmap().String()}
}
