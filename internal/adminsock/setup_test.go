package adminsock

import (
	"context"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/errs"
	"panshi/internal/merchant"
	"panshi/internal/money"
	"panshi/internal/payment"
)

// fakeSetup remembers what it was asked for.
type fakeSetup struct {
	change  MerchantChange
	request AccountRequest
	config  []byte
	err     error
}

func (f *fakeSetup) PutMerchant(_ context.Context, c MerchantChange) (Merchant, error) {
	f.change = c
	return Merchant{ID: "1", Slug: c.Slug, Open: true}, f.err
}

func (f *fakeSetup) Merchants(context.Context) ([]Merchant, error) {
	return []Merchant{{Slug: "a", Default: true}, {Slug: "b"}}, f.err
}

func (f *fakeSetup) PutAccount(_ context.Context, r AccountRequest, config []byte) (Account, error) {
	f.request, f.config = r, config
	return Account{ID: "2", MchID: "3"}, f.err
}

func (f *fakeSetup) SetAccountRules(_ context.Context, r RulesRequest) (Account, error) {
	return Account{ID: r.Account, On: *r.Change.On}, f.err
}

func (f *fakeSetup) Accounts(context.Context) ([]Account, error) { return []Account{{ID: "2"}}, f.err }

func setupShop(t *testing.T, f *fakeSetup) (*Client, *logBook) {
	t.Helper()
	dir, book := t.TempDir(), &logBook{}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- Serve(ctx, dir, Shop{Operations: statusOK(), Setup: f}, slog.New(slog.NewJSONHandler(book, nil)))
	}()
	t.Cleanup(func() { cancel(); require.NoError(t, <-ended) })
	require.Eventually(t, func() bool {
		_, err := os.Stat(filepath.Join(dir, socketName))
		return err == nil
	}, 30*time.Second, time.Millisecond)
	return (&running{dir: dir}).dial(t), book
}

func TestSetup(t *testing.T) {
	f := &fakeSetup{}
	c, book := setupShop(t, f)
	name, empty, closed := "小店 & <b>", "", false
	notice := strings.Repeat("休", 333)
	want := MerchantChange{Slug: "shop", Name: &name, Host: &empty, Notice: &notice, NoticeEN: &notice, Closed: &closed}
	m, err := c.PutMerchant(t.Context(), want)
	require.NoError(t, err)
	require.Equal(t, Merchant{ID: "1", Slug: "shop", Open: true}, m)
	require.Equal(t, want, f.change, "what is not given stays apart from what is empty")
	all, err := c.Merchants(t.Context())
	require.NoError(t, err)
	require.Len(t, all, 2)

	request := AccountRequest{Merchant: "shop", Provider: "wechatpay", Name: "微信", Off: true}
	secret := strings.Repeat("SECRET\n", MaxConfig/7)
	a, err := c.PutAccount(t.Context(), request, []byte(secret))
	require.NoError(t, err)
	require.Equal(t, Account{ID: "2", MchID: "3"}, a)
	require.Equal(t, request, f.request)
	require.Equal(t, secret, string(f.config))
	on := true
	a, err = c.SetAccountRules(t.Context(), RulesRequest{Account: "2", Change: payment.RuleChange{On: &on}})
	require.NoError(t, err)
	require.Equal(t, Account{ID: "2", On: true}, a)

	accounts, err := c.Accounts(t.Context())
	require.NoError(t, err)
	require.Equal(t, []Account{{ID: "2"}}, accounts)

	f.err = errs.Field("mch_id", "some_code", "the reason")
	_, err = c.PutAccount(t.Context(), request, []byte(secret))
	require.ErrorIs(t, err, f.err)
	require.NotContains(t, book.text(), "SECRET")
}

func TestSetupRefuses(t *testing.T) {
	f := &fakeSetup{}
	c, _ := setupShop(t, f)
	_, err := c.PutAccount(t.Context(), AccountRequest{}, make([]byte, MaxConfig+1))
	require.Equal(t, "too_long", errs.CodeOf(err))
	require.Nil(t, f.config)
	for _, path := range []string{"/v1/merchant", "/v1/account"} {
		err := c.do(t.Context(), ask{method: http.MethodPost, path: path, request: map[string]int{"nonsense": 1}}, nil)
		require.Equal(t, "request_malformed", errs.CodeOf(err))
	}
}

func TestMerchantChange(t *testing.T) {
	old := merchant.Merchant{Slug: "shop", Name: "a", Host: "h.example", Currency: money.CNY, Open: true}
	require.Equal(t, old, MerchantChange{Slug: "shop"}.Apply(old), "nothing given changes nothing")
	empty, bad, closed := "", "a:1", true
	got := MerchantChange{Slug: "shop", Host: &empty, Closed: &closed}.Apply(old)
	require.Empty(t, got.Host)
	require.False(t, got.Open)
	err := MerchantChange{Slug: "S", Name: &empty, Host: &bad, Currency: &bad}.Validate()
	for _, field := range []string{"(slug)", "(name)", "(host)", "(currency)"} {
		require.ErrorContains(t, err, field)
	}
	require.NoError(t, MerchantChange{Slug: "shop"}.Validate())
}
