package storefront_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"panshi/internal/account"
	"panshi/internal/checkout"
	"panshi/internal/id"
	"panshi/internal/money"
	"panshi/internal/payment"
)

// onlyCredit leaves store credit as the one way to pay.
func (w *world) onlyCredit() {
	w.channels = []payment.Account{{ID: id.New(), Provider: payment.Balance, Method: payment.MethodCredit, Name: "店铺余额", NameEN: "Store credit", On: true}}
}

func TestCreditIsOfferedLast(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	native := w.channels[0]
	w.onlyCredit()
	w.channels = append(w.channels, native)
	page := w.get("/orders/" + orderNo + "/pay").Body.String()
	require.NotContains(t, page, `name="code"`)
	require.Equal(t, native.ID, w.started[0].Channel)
	chosen := w.get("/orders/" + orderNo + "/pay?channel=" + w.channels[0].ID.String()).Body.String()
	require.Contains(t, chosen, `name="code"`)
	require.Contains(t, chosen, `/pay/credit`)
	require.Len(t, w.started, 1, "looking at the form starts nothing")
}

func TestPayByCreditOnThePage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.onlyCredit()
	here := "/orders/" + orderNo
	form := url.Values{"channel": {w.channels[0].ID.String()}, "number": {" c7k2m9qx4rt "}, "code": {token + " "}}
	w.start = func(checkout.PayRequest) (payment.Payment, error) { return payment.Payment{Status: payment.Paid}, nil }
	for range 2 {
		rec := w.post(here+"/pay/credit", form)
		require.Equal(t, http.StatusSeeOther, rec.Code)
		require.Equal(t, here, rec.Header().Get("Location"))
	}
	require.Equal(t, w.started[0], w.started[1], "a form that is sent twice is one payment")
	require.Equal(t, checkout.CreditProof{Number: "C7K2M9QX4RT", Code: token}, w.started[0].Credit)

	w.start = func(checkout.PayRequest) (payment.Payment, error) {
		return payment.Payment{}, account.Insufficient(money.Of(1200, money.CNY))
	}
	rec := w.do(visitor{lang: "en", cookie: true}, http.MethodPost, here+"/pay/credit", form)
	require.Equal(t, http.StatusConflict, rec.Code)
	require.Contains(t, rec.Body.String(), "12.00 CNY is missing")
	require.Contains(t, rec.Body.String(), `value="C7K2M9QX4RT"`)
	require.NotContains(t, rec.Body.String(), token)
	require.NotContains(t, w.logs.String(), "C7K2M9QX4RT")

	before := len(w.started)
	for _, bad := range []url.Values{
		{"channel": form["channel"]}, {"channel": form["channel"], "number": {"C1"}, "code": {"<script>"}},
	} {
		require.Equal(t, http.StatusNotFound, w.post(here+"/pay/credit", bad).Code)
	}
	form.Set("channel", id.New().String())
	require.Equal(t, http.StatusUnprocessableEntity, w.post(here+"/pay/credit", form).Code, "no channel of store credit")
	require.Equal(t, http.StatusNotFound, w.do(visitor{}, http.MethodPost, here+"/pay/credit", form).Code, "who does not hold the order")
	require.Len(t, w.started, before)
	w.deliver()
	require.Equal(t, http.StatusSeeOther, w.post(here+"/pay/credit", form).Code)
	require.Len(t, w.started, before, "what is paid is not paid again")
}

func TestCreditPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rec := w.do(visitor{lang: "en"}, http.MethodPost, "/credit", url.Values{"number": {"c7k2m9qx4rt"}, "code": {token}})
	require.Equal(t, http.StatusOK, rec.Code)
	require.Equal(t, "no-store", rec.Header().Get("Cache-Control"))
	for _, words := range []string{"12.34", "Granted by the shop", "Taken back", "frozen", orderNo} {
		require.Contains(t, rec.Body.String(), words)
	}
	require.NotContains(t, rec.Body.String(), token)
	wrong := w.do(visitor{lang: "en"}, http.MethodPost, "/credit", url.Values{"number": {"c7k2m9qx4rt"}, "code": {"x"}})
	unknown := w.do(visitor{lang: "en"}, http.MethodPost, "/credit", url.Values{"number": {"c7k2m9qx4rt"}, "code": {"<>"}})
	require.Equal(t, http.StatusNotFound, wrong.Code)
	require.Equal(t, wrong.Body.String(), unknown.Body.String())
}
