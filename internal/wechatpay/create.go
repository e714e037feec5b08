package wechatpay

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"panshi/internal/payment"
	"panshi/internal/payment/wire"
)

// The ways to pay, as payment.Request.Method.
const (
	Native = "native" // a QR code
	JSAPI  = "jsapi"  // a mini program, or a page inside the app
	H5     = "h5"     // a phone's browser, which opens the app
)

// Create registers an order and returns what the buyer needs to pay it. The
// same request again gives the same order. A way to pay that is none of ours
// is refused and not sent.
func (a *Account) Create(ctx context.Context, r payment.Request) (payment.Instruction, error) {
	if r.Method != Native && r.Method != JSAPI && r.Method != H5 {
		return payment.Instruction{}, because(payment.ErrRejected, check(false, "method", "must be native, jsapi or h5"))
	}
	body, err := a.order(r)
	if err != nil {
		return payment.Instruction{}, because(payment.ErrRejected, err)
	}
	raw, err := a.do(ctx, call{http.MethodPost, "/v3/pay/transactions/" + r.Method, body, http.StatusOK})
	if err != nil {
		return payment.Instruction{}, err
	}
	var answer struct {
		CodeURL  string `json:"code_url"`
		PrepayID string `json:"prepay_id"`
		H5URL    string `json:"h5_url"`
	}
	if json.Unmarshal(raw, &answer) != nil {
		return payment.Instruction{}, busy(errAnswer)
	}
	switch {
	case r.Method == Native && wire.Printable(answer.CodeURL, 512):
		return payment.Instruction{Kind: "qr", CodeURL: answer.CodeURL}, nil
	case r.Method == H5 && isHTTPS(answer.H5URL):
		return payment.Instruction{Kind: "redirect", URL: comingBack(answer.H5URL, r.ReturnURL)}, nil
	case r.Method == JSAPI && wire.Printable(answer.PrepayID, 128):
		return a.handOver(answer.PrepayID)
	}
	return payment.Instruction{}, busy(errAnswer)
}

// handOver signs what the page hands to the app: application, time, nonce and
// prepay_id, each ended by a line feed. Nothing of it is secret.
func (a *Account) handOver(prepayID string) (payment.Instruction, error) {
	stamp, nonce, pack := strconv.FormatInt(a.clock.Now().Unix(), 10), rand.Text(), "prepay_id="+prepayID
	signature, err := a.signature(digest([]byte(pack), a.appID, stamp, nonce))
	if err != nil {
		return payment.Instruction{}, busy(err)
	}
	return payment.Instruction{Kind: "jsapi", Params: map[string]string{
		"appId": a.appID, "timeStamp": stamp, "nonceStr": nonce, "package": pack, "signType": "RSA", "paySign": signature,
	}}, nil
}

func isHTTPS(s string) bool {
	u, err := url.Parse(s)
	return err == nil && len(s) <= 1024 && u.Host != "" && (u.Scheme == "https" || u.Scheme == "http") && u.User == nil
}

// comingBack tells the platform's page where the browser returns to.
func comingBack(page, to string) string {
	if to == "" {
		return page
	}
	separator := "?"
	if strings.Contains(page, "?") {
		separator = "&"
	}
	return page + separator + "redirect_url=" + url.QueryEscape(to)
}
