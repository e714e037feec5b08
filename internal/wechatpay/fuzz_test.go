package wechatpay

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/clock"
	"panshi/internal/errs"
	"panshi/internal/money"
	"panshi/internal/payment"
	"panshi/internal/payment/wire"
)

const fuzzKey = "fuzz-v3-key-of-exactly-32-bytes!"

func fuzzAccount(tb testing.TB) *Account {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(tb, err)
	block, err := aes.NewCipher([]byte(fuzzKey))
	require.NoError(tb, err)
	gcm, err := cipher.NewGCM(block)
	require.NoError(tb, err)
	return &Account{
		mchID: "1900000109", serial: "A1", private: key, resource: gcm, clock: clock.NewManual(time.Unix(1_800_000_000, 0)),
		platform: &keyring{configured: map[string]platformKey{"K": {rsa: &key.PublicKey}}},
	}
}

// FuzzParseNotification feeds what stands behind the signature (signing every
// input would leave a few inputs a second), as an envelope or sealed inside
// one, and sees that the same bytes unsigned or wrongly signed go nowhere.
func FuzzParseNotification(f *testing.F) {
	f.Add(`{"id":"EV-1","event_type":"TRANSACTION.SUCCESS","resource":{"algorithm":"AEAD_AES_256_GCM","nonce":"fdasflkja484","ciphertext":"AAAA"}}`, uint8(0))
	f.Add(`{"id":"a","event_type":"REFUND.","resource":null}`, uint8(0))
	f.Add(`{"mchid":"1900000109","appid":"wx1","out_trade_no":"P1","transaction_id":"42","trade_state":"SUCCESS","success_time":"2026-05-04T11:01:58+08:00","amount":{"total":1999,"currency":"CNY"}}`, uint8(1))
	f.Add(`{"mchid":"1900000109","appid":"wx1","out_trade_no":"P1","trade_state":"CLOSED","amount":{"total":9223372036854775807}}`, uint8(1))
	f.Add(`{"mchid":"1900000109","out_refund_no":"R1","refund_id":"50","refund_status":"SUCCESS","success_time":"2026-05-04T11:01:58+08:00","amount":{"refund":999}}`, uint8(2))
	a := fuzzAccount(f)
	f.Fuzz(func(t *testing.T, text string, kind uint8) {
		body := []byte(text)
		if kind %= 3; kind > 0 {
			body = sealedEnvelope(a, []string{"TRANSACTION", "REFUND"}[kind-1], text)
		}
		n, err := a.read(body)
		if err != nil {
			require.Equal(t, errs.Malformed, errs.KindOf(err))
			require.Contains(t, []string{"notification_malformed", "notification_undecryptable"}, errs.CodeOf(err))
			require.Zero(t, n)
			require.NotContains(t, err.Error(), fuzzKey)
			require.True(t, len(text) < 40 || !strings.Contains(err.Error(), text))
		} else {
			wantSound(t, n)
		}
		wantUnsignedRefused(t, a, body)
	})
}

func sealedEnvelope(a *Account, event, plain string) []byte {
	const nonce = "fdasflkja484"
	body, err := json.Marshal(map[string]any{"id": "EV-1", "event_type": event + ".SUCCESS", "resource": map[string]any{
		"algorithm": aeadAlgorithm, "nonce": nonce, "associated_data": "x",
		"ciphertext": base64.StdEncoding.EncodeToString(a.resource.Seal(nil, []byte(nonce), []byte(plain), []byte("x"))),
	}})
	if err != nil {
		panic(err)
	}
	return body
}

func wantSound(t *testing.T, n payment.Notification) {
	require.NotEmpty(t, n.ID)
	require.False(t, n.Payment != nil && n.Refund != nil)
	if p := n.Payment; p != nil {
		require.True(t, wire.Printable(p.PaymentNo, maxOutTradeNo) && p.MerchantRef != "" && p.AppID != "")
		require.True(t, p.Amount.Minor >= 0 && p.Amount.Minor <= maxFen && p.Amount.Currency != "")
		require.True(t, p.State != payment.StatePaid || (p.Amount.Minor > 0 && p.TransactionID != ""))
	}
	if r := n.Refund; r != nil {
		require.True(t, r.Amount.Minor > 0 && r.Amount.Minor <= maxFen)
		require.True(t, wire.Printable(r.RefundNo, maxOutRefundNo) && r.RefundID != "")
	}
}

func wantUnsignedRefused(t *testing.T, a *Account, body []byte) {
	h := http.Header{}
	_, err := a.ParseNotification(h, body)
	require.Equal(t, "signature_missing", errs.CodeOf(err))
	for k, v := range map[string]string{"Timestamp": "1800000000", "Nonce": "n", "Serial": "K", "Signature": "AAAA"} {
		h.Set("Wechatpay-"+k, v)
	}
	_, err = a.ParseNotification(h, body)
	require.Equal(t, "signature_wrong", errs.CodeOf(err))
}

// FuzzAmounts: an amount goes out exactly, or not at all; and comes in exactly, or not at all.
func FuzzAmounts(f *testing.F) {
	for _, n := range []int64{0, 1, -1, 1999, maxFen, maxFen + 1, -1 << 63, 1<<63 - 1} {
		f.Add(n, n)
	}
	f.Fuzz(func(t *testing.T, total, refunded int64) {
		good := func(n int64) bool { return n > 0 && n <= maxFen }
		body, err := refundOrder(payment.RefundRequest{
			RefundNo: "R1", PaymentNo: "P00001", Amount: money.Of(refunded, money.CNY), Total: money.Of(total, money.CNY),
		})
		require.Equal(t, good(total) && good(refunded) && refunded <= total, err == nil)
		if err == nil {
			var out refundOut
			require.NoError(t, json.Unmarshal(body, &out))
			require.Equal(t, amountOut{total, refunded, "CNY"}, out.Amount)
		}
		in := transaction{OutTradeNo: "P00001", TransactionID: "42", MchID: "1", AppID: "2", TradeState: "SUCCESS", SuccessTime: "2026-05-04T11:01:58+08:00"}
		in.Amount.Total = total
		report, err := in.report()
		require.Equal(t, good(total), err == nil)
		if err == nil {
			require.Equal(t, money.Of(total, money.CNY), report.Amount)
		}
	})
}
