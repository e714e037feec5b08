package paynotify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/audit"
	"panshi/internal/checkout"
	"panshi/internal/clock"
	"panshi/internal/errs"
	"panshi/internal/i18n"
	"panshi/internal/id"
	"panshi/internal/money"
	"panshi/internal/payment"
	"panshi/internal/perm"
	"panshi/internal/web"
)

var testAccount = payment.Account{ID: id.New(), MerchantID: id.New(), Provider: "wechatpay", Method: "native", ExternalRef: mchID, AppRef: appID}

// fakeProvider reads whatever the test wants.
type fakeProvider struct {
	payment.Provider
	read func(header http.Header, body []byte) (payment.Notification, error)
}

func (p fakeProvider) ParseNotification(h http.Header, b []byte) (payment.Notification, error) {
	return p.read(h, b)
}

func (fakeProvider) Acknowledge() (contentType string, body []byte) {
	return "application/json", []byte(`{"code":"SUCCESS"}`)
}

// fakeShop is accounts and settler.
type fakeShop struct {
	provider payment.Provider
	findErr  error
	outcome  checkout.Outcome
	err      error
	wait     bool // settle until the caller gives up

	settled  []payment.Report
	refunded []payment.RefundReport
	asked    []string
	by       string
	actor    audit.Actor
	request  string
}

func (f *fakeShop) Provider(_ context.Context, accountID id.ID) (payment.Account, payment.Provider, error) {
	if f.findErr != nil {
		return payment.Account{}, nil, f.findErr
	}
	if accountID != testAccount.ID {
		return payment.Account{}, nil, payment.ErrNoAccount
	}
	return testAccount, f.provider, nil
}

func (f *fakeShop) Settle(ctx context.Context, a payment.Account, r payment.Report, by string) (checkout.Outcome, error) {
	if f.wait {
		<-ctx.Done()
		return checkout.Ignored, ctx.Err()
	}
	f.settled, f.by = append(f.settled, r), by
	f.actor, f.request = audit.Origin(ctx)
	if a != testAccount {
		return checkout.Ignored, errors.New("another account")
	}
	return f.outcome, f.err
}

func (f *fakeShop) SettleRefund(_ context.Context, _ payment.Account, r payment.RefundReport) error {
	f.refunded = append(f.refunded, r)
	return f.err
}

func (f *fakeShop) AskRefund(_ context.Context, _ payment.Account, refundNo string) error {
	f.asked = append(f.asked, refundNo)
	return f.err
}

type openGate struct{ shut bool }

func (g openGate) Allow(web.LimitClass, string) (bool, time.Duration) { return !g.shut, time.Second }
func (openGate) Enter(perm.Priority) (func(), bool)                   { return func() {}, true }

// server is the whole stack; refusals are logged to log, the request log is
// dropped.
func server(t testing.TB, f *fakeShop, gate openGate, log io.Writer) http.Handler {
	t.Helper()
	mux, err := web.NewMux(web.DefaultConfig(), gate, gate, web.Audience{Name: "test", Headers: web.APIHeaders()})
	require.NoError(t, err)
	require.NoError(t, Add(mux, f, f, slog.New(slog.NewJSONHandler(log, nil))))
	texts, err := i18n.Load()
	require.NoError(t, err)
	stack, err := web.NewStack(web.DefaultConfig(), texts, slog.New(slog.DiscardHandler), clock.System{})
	require.NoError(t, err)
	return stack.Wrap(mux)
}

func ownPath() string { return "/notify/wechatpay/" + testAccount.ID.String() }

func send(h http.Handler, path, body string, header http.Header) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	r.Header = header.Clone()
	if r.Header == nil {
		r.Header = http.Header{}
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Request-Id", "request-0001")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

var paidReport = payment.Report{State: payment.StatePaid, PaymentNo: "P1", TransactionID: "T1", Amount: money.Of(1999, money.CNY)}

func says(n payment.Notification, err error) fakeProvider {
	return fakeProvider{read: func(http.Header, []byte) (payment.Notification, error) { return n, err }}
}

func paid() fakeProvider { return says(payment.Notification{ID: "EV-1", Payment: &paidReport}, nil) }

// wantRefusal holds the answer and the one line of the log.
func wantRefusal(t testing.TB, w *httptest.ResponseRecorder, log *bytes.Buffer, status int, code string) map[string]any {
	t.Helper()
	require.Equal(t, status, w.Code, w.Body.String())
	require.JSONEq(t, fmt.Sprintf(`{"code":"FAIL","message":%q}`, code), w.Body.String())
	require.Equal(t, "application/json", w.Header().Get("Content-Type"))
	lines := strings.Split(strings.TrimSpace(log.String()), "\n")
	require.Len(t, lines, 1, "one line each")
	var line map[string]any
	require.NoError(t, json.Unmarshal([]byte(lines[0]), &line))
	require.Equal(t, "WARN", line["level"])
	require.Equal(t, "callback refused", line["msg"])
	require.Equal(t, code, line["code"])
	require.Equal(t, "192.0.2.1", line["client"])
	require.Equal(t, "request-0001", line["request_id"])
	return line
}

func TestEveryOutcomeIsAnAnswer(t *testing.T) {
	t.Parallel()
	for _, outcome := range []checkout.Outcome{
		checkout.Settled, checkout.Repeated, checkout.Late, checkout.Refunding, checkout.HeldMoney, checkout.Ignored,
	} {
		var log bytes.Buffer
		f := &fakeShop{provider: paid(), outcome: outcome}
		w := send(server(t, f, openGate{}, &log), ownPath(), "{}", nil)
		require.Equal(t, http.StatusOK, w.Code, outcome)
		require.JSONEq(t, `{"code":"SUCCESS"}`, w.Body.String())
		require.Equal(t, outcome == checkout.Ignored, strings.Contains(log.String(), "payment_not_paid"), log.String())
		require.Equal(t, outcome != checkout.Ignored, log.Len() == 0, log.String())
		require.Equal(t, []payment.Report{paidReport}, f.settled)
		require.Equal(t, "callback", f.by)
		require.Equal(t, audit.Actor{Kind: "platform", ID: testAccount.ID.String()}, f.actor)
		require.Equal(t, "request-0001", f.request)
	}
}

func TestRefundsAndOtherEvents(t *testing.T) {
	t.Parallel()
	refund := payment.RefundReport{State: payment.RefundSucceeded, RefundNo: "R1"}
	f := &fakeShop{provider: says(payment.Notification{Refund: &refund}, nil)}
	require.Equal(t, http.StatusOK, send(server(t, f, openGate{}, io.Discard), ownPath(), "{}", nil).Code)
	require.Equal(t, []payment.RefundReport{refund}, f.refunded)
	require.Empty(t, f.settled)

	f = &fakeShop{provider: says(payment.Notification{Payment: &paidReport, RefundNo: "R2"}, nil)}
	require.Equal(t, http.StatusOK, send(server(t, f, openGate{}, io.Discard), ownPath(), "{}", nil).Code)
	require.Equal(t, []any{[]string{"R2"}, 1}, []any{f.asked, len(f.settled)})

	f = &fakeShop{provider: says(payment.Notification{ID: "EV-2"}, nil)}
	require.Equal(t, http.StatusOK, send(server(t, f, openGate{}, io.Discard), ownPath(), "{}", nil).Code)
	require.Empty(t, f.refunded)
	require.Empty(t, f.settled)
}

func TestProviderGetsTheBytesAsTheyCame(t *testing.T) {
	t.Parallel()
	const body = " {\"a\" : 1}\r\n\x00\xff"
	var got []byte
	f := &fakeShop{provider: fakeProvider{read: func(h http.Header, b []byte) (payment.Notification, error) {
		got = b
		require.Equal(t, "s1", h.Get("Wechatpay-Serial"))
		return payment.Notification{}, nil
	}}}
	h := http.Header{}
	h.Set("Wechatpay-Serial", "s1")
	require.Equal(t, http.StatusOK, send(server(t, f, openGate{}, io.Discard), ownPath(), body, h).Code)
	require.Equal(t, body, string(got))
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	secret := errors.New("apiv3 key 0xdeadbeef")
	for name, c := range map[string]struct {
		shop   *fakeShop
		path   string
		status int
		code   string
		cause  bool
	}{
		"signature wrong":   {&fakeShop{provider: says(payment.Notification{}, errs.Wrap(secret, errs.Unauthenticated, "signature_wrong", "x"))}, "", 401, "signature_wrong", false},
		"malformed":         {&fakeShop{provider: says(payment.Notification{}, errs.Wrap(secret, errs.Malformed, "notification_malformed", "x"))}, "", 400, "notification_malformed", false},
		"account unknown":   {&fakeShop{provider: paid()}, "/notify/wechatpay/" + id.New().String(), 404, "account_not_found", false},
		"account no id":     {&fakeShop{provider: paid()}, "/notify/wechatpay/1", 404, "account_not_found", false},
		"account zero":      {&fakeShop{provider: paid()}, "/notify/wechatpay/00000000-0000-0000-0000-000000000000", 404, "account_not_found", false},
		"account NUL":       {&fakeShop{provider: paid()}, "/notify/wechatpay/%00", 404, "account_not_found", false},
		"other provider":    {&fakeShop{provider: paid()}, "/notify/other/" + testAccount.ID.String(), 404, "account_not_found", false},
		"takes none":        {&fakeShop{}, "", 404, "account_not_found", false},
		"account broken":    {&fakeShop{findErr: errors.New("disk")}, "", 500, "internal", true},
		"account busy":      {&fakeShop{findErr: errs.New(errs.Unavailable, "database_busy", "x")}, "", 503, "database_busy", true},
		"settling failed":   {&fakeShop{provider: paid(), err: errors.New("disk")}, "", 500, "internal", true},
		"settling conflict": {&fakeShop{provider: paid(), err: errs.New(errs.Conflict, "order_state", "x")}, "", 500, "order_state", true},
		"settling corrupt":  {&fakeShop{provider: paid(), err: errs.New(errs.Integrity, "sold_cards_missing", "x")}, "", 500, "sold_cards_missing", true},
		"closing":           {&fakeShop{provider: paid(), err: errs.New(errs.Unavailable, "shutting_down", "x")}, "", 503, "shutting_down", true},
		"report incomplete": {&fakeShop{provider: paid(), err: errs.New(errs.Malformed, "report_incomplete", "x")}, "", 400, "report_incomplete", false},
		"refund unknown":    {&fakeShop{provider: says(payment.Notification{Refund: &payment.RefundReport{}}, nil), err: payment.ErrRefundUnknown}, "", 404, "refund_unknown", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			path := c.path
			if path == "" {
				path = ownPath()
			}
			w := send(server(t, c.shop, openGate{}, &log), path, `{"body":"of a stranger"}`, nil)
			line := wantRefusal(t, w, &log, c.status, c.code)
			require.Equal(t, c.cause, line["cause"] != nil)
			require.NotContains(t, log.String(), "0xdeadbeef")
			require.NotContains(t, log.String(), "stranger")
			if c.path == "" {
				require.Equal(t, testAccount.ID.String(), line["account"])
			}
		})
	}
}

func TestTooLargeAndTooMany(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	f := &fakeShop{provider: paid()}
	w := send(server(t, f, openGate{}, &log), ownPath(), strings.Repeat("x", maxBody+1), nil)
	wantRefusal(t, w, &log, http.StatusRequestEntityTooLarge, "body_too_large")
	log.Reset()
	w = send(server(t, f, openGate{shut: true}, &log), ownPath(), "{}", nil)
	wantRefusal(t, w, &log, http.StatusTooManyRequests, "rate_limited")
	require.Empty(t, f.settled)
}

func TestOtherMethodsAndAddresses(t *testing.T) {
	t.Parallel()
	h := server(t, &fakeShop{provider: paid()}, openGate{}, io.Discard)
	for _, c := range []struct {
		method, path string
		status       int
	}{
		{"GET", ownPath(), 405},
		{"PUT", ownPath(), 405},
		{"TRACE", ownPath(), 405},
		{"POST", "/notify", 404},
		{"POST", "/notify/wechatpay", 404},
		{"POST", ownPath() + "/x", 404},
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(c.method, c.path, nil))
		require.Equal(t, c.status, w.Code, c)
	}
}

// TestAnswersBeforeThePlatformGivesUp: a shop that hangs says so in time, and
// the platform comes again.
func TestAnswersBeforeThePlatformGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		h := server(t, &fakeShop{provider: paid(), wait: true}, openGate{}, &log)
		started := time.Now()
		w := send(h, ownPath(), "{}", nil)
		require.Less(t, time.Since(started), 5*time.Second)
		wantRefusal(t, w, &log, http.StatusServiceUnavailable, "timeout")
	})
}

func TestRowIsCriticalAndSigned(t *testing.T) {
	t.Parallel()
	mux, err := web.NewMux(web.DefaultConfig(), openGate{}, openGate{}, web.Audience{Name: "test"})
	require.NoError(t, err)
	f := &fakeShop{}
	require.NoError(t, Add(mux, f, f, slog.New(slog.DiscardHandler)))
	require.Len(t, mux.Rows(), 1)
	row := mux.Rows()[0].Route
	require.Equal(t, []any{perm.Signed, perm.Critical, web.LimitCallback}, []any{row.Permission, row.Priority, row.Limit})
}
