package consoleapi

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"
	"github.com/stretchr/testify/require"

	"panshi/internal/access"
	"panshi/internal/audit"
	"panshi/internal/catalog"
	"panshi/internal/checkout"
	"panshi/internal/clock"
	"panshi/internal/db"
	"panshi/internal/db/dbtest"
	"panshi/internal/i18n"
	"panshi/internal/id"
	"panshi/internal/imports"
	"panshi/internal/merchant"
	"panshi/internal/money"
	"panshi/internal/notify"
	"panshi/internal/order"
	"panshi/internal/payment"
	"panshi/internal/payment/routing"
	"panshi/internal/perm"
	"panshi/internal/reconcile"
	"panshi/internal/reports"
	"panshi/internal/vault"
	"panshi/internal/web"
)

const goodPassword = "violet ladder 71 monsoon"

// openGate admits everything.
type openGate struct{}

func (openGate) Allow(web.LimitClass, string) (bool, time.Duration) { return true, 0 }
func (openGate) Enter(perm.Priority) (func(), bool)                 { return func() {}, true }

// kit is a whole shop behind the console's listener: real database, real
// vault, a payment platform that says yes, and a clock that the test moves.
type kit struct {
	t         testing.TB
	db        db.DB
	clock     *clock.Manual
	mux       *web.Mux
	handler   http.Handler
	log       *logBuffer
	access    *access.Service
	checkout  *checkout.Service
	accounts  *payment.Accounts
	approvals *access.Approvals
	word      payment.Report // what fakepay says of a payment; nothing: it knows none
	deps      Deps
	one, two  id.ID
}

// logBuffer is written by handlers and read by tests.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer // guarded by mu
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func newKit(t testing.TB) *kit {
	t.Helper()
	k := &kit{t: t, clock: clock.NewManual(time.Now().Truncate(time.Second)), log: &logBuffer{}}
	k.db = dbtest.Open(t, dbtest.Options{Clock: k.clock})
	dir := t.TempDir()
	v, err := vault.Create(vault.Config{KeyFile: filepath.Join(dir, "key"), Dir: filepath.Join(dir, "keys")})
	require.NoError(t, err)
	logger := slog.New(slog.NewJSONHandler(k.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	texts, err := i18n.Load()
	require.NoError(t, err)
	k.accounts = payment.NewAccounts(k.db, v, map[string]payment.Factory{
		"fakepay":       func([]byte) (payment.Provider, error) { return fakePay{k}, nil },
		payment.Offline: payment.NewOffline,
		payment.Balance: payment.NewBalance,
	})
	k.access = access.NewService(k.db, v, k.clock)
	k.checkout = checkout.New(k.db, v, k.accounts, checkout.Defaults(), clock.System{}, logger)
	effects := k.checkout.Effects()
	maps.Copy(effects, k.accounts.Effects())
	maps.Copy(effects, k.access.Effects())
	reconciling := reconcile.New(k.db, v, k.accounts, reconcile.Door{UnderLimit: checkout.UnderLimitTx}, k.clock, logger)
	maps.Copy(effects, reconciling.Effects())
	k.approvals = access.NewApprovals(k.access, effects, access.LogAlert(logger))
	k.deps = Deps{
		Approvals: k.approvals, Changes: k.accounts, Settings: offlineSettings,
		Access: k.access, Catalog: catalog.NewService(k.db), Checkout: k.checkout,
		Imports: imports.New(k.db, v, logger), Accounts: routing.New(k.accounts, k.clock, logger),
		Reconcile: reconciling,
		Reports:   reports.New(k.db, k.clock, noon(k.clock.Now())),
		Trail:     audit.NewReader(k.db), Vault: v, Texts: texts,
		Alerts: staffAlerts{k, notify.New(k.db, notify.Defaults(), notify.Ways{}, texts, func(id.ID) string { return "" }, k.clock, logger)},
	}
	k.deps.Backups = staffBackups{k}
	k.serve(logger)
	k.one, k.two = k.merchant("one"), k.merchant("two")
	return k
}

// noon is a zone in which it is noon, so that no test runs into another day.
func noon(now time.Time) *time.Location {
	now = now.UTC()
	return time.FixedZone("noon", 60*(60*(12-now.Hour())-now.Minute()))
}

// staffAlerts shows the installation's alerts to merchant one.
type staffAlerts struct {
	k *kit
	*notify.Service
}

func (a staffAlerts) scope(merchantID id.ID) notify.Scope {
	return notify.Scope{MerchantID: merchantID, Platform: merchantID == a.k.one}
}

func (a staffAlerts) List(ctx context.Context, merchantID, before id.ID, limit int) ([]notify.Stored, error) {
	return a.Service.List(ctx, a.scope(merchantID), before, limit)
}

func (a staffAlerts) Acknowledge(ctx context.Context, merchantID, alertID id.ID, by string) error {
	return a.Service.Acknowledge(ctx, a.scope(merchantID), alertID, by)
}

func (k *kit) serve(logger *slog.Logger) {
	mux, err := web.NewMux(web.DefaultConfig(), openGate{}, openGate{}, web.Audience{Name: "console", Headers: web.APIHeaders()})
	require.NoError(k.t, err)
	_, err = New(mux, "test", k.deps)
	require.NoError(k.t, err)
	stack, err := web.NewStack(web.DefaultConfig(), k.deps.Texts, logger, k.clock)
	require.NoError(k.t, err)
	k.mux, k.handler = mux, stack.Wrap(mux)
}

func (k *kit) merchant(slug string) id.ID {
	m, err := merchant.NewService(k.db, k.clock).Put(k.ctx(), merchant.Merchant{Slug: slug, Name: slug, Currency: "CNY", Open: true})
	require.NoError(k.t, err)
	_, err = k.accounts.Put(k.ctx(), payment.Account{
		MerchantID: m.ID, Provider: "fakepay", Method: "native", ExternalRef: "mch-" + slug, Name: "pay", On: true,
	}, []byte("{}"))
	require.NoError(k.t, err)
	return m.ID
}

func (k *kit) ctx() context.Context { return k.t.Context() }

// fakePay is a platform that takes every payment and refund.
type fakePay struct{ k *kit }

func (fakePay) Create(_ context.Context, r payment.Request) (payment.Instruction, error) {
	return payment.Instruction{Kind: "qr", CodeURL: "weixin://" + r.PaymentNo}, nil
}

func (f fakePay) Query(_ context.Context, no string) (payment.Report, error) {
	if f.k.word.PaymentNo != no {
		return payment.Report{}, payment.ErrNotFound
	}
	return f.k.word, nil
}

// offlineSettings reads the settings of offline accounts alone.
func offlineSettings(provider, _ string, raw []byte) (payment.Account, []byte, error) {
	return payment.Account{Provider: provider, Method: payment.MethodTransfer, ExternalRef: "offline"}, raw, nil
}

func (fakePay) Close(context.Context, string) error { return nil }
func (fakePay) Refund(_ context.Context, r payment.RefundRequest) (payment.RefundReport, error) {
	return payment.RefundReport{State: payment.RefundProcessing, RefundNo: r.RefundNo}, nil
}

func (fakePay) QueryRefund(context.Context, string, string) (payment.RefundReport, error) {
	return payment.RefundReport{}, payment.ErrNotFound
}

// ask is one request.
type ask struct {
	method, path, body string
	kind               string // Content-Type; JSON if there is a body
	bearer, cookie     string
	header             map[string]string
	keyless            bool // without an Idempotency-Key of its own
}

func (k *kit) do(q ask) *httptest.ResponseRecorder {
	if q.method == "" {
		q.method = http.MethodGet
	}
	var body io.Reader
	if q.body != "" {
		body = strings.NewReader(q.body)
	}
	r := httptest.NewRequestWithContext(k.ctx(), q.method, q.path, body)
	switch {
	case q.kind != "":
		r.Header.Set("Content-Type", q.kind)
	case q.body != "":
		r.Header.Set("Content-Type", "application/json")
	}
	if q.bearer != "" {
		r.Header.Set("Authorization", "Bearer "+q.bearer)
	}
	if q.cookie != "" {
		r.AddCookie(&http.Cookie{Name: cookieName, Value: q.cookie})
	}
	if !q.keyless {
		r.Header.Set("Idempotency-Key", id.New().String())
	}
	for name, value := range q.header {
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	k.handler.ServeHTTP(w, r)
	return w
}

// object is a JSON object of an answer.
type object map[string]any

func (k *kit) want(status int, q ask) object {
	k.t.Helper()
	w := k.do(q)
	require.Equal(k.t, status, w.Code, "%s %s: %s", q.method, q.path, w.Body.String())
	var out object
	if w.Body.Len() > 0 {
		require.NoError(k.t, json.Unmarshal(w.Body.Bytes(), &out), w.Body.String())
	}
	return out
}

func jsonOf(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(raw)
}

// owner is somebody with a login, a password and an app.
type owner struct {
	k        *kit
	login    string
	secret   string
	link     string
	handle   string
	recovery []any
	token    string // a bearer session
}

// owner sets an owner up over HTTP and signs in.
func (k *kit) owner(merchantID id.ID, login string) *owner {
	k.t.Helper()
	link, err := k.access.CreateSetupLink(k.ctx(), merchantID)
	require.NoError(k.t, err)
	begun := k.want(200, ask{method: "POST", path: "/console/api/v1/setup", body: jsonOf(object{"token": link})})
	o := &owner{k: k, login: login, link: link, secret: begun["secret"].(string), handle: begun["handle"].(string)}
	done := k.want(200, ask{method: "POST", path: "/console/api/v1/setup/complete", body: jsonOf(object{
		"token": link, "handle": o.handle, "login": login, "password": goodPassword, "code": o.code(),
	})})
	o.recovery = done["recovery_codes"].([]any)
	o.signIn()
	return o
}

func (o *owner) code() string {
	code, err := totp.GenerateCode(o.secret, o.k.clock.Now())
	require.NoError(o.k.t, err)
	return code
}

func (o *owner) signIn() {
	o.k.t.Helper()
	o.k.clock.Advance(time.Hour) // the next code, and past every delay
	o.signInNow()
}

func (o *owner) signInNow() {
	o.k.t.Helper()
	in := o.k.want(200, ask{method: "POST", path: sessionPath, body: jsonOf(object{
		"login": o.login, "password": goodPassword, "code": o.code(), "mode": "bearer",
	})})
	o.token = in["token"].(string)
}

func (o *owner) want(status int, method, path string, body any) object {
	o.k.t.Helper()
	q := ask{method: method, path: path, bearer: o.token}
	if body != nil {
		q.body = jsonOf(body)
	}
	return o.k.want(status, q)
}

// setRole makes somebody else of a member of staff.
func (o *owner) setRole(role access.Role) {
	require.NoError(o.k.t, o.k.db.Update(o.k.ctx(), func(tx *db.Tx) error {
		_, err := tx.Exec(`UPDATE staff SET role = $1 WHERE login = $2`, string(role), o.login)
		return err
	}))
}

// product puts a product with one SKU "<slug>-1".
func (o *owner) product(slug, kind string) {
	o.k.t.Helper()
	o.want(200, "PUT", "/console/api/v1/products/"+slug, object{
		"kind": kind, "title": "商品 " + slug, "on": true, "skus": []object{{"code": slug + "-1", "price": 4900, "on": true}},
	})
}

// place places an order of one item and starts a payment of it, through the
// channel of a provider.
func (k *kit) place(merchantID id.ID, slug, provider string) (order.Order, payment.Payment, payment.Account) {
	k.t.Helper()
	p, err := k.deps.Catalog.BySlug(k.ctx(), merchantID, slug)
	require.NoError(k.t, err)
	contact, err := order.ParseContact("buyer.of.things@example.com", "")
	require.NoError(k.t, err)
	placed, err := k.checkout.Place(k.ctx(), checkout.PlaceRequest{
		MerchantID: merchantID, Key: id.New().String(), BodyDigest: []byte("x"), Contact: contact, Lang: "zh-CN",
		Lines: []checkout.PlaceLine{{SKUID: p.SKUs[0].ID, Quantity: 1}},
	})
	require.NoError(k.t, err)
	accounts, err := k.accounts.Channels(k.ctx(), merchantID)
	require.NoError(k.t, err)
	i := slices.IndexFunc(accounts, func(a payment.Account) bool { return a.Provider == provider })
	require.GreaterOrEqual(k.t, i, 0)
	pay, err := k.checkout.StartPayment(k.ctx(), checkout.PayRequest{
		MerchantID: merchantID, OrderNo: placed.Order.No, Key: "pay", BodyDigest: []byte("x"), Token: placed.AccessToken, Channel: accounts[i].ID,
	})
	require.NoError(k.t, err)
	return placed.Order, pay, accounts[i]
}

// paid is a platform's word that amount was paid.
func (k *kit) paid(pay payment.Payment, account payment.Account, amount int64) payment.Report {
	return payment.Report{
		State: payment.StatePaid, PaymentNo: pay.No, TransactionID: "T" + pay.No, Amount: money.Of(amount, money.CNY),
		MerchantRef: account.ExternalRef, PaidAt: k.clock.Now(),
	}
}

// buy places an order of one item and pays it with amount.
func (k *kit) buy(merchantID id.ID, slug string, amount int64) order.Order {
	k.t.Helper()
	o, pay, account := k.place(merchantID, slug, "fakepay")
	_, err := k.checkout.Settle(k.ctx(), account, k.paid(pay, account, amount), "callback")
	require.NoError(k.t, err)
	return o
}

// day writes a day that differs, with one case.
func (k *kit) day(merchantID id.ID) (dayID, caseID id.ID) {
	accounts, err := k.accounts.Channels(k.ctx(), merchantID)
	require.NoError(k.t, err)
	dayID, caseID = id.New(), id.New()
	require.NoError(k.t, k.db.Update(k.ctx(), func(tx *db.Tx) error {
		if _, err := tx.Exec(`INSERT INTO reconcile_days (id, merchant_id, account_id, day, currency, state, created_at)
			VALUES ($1, $2, $3, '2026-05-03', 'CNY', 'differs', 1)`, dayID, merchantID, accounts[0].ID); err != nil {
			return err
		}
		_, err := tx.Exec(`INSERT INTO reconcile_cases (id, merchant_id, day_id, kind, line_kind, transaction_id, number, bill_amount,
			our_amount, currency, remedy, seen_run, created_at)
			VALUES ($1, $2, $3, 'ours_only', 'payment', 'T', 'P', 0, 1, 'CNY', 'check_platform', 1, 1)`, caseID, merchantID, dayID)
		return err
	}))
	return dayID, caseID
}
