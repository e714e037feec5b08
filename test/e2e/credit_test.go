package e2e

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/test/kit"
)

// creditShop is a shop with store credit, two owners, and one account.
type creditShop struct {
	*kit.Shop
	t      *testing.T
	chen   *kit.Staff
	credit kit.Credit
}

const granted = 250_000 // more than one person may grant

// newCreditShop has two people grant credit to a buyer.
func newCreditShop(t *testing.T, platform *kit.Platform) *creditShop {
	t.Helper()
	s := &creditShop{Shop: kit.NewShop(t, platform), t: t}
	s.CreditOn()
	s.chen = s.Owner("chen")
	wu := s.Owner("wu-two")
	grant := map[string]any{"email": "li@shop.example", "amount": granted, "reason": "alone"}
	require.Equal(t, "approval_required", kit.CodeOf(s.chen.Try(t.Context(), "POST", "credits/grants", grant, nil)))
	var asked kit.Approval
	require.NoError(t, s.chen.Try(t.Context(), "POST", "credits/grants/request", grant, &asked))
	require.Equal(t, "approval_self", kit.CodeOf(s.chen.Approve(t.Context(), asked)))
	s.credit = s.chen.GrantByTwo(wu, "zhang@shop.example", granted)
	return s
}

// balance is what the buyer is shown.
func (s *creditShop) balance() int64 {
	s.t.Helper()
	c, err := s.Client().Credit(s.t.Context(), s.credit.Number, s.credit.Code)
	require.NoError(s.t, err)
	return c
}

// TestStoreCredit: two people grant credit; its buyer pays by it on the page and
// through the API and has the goods at once; the orders go back and the balance
// is as before; a platform's money becomes credit too; books and check agree,
// and no code is found on the disk.
func TestStoreCredit(t *testing.T) {
	t.Parallel()
	platform := kit.NewPlatform(t)
	s := newCreditShop(t, platform)
	client := s.Client()
	sku := client.DemoCard(t)
	require.EqualValues(t, granted, s.balance())
	_, err := client.Credit(t.Context(), s.credit.Number, s.credit.Code+"x")
	require.Equal(t, "credit_unknown", kit.CodeOf(err))

	api, err := client.Place(t.Context(), buyer(1), one(sku))
	require.NoError(t, err)
	key := kit.NewKey()
	for range 2 {
		p, err := client.PayByCredit(t.Context(), key, api, s.credit.Number, s.credit.Code)
		require.NoError(t, err)
		require.Equal(t, "paid", p.Status)
	}
	keys, err := client.Reveal(t.Context(), api)
	require.NoError(t, err)
	require.Len(t, keys, 1)
	require.Equal(t, granted-api.Total, s.balance())

	page, err := client.Place(t.Context(), buyer(2), one(sku))
	require.NoError(t, err)
	s.payOnPage(page)
	require.Equal(t, granted-api.Total-page.Total, s.balance())

	for _, o := range []kit.Placed{api, page} {
		s.chen.GiveBack(o)
		seen, err := client.Order(t.Context(), o)
		require.NoError(t, err)
		require.Equal(t, "refunded", seen.Status, "at once")
	}
	require.EqualValues(t, granted, s.balance())

	entry := paid(t, client, platform, &kit.Book{}, buyer(3), one(sku))
	_, err = client.AwaitStatus(t.Context(), entry.Placed, "delivered")
	require.NoError(t, err)
	s.chen.BecomeCredit(entry.Placed, s.credit, map[string]any{"amount": 1})
	seen, err := client.Order(t.Context(), entry.Placed)
	require.NoError(t, err)
	require.Equal(t, "delivered", seen.Status, "a part leaves the order as it is")
	require.EqualValues(t, granted+1, s.balance())
	s.chen.BecomeCredit(entry.Placed, s.credit, nil)
	seen, err = client.Order(t.Context(), entry.Placed)
	require.NoError(t, err)
	require.Equal(t, "refunded", seen.Status, "nothing is under way")
	require.Equal(t, granted+entry.Placed.Total, s.balance())

	s.RequireClean()
	scanner := kit.NewScanner(s.credit.Code)
	for _, dir := range s.Disks() {
		hits, _ := scanner.Dir(t, dir)
		require.Empty(t, hits)
	}
}

// payOnPage pays an order as a browser without scripts does.
func (s *creditShop) payOnPage(o kit.Placed) {
	s.t.Helper()
	post := func(path string, form url.Values) (int, string, string) {
		r, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.URL()+path, strings.NewReader(form.Encode()))
		require.NoError(s.t, err)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Accept-Language", "en")
		r.AddCookie(&http.Cookie{Name: "order_" + o.No, Value: o.Token})
		browser := &http.Client{
			Timeout: 20 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
		resp, err := browser.Do(r)
		require.NoError(s.t, err)
		defer resp.Body.Close()
		body := new(strings.Builder)
		_, err = io.Copy(body, resp.Body)
		require.NoError(s.t, err)
		return resp.StatusCode, resp.Header.Get("Location"), body.String()
	}
	channel, err := s.Client().ChannelOf(s.t.Context(), "balance_credit")
	require.NoError(s.t, err)
	here, form := "/orders/"+o.No, url.Values{"channel": {channel}, "number": {strings.ToLower(s.credit.Number)}, "code": {"wrong"}}
	status, _, body := post(here+"/pay/credit", form)
	require.Equal(s.t, http.StatusNotFound, status)
	require.Contains(s.t, body, "number or code is wrong")
	form.Set("code", s.credit.Code)
	status, to, _ := post(here+"/pay/credit", form)
	require.Equal(s.t, []any{http.StatusSeeOther, here}, []any{status, to})
	status, _, body = post(here+"/reveal", url.Values{})
	require.Equal(s.t, http.StatusOK, status)
	require.Contains(s.t, body, "data-good")
	status, _, body = post("/credit", url.Values{"number": {s.credit.Number}, "code": {s.credit.Code}})
	require.Equal(s.t, http.StatusOK, status)
	require.Contains(s.t, body, o.No)
}
