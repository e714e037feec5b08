package alipay

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"panshi/internal/errs"
	"panshi/internal/money"
	"panshi/internal/payment"
	"panshi/internal/payment/wire"
)

// Limits of the platform, in bytes (subject: characters; bytes are stricter).
const (
	maxNumber    = 64
	maxSubject   = 256
	maxReason    = 256
	maxNotifyURL = 256
)

// maxFen is the largest amount of one trade: 100,000,000.00 yuan.
const maxFen = 10_000_000_000

type tradeRef struct {
	No string `json:"out_trade_no"`
}

type tradeOut struct {
	No         string `json:"out_trade_no"`
	Total      string `json:"total_amount"`
	Subject    string `json:"subject"`
	Product    string `json:"product_code"`
	TimeExpire string `json:"time_expire,omitempty"`
	QuitURL    string `json:"quit_url,omitempty"`
}

type refundOut struct {
	No       string `json:"out_trade_no"`
	RefundNo string `json:"out_request_no"`
	Amount   string `json:"refund_amount"`
	Reason   string `json:"refund_reason,omitempty"`
}

type refundRef struct {
	No       string   `json:"out_trade_no"`
	RefundNo string   `json:"out_request_no"`
	Options  []string `json:"query_options,omitempty"`
}

// ways maps a method to the platform's interface and product.
func ways() map[string]struct{ method, product string } {
	return map[string]struct{ method, product string }{
		Precreate: {"alipay.trade.precreate", "FACE_TO_FACE_PAYMENT"},
		Wap:       {"alipay.trade.wap.pay", "QUICK_WAP_WAY"},
		Page:      {"alipay.trade.page.pay", "FAST_INSTANT_TRADE_PAY"},
	}
}

func createCall(r payment.Request) (call, error) {
	way, known := ways()[r.Method]
	subject := wire.Cut(r.Description, maxSubject)
	if err := errors.Join(
		check(known, "method", "must be precreate, wap or page"),
		wantNumber("payment_no", r.PaymentNo),
		wantFen("amount", r.Amount),
		wantURL("notify_url", r.NotifyURL),
		check(r.ReturnURL == "" || wantURL("return_url", r.ReturnURL) == nil, "return_url", "must be an absolute address"),
		check(subject != "", "description", "must not be empty"),
	); err != nil {
		return call{}, err
	}
	out := tradeOut{
		No: r.PaymentNo, Total: r.Amount.Decimal(), Subject: subject, Product: way.product, TimeExpire: expiry(r.ExpiresAt),
	}
	c := call{method: way.method, notifyURL: r.NotifyURL}
	if r.Method != Precreate {
		c.returnURL = r.ReturnURL
	}
	if r.Method == Wap {
		out.QuitURL = r.ReturnURL // where the buyer goes who gives up
	}
	c.content = out
	return c, nil
}

func refundContent(r payment.RefundRequest) (refundOut, error) {
	err := errors.Join(
		wantNumber("payment_no", r.PaymentNo),
		wantNumber("refund_no", r.RefundNo),
		wantFen("amount", r.Amount),
		wantFen("total", r.Total),
		check(r.Amount.Minor <= r.Total.Minor, "amount", "exceeds what was paid"),
	)
	return refundOut{No: r.PaymentNo, RefundNo: r.RefundNo, Amount: r.Amount.Decimal(), Reason: wire.Cut(r.Reason, maxReason)}, err
}

// wantNumber checks an out_trade_no or out_request_no.
func wantNumber(field, s string) error {
	return check(s != "" && len(s) <= maxNumber && strings.Trim(s, wire.Alphanumeric+"_") == "",
		field, fmt.Sprintf("must be 1-%d of letters, digits and _", maxNumber))
}

func wantFen(field string, m money.Amount) error {
	return errors.Join(
		check(m.Currency == money.CNY, field, "must be CNY"),
		check(m.Minor > 0 && m.Minor <= maxFen, field, "is out of range"),
	)
}

func wantURL(field, s string) error {
	u, err := url.Parse(s)
	return check(err == nil && len(s) <= maxNotifyURL && u.Host != "" && u.Fragment == "" &&
		(u.Scheme == "https" || u.Scheme == "http"), field, "must be an absolute address")
}

func check(ok bool, field, msg string) error {
	if ok {
		return nil
	}
	return errs.Field(field, "payment_request_invalid", msg)
}

// expiry spells a time as the platform reads it, "" for none. Fractions of a
// second are dropped, so that the platform never closes later than we do.
func expiry(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.In(wire.Beijing()).Format(timeLayout)
}
