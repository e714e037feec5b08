package alipay

import (
	"context"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"panshi/internal/clock"
	"panshi/internal/errs"
	"panshi/internal/payment"
	"panshi/internal/payment/wire"
)

// callTimeout bounds every method of Account, its second try included.
const callTimeout = 5 * time.Second

// The ways to pay, as payment.Request.Method.
const (
	Precreate = "precreate" // a QR code for the Alipay app
	Wap       = "wap"       // a page for a phone's browser
	Page      = "page"      // a page for a desk's browser
)

// Account is one application; it implements payment.Provider, holds no lock
// and may be used by any number of goroutines. It prints like its Config.
type Account struct {
	appID, sellerID string
	base            string
	private         *rsa.PrivateKey
	public          *rsa.PublicKey
	certs           certSerials
	client          *http.Client
	clock           clock.Clock
}

var _ payment.Provider = (*Account)(nil)

// New parses the keys once; the error is Config.Validate's. The client is
// copied and never follows a redirect.
func New(cfg Config, client *http.Client, clk clock.Clock) (*Account, error) {
	if client == nil || clk == nil {
		return nil, errs.New(errs.Internal, "alipay_wiring", "an HTTP client and a clock are needed")
	}
	p, err := cfg.parse()
	if err != nil {
		return nil, err
	}
	own := *client
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Account{
		appID: cfg.AppID, sellerID: cfg.SellerID, base: p.base, private: p.private, public: p.public, certs: p.certs,
		client: &own, clock: clk,
	}, nil
}

// Create registers a payment: for precreate at the platform, which gives the
// text of a QR code; for wap and page it is a signed address that the buyer's
// browser opens, and the platform hears of it only then.
func (a *Account) Create(ctx context.Context, r payment.Request) (payment.Instruction, error) {
	c, err := createCall(r)
	if err != nil {
		return payment.Instruction{}, because(payment.ErrRejected, err)
	}
	if r.Method != Precreate {
		return a.redirect(c)
	}
	node, err := a.do(ctx, c)
	if err != nil {
		return payment.Instruction{}, err
	}
	var answer struct {
		No   string `json:"out_trade_no"`
		Code string `json:"qr_code"`
	}
	if json.Unmarshal(node, &answer) != nil || answer.No != r.PaymentNo || !wire.Printable(answer.Code, 1024) {
		return payment.Instruction{}, busy(errAnswer)
	}
	return payment.Instruction{Kind: "qr", CodeURL: answer.Code}, nil
}

func (a *Account) redirect(c call) (payment.Instruction, error) {
	p, err := a.signedParams(c)
	if err != nil {
		return payment.Instruction{}, because(payment.ErrRejected, err)
	}
	return payment.Instruction{Kind: "redirect", URL: a.base + "?" + p.form().Encode()}, nil
}

// Query asks for the platform's truth about a trade. The answer names no
// seller and no application; the report has those under whose key we asked.
func (a *Account) Query(ctx context.Context, paymentNo string) (payment.Report, error) {
	if err := wantNumber("payment_no", paymentNo); err != nil {
		return payment.Report{}, because(payment.ErrRejected, err)
	}
	node, err := a.do(ctx, call{method: "alipay.trade.query", content: tradeRef{paymentNo}, repeat: true})
	if err != nil {
		return payment.Report{}, err
	}
	var answer queried
	if json.Unmarshal(node, &answer) != nil || answer.No != paymentNo {
		return payment.Report{}, busy(errAnswer)
	}
	report, err := answer.trade().report(a.sellerID, a.appID)
	if err != nil {
		return payment.Report{}, busy(err)
	}
	return report, nil
}

// Close makes a trade unpayable. One that the buyer never opened does not exist
// at the platform; it ends by its time_expire.
func (a *Account) Close(ctx context.Context, paymentNo string) error {
	if err := wantNumber("payment_no", paymentNo); err != nil {
		return because(payment.ErrRejected, err)
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, err := a.do(ctx, call{method: "alipay.trade.close", content: tradeRef{paymentNo}})
	switch {
	case errors.Is(err, payment.ErrNotFound) || isTradeClosed(err):
		return nil
	case errors.Is(err, payment.ErrRejected): // the platform spells "paid already" in several ways
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
	case report.State == payment.StateClosed:
		return nil
	}
	return refusal
}

// Refund gives money back; the same RefundNo again gives the same refund. Only
// "the money moved now" counts as done: everything else is asked about.
func (a *Account) Refund(ctx context.Context, r payment.RefundRequest) (payment.RefundReport, error) {
	content, err := refundContent(r)
	if err != nil {
		return payment.RefundReport{}, because(payment.ErrRejected, err)
	}
	node, err := a.do(ctx, call{method: "alipay.trade.refund", content: content})
	if err != nil {
		return payment.RefundReport{}, err
	}
	var answer struct {
		No      string `json:"out_trade_no"`
		TradeNo string `json:"trade_no"`
		Moved   string `json:"fund_change"`
	}
	if json.Unmarshal(node, &answer) != nil || answer.No != r.PaymentNo || !wire.Printable(answer.TradeNo, 64) {
		return payment.RefundReport{}, busy(errAnswer)
	}
	report := payment.RefundReport{
		State: payment.RefundProcessing, RefundNo: r.RefundNo, RefundID: refundID(answer.TradeNo, r.RefundNo), Amount: r.Amount,
	}
	if answer.Moved == "Y" {
		report.State, report.DoneAt = payment.RefundSucceeded, a.clock.Now().UTC()
	}
	return report, nil
}

// QueryRefund asks how far a refund is. A refund without a state was not
// received, or failed: both are ErrNotFound, after which it may be sent again.
func (a *Account) QueryRefund(ctx context.Context, paymentNo, refundNo string) (payment.RefundReport, error) {
	if err := errors.Join(wantNumber("payment_no", paymentNo), wantNumber("refund_no", refundNo)); err != nil {
		return payment.RefundReport{}, because(payment.ErrRejected, err)
	}
	node, err := a.do(ctx, call{
		method: "alipay.trade.fastpay.refund.query", repeat: true,
		content: refundRef{No: paymentNo, RefundNo: refundNo, Options: []string{"gmt_refund_pay"}},
	})
	if err != nil {
		return payment.RefundReport{}, err
	}
	var answer refunded
	if json.Unmarshal(node, &answer) != nil {
		return payment.RefundReport{}, busy(errAnswer)
	}
	if answer.State == "" || answer.RefundNo == "" {
		return payment.RefundReport{}, because(payment.ErrNotFound, &platformError{code: codeDone})
	}
	if answer.No != paymentNo || answer.RefundNo != refundNo {
		return payment.RefundReport{}, busy(errAnswer)
	}
	report, err := answer.report()
	if err != nil {
		return payment.RefundReport{}, busy(err)
	}
	return report, nil
}

// String names the application without its secrets.
func (a *Account) String() string { return nameOf(a.appID) }

// Format is String for every verb.
func (a *Account) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, a.String()) }

// LogValue is String for slog.
func (a *Account) LogValue() slog.Value { return slog.StringValue(a.String()) }
