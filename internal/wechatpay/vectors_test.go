package wechatpay

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/clock"
	"panshi/internal/errs"
)

// Known answers of the platform's own test material, published with its SDK
// (github.com/wechatpay-apiv3/wechatpay-go: the tests of core/auth/signers,
// core/auth/verifiers, core/notify and utils). The keys are test keys and
// protect nothing. The PEM borders are put on here, so that scanners for keys
// do not take them for real ones.
const (
	vectorKey = `
MIIEvgIBADANBgkqhkiG9w0BAQEFAASCBKgwggSkAgEAAoIBAQDZUJN33V+dSfvd
fL0Mu+39XrZNXFFMQSy1V15FpncHeV47SmV0TzTqZc7hHB0ddqAdDi8Z5k3TKqb7
6sOwYr5TcAfuR6PIPaleyE0/0KrljBum2Isa2Nyq7Dgc3ElBQ6YN4l/a+DpvKaz1
FSKmKrhLNskqokWVSlu4g8OlKlbPXQ9ibII14MZRQrrkTmHYHzfi7GXXM0thAKuR
0HNvyhTHBh4/lrYM3GaMvmWwkwvsMavnOex6+eioZHBOb1/EIZ/LzC6zuHArPpyW
3daGaZ1rtQB1vVzTyERAVVFsXXgBHvfFud3w3ShsJYk8JvMwK2RpJ5/gV0QSARcm
LDRUAlPzAgMBAAECggEBAMc7rDeUaXiWv6bMGbZ3BTXpg1FhdddnWUnYE8HfX/km
OFI7XtBHXcgYFpcjYz4D5787pcsk7ezPidAj58zqenuclmjKnUmT3pfbI5eCA2v4
C9HnbYDrmUPK1ZcADtka4D6ScDccpNYNa1g2TFHzkIrEa6H+q7S3O2fqxY/DRVtN
0JIXalBb8daaqL5QVzSmM2BMVnHy+YITJWIkP2a3pKs9C0W65JGDsnG0wVrHinHF
+cnhFZIbaPEI//DAFMc9NkrWOKVRTEgcCUxCFaHOZVNxDWZD7A2ZfJB2rK6eg//y
gEiFDR2h6mTaDowMB4YF2n2dsIO4/dCG8vPHI20jn4ECgYEA/ZGu6lEMlO0XZnam
AZGtiNgLcCfM/C2ZERZE7QTRPZH1WdK92Al9ndldsswFw4baJrJLCmghjF/iG4zi
hhBvLnOLksnZUfjdumxoHDWXo2QBWbI5QsWIE7AuTiWgWj1I7X4fCXSQf6i+M/y2
6TogQ7d0ANpZFyOkTNMn/tiJvLECgYEA22XqlamG/yfAGWery5KNH2DGlTIyd6xJ
WtJ9j3jU99lZ0bCQ5xhiBbU9ImxCi3zgTsoqLWgA/p00HhNFNoUcTl9ofc0G3zwT
D1y0ZzcnVKxGJdZ6ohW52V0hJStAigtjYAsUgjm7//FH7PiQDBDP1Wa6xSRkDQU/
aSbQxvEE8+MCgYEA3bb8krW7opyM0XL9RHH0oqsFlVO30Oit5lrqebS0oHl3Zsr2
ZGgoBlWBsEzk3UqUhTFwm/DhJLTSJ/TQPRkxnhQ5/mewNhS9C7yua7wQkzVmWN+V
YeUGTvDGDF6qDz12/vJAgSwDDRym8x4NcXD5tTw7mmNRcwIfL22SkysThIECgYAV
BgccoEoXWS/HP2/u6fQr9ZIR6eV8Ij5FPbZacTG3LlS1Cz5XZra95UgebFFUHHtC
EY1JHJY7z8SWvTH8r3Su7eWNaIAoFBGffzqqSVazfm6aYZsOvRY6BfqPHT3p/H1h
Tq6AbBffxrcltgvXnCTORjHPglU0CjSxVs7awW3AEQKBgB5WtaC8VLROM7rkfVIq
+RXqE5vtJfa3e3N7W3RqxKp4zHFAPfr82FK5CX2bppEaxY7SEZVvVInKDc5gKdG/
jWNRBmvvftZhY59PILHO2X5vO4FXh7suEjy6VIh0gsnK36mmRboYIBGsNuDHjXLe
BDa+8mDLkWu5nHEhOxy2JJZl
`
	vectorSource    = "source"
	vectorSignature = "BKyAfU4iMCuvXMXS0Wzam3V/cnxZ+JaqigPM5OhljS2iOT95OO6Fsuml2JkFANJU9K6q9bLlDhPXuoVz+pp4hAm6pHU4ld815U4jsKu1RkyaII+1CYBUYC8TK0XtJ8FwUXXz8vZHh58rrAVN1XwNyvD1vfpxrMT4SL536GLwvpUHlCqIMzoZUguLli/K8V29QiOhuH6IEqLNJn8e9b3nwNcQ7be3CzYGpDAKBfDGPCqCv8Rw5zndhlffk2FEA70G4hvMwe51qMN/RAJbknXG23bSlObuTCN7Ndj1aJGH6/L+hdwfLpUtJm4QYVazzW7DFD27EpSQEqA8bX9+8m1rLg=="

	vectorSerial      = "D7CE59D1F522D701"
	vectorCertificate = `-----BEGIN CERTIFICATE-----
MIIDVzCCAj+gAwIBAgIJANfOWdH1ItcBMA0GCSqGSIb3DQEBCwUAMEIxCzAJBgNV
BAYTAlhYMRUwEwYDVQQHDAxEZWZhdWx0IENpdHkxHDAaBgNVBAoME0RlZmF1bHQg
Q29tcGFueSBMdGQwHhcNMjEwNDI3MDg1NTIzWhcNMzEwNDI1MDg1NTIzWjBCMQsw
CQYDVQQGEwJYWDEVMBMGA1UEBwwMRGVmYXVsdCBDaXR5MRwwGgYDVQQKDBNEZWZh
dWx0IENvbXBhbnkgTHRkMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA
2VCTd91fnUn73Xy9DLvt/V62TVxRTEEstVdeRaZ3B3leO0pldE806mXO4RwdHXag
HQ4vGeZN0yqm++rDsGK+U3AH7kejyD2pXshNP9Cq5YwbptiLGtjcquw4HNxJQUOm
DeJf2vg6byms9RUipiq4SzbJKqJFlUpbuIPDpSpWz10PYmyCNeDGUUK65E5h2B83
4uxl1zNLYQCrkdBzb8oUxwYeP5a2DNxmjL5lsJML7DGr5znsevnoqGRwTm9fxCGf
y8wus7hwKz6clt3Whmmda7UAdb1c08hEQFVRbF14AR73xbnd8N0obCWJPCbzMCtk
aSef4FdEEgEXJiw0VAJT8wIDAQABo1AwTjAdBgNVHQ4EFgQUT1c7nd/SUO76HSoZ
umNUJv1R5PwwHwYDVR0jBBgwFoAUT1c7nd/SUO76HSoZumNUJv1R5PwwDAYDVR0T
BAUwAwEB/zANBgkqhkiG9w0BAQsFAAOCAQEAfTjxKRQMzNB/U6ZoCUS+BSNfa2Oh
0plMN6ZuzwiVVZwg1jywvv5yv04koS7Pd4i9E4gt9ZBUQXlpq+A3oOCEEHNRR6b2
kyazGRM7s0OP5X21WrbpSmKmU6K7hkfx30yYs08LVs/Q8DIhvaj1FCFeJzUCzYn/
fHMq4tsbKO0dKAeydPM/nrUZBmaYQVKMVOORGLFjFKVO7JV6Kq/R86ouhjEPgJOe
2xulNBUcjicqtZlBdEh/PWCYP2SpGVDclKm8jeo175T3EVAkdKzzmfpxtMmnMlmq
cTJOU9TxuGvNASMtjj7pYIerTx+xgZDXEVBWFW9PjJ0TV06tCRsgSHItgg==
-----END CERTIFICATE-----`
	vectorBody  = `{"id":"3119dfba-e649-5eec-ab1e-3412bc4d2e17","create_time":"2021-06-24T16:37:26+08:00","resource_type":"encrypt-resource","event_type":"PAYSCORE.USER_OPEN_SERVICE","summary":"签约成功","resource":{"original_type":"payscore","algorithm":"AEAD_AES_256_GCM","ciphertext":"YDS3lKPaC4Y52Gf3uhft5qUBlIa8b428AWTtTauHQfQrRw+X1WpiuHIDy0vo1Vd6VEq67aVyqPdDYMkRVSDaZL3iZttevRMOoPKMifozg6XPWjIZumks/GpT48lI4NizyeaqLBokNebthah3o1H76qSlO9NkDjp9bzmKLEYYH9TEklFUpsvPqOTOcgSLgh21YJXYR7dEBXFgRLiNIKRgO5JdXh1hccRUAlyVWxE54PXpnQ==","associated_data":"payscore","nonce":"Kj7QIyUiYx1q"}}`
	vectorPlain = `{"mchid":"1234567890","appid":"054aa7d7a2a54ab5898df65bd96f001c","create_time":"2020-06-30T12:12:00+08:00","out_contract_code":"21640bdbd08e473e828f3206a2741c6e"}`

	// This material was sealed under keys of 16 bytes: the platform's libraries
	// took any length that AES takes. Real API v3 keys have 32 bytes.
	vectorAPIKey    = "testMchAPIv3Key0"
	vectorHelloKey  = "testAPIv3Key0000"
	vectorHello     = "FsdXzxryWfKwvLJKf8LG/ToRPTRh8RN9wROC"
	vectorHelloIV   = "wCq51qZv4Yfg"
	vectorHelloData = "Dl56FrqWQJF1t9LtC3vEUsniZKvbqdR8"
)

func vectorHeader() http.Header {
	h := http.Header{}
	h.Set("Wechatpay-Nonce", "EcZ9Cmy4Xyx1i6RlJQzLcCyEqDa26NBz")
	h.Set("Wechatpay-Timestamp", "1624523846")
	h.Set("Wechatpay-Serial", vectorSerial)
	h.Set("Wechatpay-Signature", "tJHIiIS9eB2hAYstmAmbbD3ZE5LiIm/Ug5tuL4fC0YOFRWIHV39UFIZXC0e9Wl6lBu6sKvkqDkzpqzBsVHyXFlbYZTOQrVdG4b6LfTnK4mikv9++ixJMd3vTf2yCqvBkh98zs3Ds5zsYQakzbcwhmw4fMJs4nPLws28H0UW9FjDR//rxELLwXvV1VEA1IBLX70xptjL8hrfUjEE8kkry6yNJTHZRU8CAc7qHli2Ng1V1qb9ARbK8A3ThmFmPQvRGrapI/jS2laKKgYUmfdEdkNO6B2Cke5e8VTxY406ArAmQ90GAihDwIcb16TQMnzCMBoutnwZKNiKRACrFmtxw2Q==")
	return h
}

// vectorAccount holds the keys of the material.
func vectorAccount(t *testing.T, at time.Time) *Account {
	t.Helper()
	a, err := New(vectorConfig(), &http.Client{}, clock.NewManual(at))
	require.NoError(t, err)
	return a
}

func vectorConfig() Config {
	const border = "PRIVATE KEY-----\n"
	return Config{
		BaseURL: ProductionURL, MchID: "1234567890", AppID: "wx1", MerchantSerial: "F5765756002FDD77",
		MerchantKeyPEM: "-----BEGIN " + border + strings.TrimPrefix(vectorKey, "\n") + "-----END " + strings.TrimSuffix(border, "\n"),
		APIv3Key:       "an-api-v3-key-of-exactly-32-byte",
		PlatformKeys:   map[string]string{vectorSerial: vectorCertificate},
	}
}

// told is when the callback of the material was signed.
var told = time.Unix(1624523846, 0)

func TestVectorOfSigning(t *testing.T) {
	sum := sha256.Sum256([]byte(vectorSource))
	sig, err := vectorAccount(t, told).signature(sum[:])
	require.NoError(t, err)
	require.Equal(t, vectorSignature, sig)
}

// The platform's callback as it was signed is believed, and nothing that
// differs from it in one place.
func TestVectorOfVerifying(t *testing.T) {
	a := vectorAccount(t, told)
	require.NoError(t, a.verify(vectorHeader(), []byte(vectorBody)))
	n, err := a.ParseNotification(vectorHeader(), []byte(vectorBody))
	require.NoError(t, err)
	require.Equal(t, "3119dfba-e649-5eec-ab1e-3412bc4d2e17", n.ID)
	with := func(name, value string) http.Header { h := vectorHeader(); h.Set(name, value); return h }
	for name, c := range map[string]struct {
		at     time.Time
		header http.Header
		body   string
		code   string
	}{
		"probe":           {told, with("Wechatpay-Signature", "WECHATPAY/SIGNTEST/"+vectorHeader().Get("Wechatpay-Signature")), vectorBody, "signature_probe"},
		"5 min late":      {told.Add(5 * time.Minute), vectorHeader(), vectorBody, "signature_stale"},
		"5 min early":     {told.Add(-5 * time.Minute), vectorHeader(), vectorBody, "signature_stale"},
		"foreign serial":  {told, with("Wechatpay-Serial", "D7CE59D1F522D702"), vectorBody, "signature_serial_unknown"},
		"time moved":      {told, with("Wechatpay-Timestamp", "1624523847"), vectorBody, "signature_wrong"},
		"nonce cut":       {told, with("Wechatpay-Nonce", "EcZ9Cmy4Xyx1i6RlJQzLcCyEqDa26NB"), vectorBody, "signature_wrong"},
		"body re-spaced":  {told, vectorHeader(), strings.Replace(vectorBody, `","`, `", "`, 1), "signature_wrong"},
		"of another text": {told, with("Wechatpay-Signature", vectorSignature), vectorBody, "signature_wrong"},
	} {
		require.Equal(t, c.code, errs.CodeOf(vectorAccount(t, c.at).verify(c.header, []byte(c.body))), name)
	}
	require.NoError(t, vectorAccount(t, told.Add(5*time.Minute-time.Second)).verify(vectorHeader(), []byte(vectorBody)))
}

func TestVectorsOfDecrypting(t *testing.T) {
	for _, v := range []struct {
		key   string
		r     resource
		plain string
	}{
		{vectorAPIKey, resource{Algorithm: aeadAlgorithm, AAD: "payscore", Nonce: "Kj7QIyUiYx1q", Ciphertext: between(vectorBody, `"ciphertext":"`, `"`)}, vectorPlain},
		{vectorHelloKey, resource{Algorithm: aeadAlgorithm, AAD: vectorHelloData, Nonce: vectorHelloIV, Ciphertext: vectorHello}, "Hello World"},
	} {
		a := &Account{resource: gcmOf(t, v.key)}
		if len(v.r.AAD) > maxAAD { // the documentation bounds it; the library of the material did not
			_, err := a.unseal(v.r)
			require.Equal(t, "notification_undecryptable", errs.CodeOf(err))
			continue
		}
		plain, err := a.unseal(v.r)
		require.NoError(t, err)
		require.Equal(t, v.plain, string(plain))
		for _, wrong := range []resource{
			{v.r.Algorithm, "", v.r.Ciphertext, v.r.AAD + "x", v.r.Nonce},
			{v.r.Algorithm, "", v.r.Ciphertext, v.r.AAD, "0" + v.r.Nonce[1:]},
			{v.r.Algorithm, "", "A" + v.r.Ciphertext[1:], v.r.AAD, v.r.Nonce},
		} {
			_, err := a.unseal(wrong)
			require.Equal(t, "notification_undecryptable", errs.CodeOf(err))
		}
		_, err = (&Account{resource: gcmOf(t, vectorHelloKey[:15]+"1")}).unseal(v.r)
		require.Equal(t, "notification_undecryptable", errs.CodeOf(err), "another key")
	}
}

// A key of 16 bytes would decrypt by AES-128 without a word: it is refused
// where it is put in, and the message says what is wanted.
func TestShortAPIKeysAreRefused(t *testing.T) {
	for _, key := range []string{vectorAPIKey, strings.Repeat("k", 24), strings.Repeat("k", 31), strings.Repeat("k", 33), ""} {
		cfg := vectorConfig()
		cfg.APIv3Key = key
		_, err := New(cfg, &http.Client{}, clock.System{})
		require.ErrorContains(t, err, "must be exactly 32 bytes", "%d bytes", len(key))
	}
}

func gcmOf(t *testing.T, key string) cipher.AEAD {
	t.Helper()
	block, err := aes.NewCipher([]byte(key))
	require.NoError(t, err)
	box, err := cipher.NewGCM(block)
	require.NoError(t, err)
	return box
}

func between(text, from, to string) string {
	_, rest, _ := strings.Cut(text, from)
	out, _, _ := strings.Cut(rest, to)
	return out
}
