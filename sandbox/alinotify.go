package sandbox

import (
	"net/http"
	"net/url"
	"time"
)

// alipaySchedule is the platform's: eight tries in about 25 hours.
func alipaySchedule() []time.Duration {
	const m, h = time.Minute, time.Hour
	return []time.Duration{4 * m, 10 * m, 10 * m, 1 * h, 2 * h, 6 * h, 15 * h}
}

// aliNotice is what a notification says before it is signed.
type aliNotice struct {
	form url.Values
}

// newAliNotice tells of a paid trade, or of its refund r if that is not nil: then as another notification of the
// trade.
func newAliNotice(t *trade, r *refund, id string, now time.Time) *aliNotice {
	form := url.Values{}
	for name, value := range map[string]string{
		"notify_type": "trade_status_sync", "notify_id": id, "notify_time": aliMoment(now), "charset": "utf-8", "version": "1.0",
		"app_id": t.AppID, "auth_app_id": t.AppID, "seller_id": "208800" + t.MchID, "out_trade_no": t.OutTradeNo,
		"trade_no": t.TransactionID, "trade_status": t.aliStatus(now), "total_amount": yuanOf(t.Total),
		"receipt_amount": yuanOf(t.Total), "buyer_pay_amount": yuanOf(t.Total), "invoice_amount": yuanOf(t.Total),
		"subject": t.Description, "buyer_id": t.OpenID, "gmt_create": aliMoment(t.CreatedAt), "gmt_payment": aliMoment(t.PaidAt),
	} {
		form.Set(name, value)
	}
	if r != nil {
		form.Set("out_biz_no", r.OutRefundNo)
		form.Set("refund_fee", yuanOf(t.Refunded))
		form.Set("gmt_refund", aliMoment(r.DueAt)+".000")
	}
	return &aliNotice{form}
}

// distort applies the defects that are signed correctly. Those that only exist at WeChat Pay change nothing.
func (n *aliNotice) distort(forge, stranger string) {
	switch forge {
	case "amount":
		wrong := "0.01"
		if n.form.Get("total_amount") == wrong {
			wrong = "0.02"
		}
		n.form.Set("total_amount", wrong)
	case "merchant":
		n.form.Set("seller_id", "208800"+stranger)
	case "appid":
		n.form.Set("app_id", "2021"+randomString(digits, 12))
	case "order":
		n.form.Set("out_trade_no", "X"+randomString(digits, 20))
	}
}

// aliForges tells whether a defect exists in notifications: the others leave them right.
func aliForges(forge string) bool {
	return forge != "currency" && forge != "stale" && forge != "future"
}

// message signs the notification, over all parameters but sign and sign_type, and spoils it as forge demands.
func (n *aliNotice) message(ali *aliIdentity, to, forge string) (*message, error) {
	sig, err := signer{key: ali.key}.sign(aliContent(n.form))
	if err != nil {
		return nil, err
	}
	n.form.Set("sign_type", "RSA2")
	n.form.Set("sign", sig)
	switch forge {
	case "signature", "signtest", "serial":
		n.form.Set("sign", encodeBase64(randomBytes(keyBits/8)))
	case "unsigned":
		n.form.Del("sign")
	case "ciphertext", "reserialized":
		n.form.Set("subject", n.form.Get("subject")+" ")
	}
	return &message{
		url: to, body: []byte(n.form.Encode()),
		header: http.Header{"Content-Type": {"application/x-www-form-urlencoded; charset=utf-8"}},
		acknowledged: func(status int, body string) bool {
			return status == http.StatusOK && body == "success"
		},
	}, nil
}
