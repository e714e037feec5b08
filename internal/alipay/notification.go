package alipay

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"panshi/internal/errs"
	"panshi/internal/payment"
	"panshi/internal/payment/wire"
)

// maxParams bounds the parameters of a notification; real ones have about
// thirty.
const maxParams = 100

// ParseNotification verifies a form exactly as it was meant and translates it.
// The Report carries the platform's seller_id and app_id for the caller to
// match. A notification of another type has no report and needs no more than
// an answer. Errors: signature_missing, signature_serial_unknown,
// signature_wrong (Unauthenticated); notification_malformed (Malformed).
//
// A refund comes as another notification of its trade, which says "paid" again
// and tells no amount of this refund, only its number: it is found by asking.
func (a *Account) ParseNotification(_ http.Header, body []byte) (payment.Notification, error) {
	p, err := readForm(body)
	if err != nil {
		return payment.Notification{}, err
	}
	if err := a.verify(p); err != nil {
		return payment.Notification{}, err
	}
	n := payment.Notification{ID: p["notify_id"]}
	switch {
	case !wire.Printable(n.ID, 128):
		return payment.Notification{}, malformed(errMissing)
	case p["notify_type"] != "trade_status_sync":
		return n, nil
	case p["seller_id"] == "" || p["app_id"] == "":
		return payment.Notification{}, malformed(errMissing)
	}
	report, err := trade{
		p["out_trade_no"], p["trade_no"], p["trade_status"], p["total_amount"], p["gmt_payment"],
	}.report(p["seller_id"], p["app_id"])
	if err != nil {
		return payment.Notification{}, malformed(err)
	}
	n.Payment = &report
	if p["refund_fee"] == "" {
		return n, nil
	}
	report.GivenBack = report.State == payment.StatePaid
	if wantNumber("out_biz_no", p["out_biz_no"]) == nil {
		n.RefundNo = p["out_biz_no"]
	}
	return n, nil
}

// readForm decodes a form in which every name stands once: of two values it
// would be unclear which was signed.
func readForm(body []byte) (params, error) {
	values, err := url.ParseQuery(strings.TrimSpace(string(body)))
	if err != nil || len(values) > maxParams {
		return nil, malformed(errors.New("not a form"))
	}
	p := make(params, len(values))
	for name, all := range values {
		if len(all) != 1 {
			return nil, malformed(errors.New("a parameter stands twice"))
		}
		p[name] = all[0]
	}
	if charset := p["charset"]; charset != "" && !strings.EqualFold(charset, "utf-8") {
		return nil, malformed(errors.New("another character set than UTF-8"))
	}
	return p, nil
}

// verify believes a notification or says why not. Both sign and sign_type are
// left out of what is signed, except by some types of notification, which keep
// the second.
func (a *Account) verify(p params) error {
	if p["sign"] == "" {
		return unauthenticated("signature_missing", "the notification is not signed")
	}
	if p["sign_type"] != signType {
		return unauthenticated("signature_wrong", "the notification is not signed by RSA2")
	}
	if cert := p["alipay_cert_sn"]; a.certs.alipay != "" && cert != "" && cert != a.certs.alipay {
		return unauthenticated("signature_serial_unknown", "the notification is signed under another certificate")
	}
	if a.signed([]byte(p.content("sign", "sign_type")), p["sign"]) || a.signed([]byte(p.content("sign")), p["sign"]) {
		return nil
	}
	return unauthenticated("signature_wrong", "the signature does not fit the notification")
}

// Acknowledge is the one word that keeps the platform from telling again.
func (a *Account) Acknowledge() (contentType string, body []byte) {
	return "text/plain; charset=utf-8", []byte("success")
}

func malformed(cause error) error {
	return errs.Wrap(cause, errs.Malformed, "notification_malformed", "the notification is not what the protocol promises")
}
