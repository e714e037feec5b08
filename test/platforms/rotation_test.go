package platforms_test

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/clock"
	"panshi/internal/errs"
	"panshi/internal/payment"
	"panshi/internal/wechatpay"
)

// edged reads callbacks as the shop's edge does: once more if the keys were
// renewed.
type edged struct {
	*wechatpay.Account
	t *testing.T
}

// ParseNotification reads a callback.
func (e edged) ParseNotification(h http.Header, body []byte) (payment.Notification, error) {
	n, err := e.Account.ParseNotification(h, body)
	if err != nil && e.RenewFor(e.t.Context(), h, err) {
		return e.Account.ParseNotification(h, body)
	}
	return n, err
}

// TestKeysTurnWhileMoneyComes: a merchant verifies by the public key, callbacks
// come under the certificate too, the certificate is replaced, and the old one
// withdrawn. Nobody touches the settings, and every payment is told and asked.
func TestKeysTurnWhileMoneyComes(t *testing.T) {
	r := newRig(t)
	clk := clock.NewManual(time.Now())
	var keys struct {
		Certs []struct {
			Serial string `json:"serial"`
			PEM    string `json:"certificate"`
		} `json:"certificates"`
	}
	require.NoError(t, json.Unmarshal(r.post("/simulate/keys", `{}`), &keys))
	cfg := func(platform map[string]string) wechatpay.Config {
		return wechatpay.Config{
			BaseURL: r.url, MchID: r.id.MchID, AppID: r.id.AppID, MerchantSerial: r.id.Serial, MerchantKeyPEM: r.id.Key,
			APIv3Key: r.id.APIKey, PlatformKeys: platform,
		}
	}
	moved, err := wechatpay.New(cfg(map[string]string{r.id.KeyID: r.id.Public}), &http.Client{Timeout: 10 * time.Second}, clk)
	require.NoError(t, err)
	old, err := wechatpay.New(cfg(map[string]string{keys.Certs[0].Serial: keys.Certs[0].PEM}), &http.Client{Timeout: 10 * time.Second}, clk)
	require.NoError(t, err)
	seq := 0
	pays := func(a *wechatpay.Account, times int) {
		t.Helper()
		for range times {
			seq++
			no := "T" + r.id.MchID + time.Duration(seq).String()
			_, err := a.Create(t.Context(), r.request(wechatpay.Native, no))
			require.NoError(t, err)
			r.post("/simulate/pay", `{"out_trade_no":"`+no+`"}`)
			require.Equal(t, payment.StatePaid, r.heard(edged{a, t}, no).Payment.State)
			asked, err := a.Query(t.Context(), no)
			require.NoError(t, err)
			require.Equal(t, payment.StatePaid, asked.State)
		}
	}
	turn := func(document string) {
		t.Helper()
		r.post("/simulate/keys", document)
		clk.Advance(61 * time.Second) // new keys are asked for once a minute
	}
	turn(`{"mode":"mixed"}`)
	pays(moved, 12) // each callback under either key, by chance
	turn(`{"mode":"certificate","certificate":"announce"}`)
	pays(old, 2)
	turn(`{"certificate":"switch"}`)
	pays(old, 2)
	turn(`{"certificate":"retire"}`)
	pays(old, 1)

	turn(`{"mode":"public_key"}`)
	_, err = old.Query(t.Context(), "T"+r.id.MchID+"1ns")
	require.Equal(t, payment.ErrProviderBusy.Code, errs.CodeOf(err), "a public key cannot be asked for: a person must put it in")
}
