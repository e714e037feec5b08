package paynotify

import (
	"bytes"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/checkout"
	"panshi/internal/clock"
	"panshi/internal/wechatpay"
)

// This file sends what a WeChat Pay platform would send, written from the
// protocol and not with the client's code.

const (
	mchID  = "1900000109"
	appID  = "wxd678efh567hg6787"
	apiKey = "an-api-v3-key-of-exactly-32-byte"
	serial = "PUB_KEY_ID_0119000001092024"
	openID = "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o" // stands for personal data in a callback
)

var now = time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)

type keyring struct{ merchant, platform, stranger *rsa.PrivateKey }

// keys: RSA keys are slow to make, so one set serves all tests.
var keys = sync.OnceValue(func() keyring {
	one := func() *rsa.PrivateKey {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		return key
	}
	return keyring{one(), one(), one()}
})

func wechat(t testing.TB) *wechatpay.Account {
	t.Helper()
	private, err := x509.MarshalPKCS8PrivateKey(keys().merchant)
	require.NoError(t, err)
	public, err := x509.MarshalPKIXPublicKey(&keys().platform.PublicKey)
	require.NoError(t, err)
	text := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	a, err := wechatpay.New(wechatpay.Config{
		BaseURL: "https://api.mch.weixin.qq.com", MchID: mchID, AppID: appID, MerchantSerial: "3775B6A45ACD588826D15E583A95F5DD00000000",
		MerchantKeyPEM: text("PRIVATE KEY", private), APIv3Key: apiKey,
		PlatformKeys: map[string]string{serial: text("PUBLIC KEY", public)},
	}, &http.Client{}, clock.NewManual(now))
	require.NoError(t, err)
	return a
}

func paidBody(t testing.TB, total int64) string {
	t.Helper()
	return paidBodyOf(t, "P20260504000001", "4200001234202605041234567890", mchID, total)
}

func paidBodyOf(t testing.TB, paymentNo, transactionID, merchant string, total int64) string {
	t.Helper()
	const nonce = "fdasflkja484"
	plain := fmt.Sprintf(`{"mchid":%q,"appid":%q,"out_trade_no":%q,"transaction_id":%q,`+
		`"trade_type":"NATIVE","trade_state":"SUCCESS","success_time":"2026-05-04T11:01:58+08:00","payer":{"openid":%q},`+
		`"amount":{"total":%d,"currency":"CNY"}}`, merchant, appID, paymentNo, transactionID, openID, total)
	block, err := aes.NewCipher([]byte(apiKey))
	require.NoError(t, err)
	gcm, err := cipher.NewGCM(block)
	require.NoError(t, err)
	sealed := base64.StdEncoding.EncodeToString(gcm.Seal(nil, []byte(nonce), []byte(plain), []byte("transaction")))
	return fmt.Sprintf(`{"id":"EV-1","create_time":"2026-05-04T11:02:00+08:00","resource_type":"encrypt-resource","event_type":"TRANSACTION.SUCCESS",`+
		`"resource":{"original_type":"transaction","algorithm":"AEAD_AES_256_GCM","ciphertext":%q,"associated_data":"transaction","nonce":%q}}`, sealed, nonce)
}

func signed(t testing.TB, key *rsa.PrivateKey, at time.Time, body string) http.Header {
	t.Helper()
	stamp, nonce := strconv.FormatInt(at.Unix(), 10), "c5ac7061fccab6bf3e254dcf98995b8c"
	sum := sha256.Sum256([]byte(stamp + "\n" + nonce + "\n" + body + "\n"))
	sig, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum[:])
	require.NoError(t, err)
	h := http.Header{}
	h.Set("Wechatpay-Timestamp", stamp)
	h.Set("Wechatpay-Nonce", nonce)
	h.Set("Wechatpay-Serial", serial)
	h.Set("Wechatpay-Signature", base64.StdEncoding.EncodeToString(sig))
	return h
}

func TestWeChatCallbackSettles(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	f := &fakeShop{provider: wechat(t), outcome: checkout.Settled}
	body := paidBody(t, 1999)
	w := send(server(t, f, openGate{}, &log), ownPath(), body, signed(t, keys().platform, now, body))
	require.Equal(t, http.StatusOK, w.Code, w.Body.String())
	require.Empty(t, log.String())
	require.Len(t, f.settled, 1)
	require.Equal(t, "P20260504000001", f.settled[0].PaymentNo)
	require.Equal(t, int64(1999), f.settled[0].Amount.Minor)
	require.Equal(t, []string{mchID, appID}, []string{f.settled[0].MerchantRef, f.settled[0].AppID})
}

// TestWeChatCallbackRefused: each has one line in the log, nothing secret in
// it, and reaches no money (controls C29).
func TestWeChatCallbackRefused(t *testing.T) {
	t.Parallel()
	body := paidBody(t, 1999)
	header := func(change func(http.Header)) http.Header {
		h := signed(t, keys().platform, now, body)
		change(h)
		return h
	}
	good := header(func(http.Header) {})
	for name, c := range map[string]struct {
		header http.Header
		body   string
		status int
		code   string
	}{
		"forged":        {signed(t, keys().stranger, now, body), body, 401, "signature_wrong"},
		"unsigned":      {nil, body, 401, "signature_missing"},
		"stale":         {signed(t, keys().platform, now.Add(-5*time.Minute), body), body, 401, "signature_stale"},
		"early":         {signed(t, keys().platform, now.Add(5*time.Minute), body), body, 401, "signature_stale"},
		"probe":         {header(func(h http.Header) { h.Set("Wechatpay-Signature", "WECHATPAY/SIGNTEST/"+h.Get("Wechatpay-Signature")) }), body, 401, "signature_probe"},
		"other serial":  {header(func(h http.Header) { h.Set("Wechatpay-Serial", "PUB_KEY_ID_1") }), body, 401, "signature_serial_unknown"},
		"re-serialised": {good, strings.Replace(body, `,"event_type"`, `, "event_type"`, 1), 401, "signature_wrong"},
		"line added":    {good, body + "\n", 401, "signature_wrong"},
		"emptied":       {good, "", 401, "signature_wrong"},
		"not JSON":      {signed(t, keys().platform, now, "paid!"), "paid!", 400, "notification_malformed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			f := &fakeShop{provider: wechat(t)}
			w := send(server(t, f, openGate{}, &log), ownPath(), c.body, c.header)
			wantRefusal(t, w, &log, c.status, c.code)
			require.Empty(t, f.settled)
			require.Empty(t, f.refunded)
			for _, secret := range []string{apiKey, openID, "ciphertext", good.Get("Wechatpay-Signature")[:40], "420000"} {
				require.NotContains(t, log.String()+w.Body.String(), secret)
			}
		})
	}
}
