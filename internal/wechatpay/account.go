package wechatpay

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"panshi/internal/clock"
	"panshi/internal/errs"
	"panshi/internal/payment"
)

// callTimeout bounds every method of Account, its second try included.
const callTimeout = 5 * time.Second

// Account is one merchant account; it implements payment.Provider, holds no
// lock while it waits and may be used by any number of goroutines. It prints
// like its Config.
type Account struct {
	mchID, appID, serial string
	base                 string // scheme, host and path prefix, no slash at the end
	private              *rsa.PrivateKey
	platform             *keyring
	prefer               string
	resource             cipher.AEAD // AES-256-GCM under the API v3 key
	client               *http.Client
	clock                clock.Clock
}

var _ payment.Provider = (*Account)(nil)

// New parses the keys once; the error is Config.Validate's. The client brings
// transport, proxy and trusted roots. It is copied and never follows a
// redirect: a signed request must not reach another address.
func New(cfg Config, client *http.Client, clk clock.Clock) (*Account, error) {
	if client == nil || clk == nil {
		return nil, errs.New(errs.Internal, "wechatpay_wiring", "an HTTP client and a clock are needed")
	}
	p, err := cfg.parse()
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher([]byte(cfg.APIv3Key))
	if err != nil {
		return nil, err
	}
	resource, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	own := *client
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Account{
		mchID: cfg.MchID, appID: cfg.AppID, serial: cfg.MerchantSerial,
		base: p.base, private: p.private, platform: &keyring{configured: p.platform}, prefer: p.prefer,
		resource: resource, client: &own, clock: clk,
	}, nil
}

// Query asks for the platform's truth about an order.
func (a *Account) Query(ctx context.Context, paymentNo string) (payment.Report, error) {
	if err := wantNumber("payment_no", paymentNo, minOutTradeNo, maxOutTradeNo); err != nil {
		return payment.Report{}, because(payment.ErrRejected, err)
	}
	path := "/v3/pay/transactions/out-trade-no/" + url.PathEscape(paymentNo) + "?mchid=" + url.QueryEscape(a.mchID)
	raw, err := a.do(ctx, call{http.MethodGet, path, nil, http.StatusOK})
	if err != nil {
		return payment.Report{}, err
	}
	var answer transaction
	if json.Unmarshal(raw, &answer) != nil || answer.OutTradeNo != paymentNo {
		return payment.Report{}, busy(errAnswer)
	}
	report, err := answer.report()
	if err != nil {
		return payment.Report{}, busy(err)
	}
	return report, nil
}

// Close makes an order unpayable. The platform spells "paid already" in more
// than one way, so a refusal that says something else is settled by a query
// within the same five seconds.
func (a *Account) Close(ctx context.Context, paymentNo string) error {
	if err := wantNumber("payment_no", paymentNo, minOutTradeNo, maxOutTradeNo); err != nil {
		return because(payment.ErrRejected, err)
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	body, err := json.Marshal(map[string]string{"mchid": a.mchID})
	if err != nil {
		return because(payment.ErrRejected, err)
	}
	path := "/v3/pay/transactions/out-trade-no/" + url.PathEscape(paymentNo) + "/close"
	_, err = a.do(ctx, call{http.MethodPost, path, body, http.StatusNoContent})
	switch {
	case errors.Is(err, payment.ErrNotFound) || isOrderClosed(err):
		return nil
	case errors.Is(err, payment.ErrRejected):
		return a.settleClose(ctx, paymentNo, err)
	}
	return err
}

func (a *Account) settleClose(ctx context.Context, paymentNo string, refusal error) error {
	report, err := a.Query(ctx, paymentNo)
	switch {
	case errors.Is(err, payment.ErrNotFound):
		return nil
	case err != nil:
		return refusal
	case report.State == payment.StatePaid:
		return because(payment.ErrAlreadyPaid, refusal)
	case report.State == payment.StateClosed || report.State == payment.StateReversed:
		return nil
	}
	return refusal
}

// Refund gives money back; the same RefundNo again gives the same refund.
func (a *Account) Refund(ctx context.Context, r payment.RefundRequest) (payment.RefundReport, error) {
	body, err := refundOrder(r)
	if err != nil {
		return payment.RefundReport{}, because(payment.ErrRejected, err)
	}
	return a.refund(ctx, call{http.MethodPost, "/v3/refund/domestic/refunds", body, http.StatusOK}, r.RefundNo)
}

// QueryRefund asks how far a refund is; its own number says all.
func (a *Account) QueryRefund(ctx context.Context, _, refundNo string) (payment.RefundReport, error) {
	if err := wantNumber("refund_no", refundNo, 1, maxOutRefundNo); err != nil {
		return payment.RefundReport{}, because(payment.ErrRejected, err)
	}
	path := "/v3/refund/domestic/refunds/" + url.PathEscape(refundNo)
	return a.refund(ctx, call{http.MethodGet, path, nil, http.StatusOK}, refundNo)
}

func (a *Account) refund(ctx context.Context, c call, refundNo string) (payment.RefundReport, error) {
	raw, err := a.do(ctx, c)
	if err != nil {
		return payment.RefundReport{}, err
	}
	var answer refund
	if json.Unmarshal(raw, &answer) != nil || answer.OutRefundNo != refundNo {
		return payment.RefundReport{}, busy(errAnswer)
	}
	report, err := answer.report(answer.Status)
	if err != nil {
		return payment.RefundReport{}, busy(err)
	}
	return report, nil
}

// String names the account without its secrets.
func (a *Account) String() string { return nameOf(a.mchID) }

// Format is String for every verb.
func (a *Account) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, a.String()) }

// LogValue is String for slog.
func (a *Account) LogValue() slog.Value { return slog.StringValue(a.String()) }
