package wechatpay_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/errs"
	"panshi/internal/money"
	"panshi/internal/payment"
)

const paidPlain = `{"mchid":"1900000109","appid":"wxd678efh567hg6787","out_trade_no":"P20260504000001","transaction_id":"4200001234202605041234567890",` +
	`"trade_type":"NATIVE","trade_state":"SUCCESS","trade_state_desc":"ok","bank_type":"CMC","attach":"","success_time":"2026-05-04T11:01:58+08:00",` +
	`"payer":{"openid":"oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"},"amount":{"total":1999,"payer_total":1900,"currency":"CNY","payer_currency":"CNY"}}`

const refundPlain = `{"mchid":"1900000109","out_trade_no":"P20260504000001","transaction_id":"4200001234202605041234567890","out_refund_no":"R20260504000001",` +
	`"refund_id":"50300001234202605041234567890","refund_status":"SUCCESS","success_time":"2026-05-04T11:01:58+08:00","user_received_account":"x",` +
	`"amount":{"total":1999,"refund":999,"payer_total":1999,"payer_refund":999}}`

func TestNotificationPayment(t *testing.T) {
	a := account(t, config(), &http.Client{}, now)
	body := callback("TRANSACTION.SUCCESS", "transaction", paidPlain)
	for _, signer := range []struct {
		name, serial string
	}{{"public key", pubSerial}, {"certificate", certSerial}} {
		t.Run(signer.name, func(t *testing.T) {
			key := keys().public
			if signer.serial == certSerial {
				key = keys().cert
			}
			n, err := a.ParseNotification(signedHeader(key, signer.serial, now, body), []byte(body))
			require.NoError(t, err)
			require.Nil(t, n.Refund)
			require.Equal(t, "EV-2018022511223320873", n.ID)
			require.Equal(t, payment.Report{
				State: payment.StatePaid, PaymentNo: "P20260504000001", TransactionID: "4200001234202605041234567890",
				Amount: money.Of(1999, money.CNY), MerchantRef: mchID, AppID: appID,
				PaidAt: time.Date(2026, 5, 4, 3, 1, 58, 0, time.UTC),
			}, *n.Payment)
		})
	}
}

func TestNotificationRefund(t *testing.T) {
	a := account(t, config(), &http.Client{}, now)
	for status, want := range map[string]payment.RefundState{
		"SUCCESS": payment.RefundSucceeded, "CLOSED": payment.RefundFailed,
		"ABNORMAL": payment.RefundFailed, "PROCESSING": payment.RefundProcessing,
	} {
		plain := strings.Replace(refundPlain, `"refund_status":"SUCCESS"`, `"refund_status":"`+status+`"`, 1)
		body := callback("REFUND."+status, "refund", plain)
		n, err := a.ParseNotification(signedHeader(keys().public, pubSerial, now, body), []byte(body))
		require.NoError(t, err, status)
		require.Nil(t, n.Payment)
		require.Equal(t, payment.RefundReport{
			State: want, RefundNo: "R20260504000001", RefundID: "50300001234202605041234567890",
			Amount: money.Of(999, money.CNY), DoneAt: time.Date(2026, 5, 4, 3, 1, 58, 0, time.UTC),
		}, *n.Refund)
	}
}

// The documentation's own example has no associated data and no type.
func TestNotificationWithoutAssociatedData(t *testing.T) {
	body := callback("TRANSACTION.SUCCESS", "", paidPlain)
	n, err := account(t, config(), &http.Client{}, now).ParseNotification(signedHeader(keys().public, pubSerial, now, body), []byte(body))
	require.NoError(t, err)
	require.Equal(t, payment.StatePaid, n.Payment.State)
}

func TestNotificationOfAnotherKind(t *testing.T) {
	a := account(t, config(), &http.Client{}, now)
	body := `{"id":"EV-1","event_type":"COUPON.USE","resource":{}}`
	n, err := a.ParseNotification(signedHeader(keys().public, pubSerial, now, body), []byte(body))
	require.NoError(t, err)
	require.Equal(t, "EV-1", n.ID)
	require.Nil(t, n.Payment)
	require.Nil(t, n.Refund)
}

func TestNotificationSignatureRefused(t *testing.T) {
	body := callback("TRANSACTION.SUCCESS", "transaction", paidPlain)
	fresh := func() http.Header { return signedHeader(keys().public, pubSerial, now, body) }
	without := func(name string) http.Header { h := fresh(); h.Del(name); return h }
	with := func(name, value string) http.Header { h := fresh(); h.Set(name, value); return h }
	at := func(d time.Duration) http.Header { return signedHeader(keys().public, pubSerial, now.Add(d), body) }
	const stamp, nonce, sig, serial = "Wechatpay-Timestamp", "Wechatpay-Nonce", "Wechatpay-Signature", "Wechatpay-Serial"
	for name, c := range map[string]struct {
		header http.Header
		code   string
	}{
		"no headers":              {http.Header{}, "signature_missing"},
		"no timestamp":            {without(stamp), "signature_missing"},
		"no nonce":                {without(nonce), "signature_missing"},
		"no signature":            {without(sig), "signature_missing"},
		"no serial":               {without(serial), "signature_missing"},
		"probe":                   {with(sig, "WECHATPAY/SIGNTEST/"+fresh().Get(sig)), "signature_probe"},
		"timestamp not a number":  {with(stamp, "soon"), "signature_stale"},
		"timestamp signed":        {with(stamp, "+"+fresh().Get(stamp)), "signature_stale"},
		"timestamp huge":          {with(stamp, "9223372036854775807"), "signature_stale"},
		"timestamp beyond int64":  {with(stamp, strings.Repeat("9", 40)), "signature_stale"},
		"5 min old":               {at(-5 * time.Minute), "signature_stale"},
		"5 min ahead":             {at(5 * time.Minute), "signature_stale"},
		"timestamp a second off":  {with(stamp, strconv.FormatInt(now.Unix()+1, 10)), "signature_wrong"},
		"unknown serial":          {with(serial, "PUB_KEY_ID_9"), "signature_serial_unknown"},
		"the other key's serial":  {with(serial, certSerial), "signature_wrong"},
		"the merchant's serial":   {with(serial, mchSerial), "signature_serial_unknown"},
		"other nonce":             {with(nonce, "x"), "signature_wrong"},
		"signature of a stranger": {signedHeader(keys().stranger, pubSerial, now, body), "signature_wrong"},
		"signature not base64":    {with(sig, "%%%"), "signature_wrong"},
		"signature truncated":     {with(sig, fresh().Get(sig)[:340]), "signature_wrong"},
		"signature of other body": {signedHeader(keys().public, pubSerial, now, body+" "), "signature_wrong"},
		"other signature type":    {with("Wechatpay-Signature-Type", "WECHATPAY2-SM2-WITH-SM3"), "signature_wrong"},
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, c.header, body, c.code, errs.Unauthenticated)
		})
	}
	for _, d := range []time.Duration{5*time.Minute - time.Second, -5*time.Minute + time.Second} {
		_, err := account(t, config(), &http.Client{}, now).ParseNotification(at(d), []byte(body))
		require.NoError(t, err, "%s is inside", d)
	}
}

func refused(t *testing.T, h http.Header, body, code string, kind errs.Kind) {
	t.Helper()
	n, err := account(t, config(), &http.Client{}, now).ParseNotification(h, []byte(body))
	require.Error(t, err)
	require.Equal(t, code, errs.CodeOf(err))
	require.Equal(t, kind, errs.KindOf(err))
	require.Zero(t, n)
	wantNoSecret(t, err, body, "P20260504000001", "4200001234202605041234567890", h.Get("Wechatpay-Signature"))
}

// Every bit of the signature and every byte of the body counts.
func TestNotificationBitFlips(t *testing.T) {
	a := account(t, config(), &http.Client{}, now)
	body := []byte(callback("TRANSACTION.SUCCESS", "transaction", paidPlain))
	h := signedHeader(keys().public, pubSerial, now, string(body))
	for i := range body {
		body[i] ^= 1
		_, err := a.ParseNotification(h, body)
		require.Equal(t, "signature_wrong", errs.CodeOf(err), "byte %d", i)
		body[i] ^= 1
	}
	sig := h.Get("Wechatpay-Signature")
	for i := range sig {
		for _, c := range "AQgw5+=" {
			if rune(sig[i]) != c {
				h.Set("Wechatpay-Signature", sig[:i]+string(c)+sig[i+1:])
				_, err := a.ParseNotification(h, body)
				require.Equal(t, "signature_wrong", errs.CodeOf(err), "character %d as %q", i, c)
			}
		}
	}
}

// Base64 leaves bits of the last character unused; they must not make a second spelling.
func TestSignatureHasOneSpelling(t *testing.T) {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	body := callback("TRANSACTION.SUCCESS", "transaction", paidPlain)
	h := signedHeader(keys().public, pubSerial, now, body)
	sig := h.Get("Wechatpay-Signature")
	last := len(sig) - len("==") - 1
	next := alphabet[strings.IndexByte(alphabet, sig[last])+1]
	h.Set("Wechatpay-Signature", sig[:last]+string(next)+"==")
	refused(t, h, body, "signature_wrong", errs.Unauthenticated)
}

// The same JSON in another spelling is another message.
func TestNotificationReserialised(t *testing.T) {
	body := callback("TRANSACTION.SUCCESS", "transaction", paidPlain)
	h := signedHeader(keys().public, pubSerial, now, body)
	var v map[string]any
	require.NoError(t, json.Unmarshal([]byte(body), &v))
	again, err := json.Marshal(v)
	require.NoError(t, err)
	require.JSONEq(t, body, string(again))
	refused(t, h, string(again), "signature_wrong", errs.Unauthenticated)
	refused(t, h, body+"\n", "signature_wrong", errs.Unauthenticated)
	refused(t, h, "", "signature_wrong", errs.Unauthenticated)
}

// A line break in the nonce must not let bytes of the body change sides.
func TestNotificationNonceBorder(t *testing.T) {
	whole := "first\n" + callback("TRANSACTION.SUCCESS", "transaction", paidPlain)
	h := signedHeader(keys().public, pubSerial, now, whole)
	h.Set("Wechatpay-Nonce", h.Get("Wechatpay-Nonce")+"\nfirst")
	refused(t, h, strings.TrimPrefix(whole, "first\n"), "signature_wrong", errs.Unauthenticated)
}

func TestNotificationExpiredCertificate(t *testing.T) {
	cfg := config()
	cfg.PlatformKeys[certSerial] = certificate(keys().cert, now.AddDate(-5, 0, 0), now.Add(-time.Second))
	body := callback("TRANSACTION.SUCCESS", "transaction", paidPlain)
	_, err := account(t, cfg, &http.Client{}, now).ParseNotification(signedHeader(keys().cert, certSerial, now, body), []byte(body))
	require.Equal(t, "signature_serial_unknown", errs.CodeOf(err))
}

// Well signed, but the resource cannot be opened, or the envelope not be read.
func TestNotificationEnvelopeRefused(t *testing.T) {
	good := callback("TRANSACTION.SUCCESS", "transaction", paidPlain)
	outer := func(old, fresh string) string {
		require.Contains(t, good, old)
		return strings.Replace(good, old, fresh, 1)
	}
	cipher := seal(apiKey, "fdasflkja484", "transaction", paidPlain)
	foreign := seal(otherAPIKey, "fdasflkja484", "transaction", paidPlain)
	raw, err := base64.StdEncoding.DecodeString(cipher)
	require.NoError(t, err)
	const undecryptable, malformed = "notification_undecryptable", "notification_malformed"
	for name, c := range map[string]struct{ body, code string }{
		"sealed under another key":  {outer(cipher, foreign), undecryptable},
		"other associated data":     {outer(`"associated_data":"transaction"`, `"associated_data":"transactioN"`), undecryptable},
		"other nonce":               {outer(`"nonce":"fdasflkja484"`, `"nonce":"fdasflkja485"`), undecryptable},
		"long associated data":      {outer(`"associated_data":"transaction"`, `"associated_data":"transaction-567"`), undecryptable},
		"short nonce":               {outer(`"nonce":"fdasflkja484"`, `"nonce":"fdasflkja48"`), undecryptable},
		"long nonce":                {outer(`"nonce":"fdasflkja484"`, `"nonce":"fdasflkja4844444"`), undecryptable},
		"other algorithm":           {outer("AEAD_AES_256_GCM", "AEAD_SM4_GCM"), undecryptable},
		"no ciphertext":             {outer(cipher, ""), undecryptable},
		"ciphertext not base64":     {outer(cipher, "!"), undecryptable},
		"ciphertext cut":            {outer(cipher, base64.StdEncoding.EncodeToString(raw[:len(raw)-1])), undecryptable},
		"empty body":                {"", malformed},
		"not JSON":                  {"<xml/>", malformed},
		"null":                      {"null", malformed},
		"two documents":             {good + good, malformed},
		"no id":                     {outer("EV-2018022511223320873", ""), malformed},
		"event and resource differ": {outer(`"original_type":"transaction"`, `"original_type":"refund"`), malformed},
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, signedHeader(keys().public, pubSerial, now, c.body), c.body, c.code, errs.Malformed)
		})
	}
}

// Well signed and opened, but the plaintext is not a payment or refund to rely on.
func TestNotificationPlaintextRefused(t *testing.T) {
	inner := func(old, fresh string) string {
		require.Contains(t, paidPlain, old)
		return callback("TRANSACTION.SUCCESS", "transaction", strings.Replace(paidPlain, old, fresh, 1))
	}
	refund := func(old, fresh string) string {
		require.Contains(t, refundPlain, old)
		return callback("REFUND.SUCCESS", "refund", strings.Replace(refundPlain, old, fresh, 1))
	}
	for name, body := range map[string]string{
		"plaintext not JSON":      callback("TRANSACTION.SUCCESS", "transaction", "paid!"),
		"no mchid":                inner(`"mchid":"1900000109",`, ""),
		"no appid":                inner(`"appid":"wxd678efh567hg6787",`, ""),
		"no out_trade_no":         inner(`"out_trade_no":"P20260504000001",`, ""),
		"no transaction_id":       inner(`"transaction_id":"4200001234202605041234567890",`, ""),
		"NUL in transaction_id":   inner("4200001234202605041234567890", `42\u0000`),
		"unknown state":           inner(`"SUCCESS"`, `"SUCCEEDED"`),
		"no amount":               inner(`"total":1999,`, ""),
		"zero amount":             inner(`"total":1999`, `"total":0`),
		"negative amount":         inner(`"total":1999`, `"total":-1999`),
		"fraction":                inner(`"total":1999`, `"total":19.99`),
		"amount as text":          inner(`"total":1999`, `"total":"1999"`),
		"beyond int64":            inner(`"total":1999`, `"total":9223372036854775808`),
		"beyond 2^53":             inner(`"total":1999`, `"total":9007199254740992`),
		"no time":                 inner(`"success_time":"2026-05-04T11:01:58+08:00",`, ""),
		"bad time":                inner("2026-05-04T11:01:58+08:00", "2026-05-04 11:01:58"),
		"refund of another shop":  refund("1900000109", "1900000108"),
		"refund of nobody":        refund(`"mchid":"1900000109",`, ""),
		"refund without number":   refund(`"out_refund_no":"R20260504000001",`, ""),
		"refund of nothing":       refund(`"refund":999,`, `"refund":0,`),
		"refund in unknown state": refund(`"SUCCESS"`, `"DONE"`),
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, signedHeader(keys().public, pubSerial, now, body), body, "notification_malformed", errs.Malformed)
		})
	}
}

// What a caller must match is passed on as the platform said it.
func TestNotificationLeavesMatchingToCaller(t *testing.T) {
	plain := strings.NewReplacer(mchID, "1", appID, "wx2", `"currency":"CNY"`, `"currency":"USD"`).Replace(paidPlain)
	body := callback("TRANSACTION.SUCCESS", "transaction", plain)
	n, err := account(t, config(), &http.Client{}, now).ParseNotification(signedHeader(keys().public, pubSerial, now, body), []byte(body))
	require.NoError(t, err)
	require.Equal(t, "1", n.Payment.MerchantRef)
	require.Equal(t, "wx2", n.Payment.AppID)
	require.Equal(t, money.Of(1999, "USD"), n.Payment.Amount)
}

func BenchmarkParseNotification(b *testing.B) {
	a := account(b, config(), &http.Client{}, now)
	body := callback("TRANSACTION.SUCCESS", "transaction", paidPlain)
	h := signedHeader(keys().public, pubSerial, now, body)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := a.ParseNotification(h, []byte(body)); err != nil {
			b.Fatal(fmt.Sprint(err))
		}
	}
}
