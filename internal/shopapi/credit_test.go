package shopapi

import (
	"bytes"
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"panshi/internal/account"
	"panshi/internal/checkout"
	"panshi/internal/money"
	"panshi/internal/payment"
	"panshi/internal/web"
)

const (
	creditPath = "/api/v1/credit"
	proofJSON  = `"number":"CABCDEFGH12","code":"` + goodToken + `"`
)

func TestCreditIsShownToItsHolder(t *testing.T) {
	t.Parallel()
	h := server(t, &fakes{}, io.Discard)
	w := post(creditPath, `{`+proofJSON+`,"limit":1}`).do(h)
	require.Equal(t, http.StatusOK, w.Code, w.Body.String())
	require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
	require.NotContains(t, w.Body.String(), "sealed-contact")
	got := decode[creditView](t, w)
	require.EqualValues(t, 100, got.Balance)
	require.Equal(t, "spent", got.Movements[0].Kind)
	got = decode[creditView](t, post(creditPath, `{`+proofJSON+`,"limit":1,"cursor":"`+got.NextCursor+`"}`).do(h))
	require.Equal(t, "granted", got.Movements[0].Kind)
	require.Empty(t, got.NextCursor)
}

func TestBadCredit(t *testing.T) {
	t.Parallel()
	check(t, server(t, &fakes{}, io.Discard), map[string]bad{
		"wrong code":     {post(creditPath, `{"number":"CABCDEFGH12","code":"x"}`), 404, "credit_unknown", ""},
		"unknown number": {post(creditPath, `{"number":"CXXXXXXXXXX","code":"`+goodToken+`"}`), 404, "credit_unknown", ""},
		"other shop":     {ask{http.MethodPost, "http://other.example" + creditPath, `{` + proofJSON + `}`, nil}, 404, "credit_unknown", ""},
		"no code":        {post(creditPath, `{"number":"C1"}`), 422, "required", "code"},
		"cursor":         {post(creditPath, `{`+proofJSON+`,"cursor":"x"}`), 422, "invalid_cursor", "cursor"},
		"limit":          {post(creditPath, `{`+proofJSON+`,"limit":101}`), 422, "out_of_range", "limit"},
		"in the address": {get(creditPath + "?number=C1&code=x"), 405, "method_not_allowed", ""},
		"half a proof":   {post(onePath+"/payments", `{"channel":"balance_credit","credit":{"number":"C1"}}`), 422, "required", "credit.code"},
	})
}

func TestPayByCredit(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	var asked checkout.PayRequest
	f := &fakes{}
	f.pay = func(r checkout.PayRequest) (payment.Payment, error) {
		asked = r
		p := aPayment()
		p.Status = payment.Paid
		return p, nil
	}
	body := `{"channel":"` + accountID.String() + `","credit":{` + proofJSON + `}}`
	w := post(onePath+"/payments", body).do(server(t, f, &log))
	require.Equal(t, http.StatusCreated, w.Code, w.Body.String())
	require.Equal(t, "paid", decode[orderPayment](t, w).Status)
	require.Equal(t, checkout.CreditProof{Number: "CABCDEFGH12", Code: goodToken}, asked.Credit)

	f.pay = func(checkout.PayRequest) (payment.Payment, error) {
		return payment.Payment{}, account.Insufficient(money.Of(1200, money.CNY))
	}
	w = post(onePath+"/payments", body, "Accept-Language", "en").do(server(t, f, &log))
	p := decode[web.Problem](t, w)
	require.Equal(t, []any{409, "credit_insufficient", int64(1200)}, []any{w.Code, p.Code, p.Missing})
	require.Contains(t, p.Detail, "12.00 CNY")
	require.NotContains(t, log.String(), "CABCDEFGH12")
	require.NotContains(t, log.String(), goodToken)
}
