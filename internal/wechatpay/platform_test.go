package wechatpay_test

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/clock"
	"panshi/internal/wechatpay"
)

const (
	apiKey      = "an-api-v3-key-of-exactly-32-byte"
	otherAPIKey = "another-v3-key-of-exactly-32-byt"
	mchID       = "1900000109"
	appID       = "wxd678efh567hg6787"
	pubSerial   = "PUB_KEY_ID_0119000001092024"
	certSerial  = "5157F09EFDC096DE15EBE81A47057A7232F1B8E1"
	mchSerial   = "3775B6A45ACD588826D15E583A95F5DD00000000"
)

var now = time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)

// keyring: RSA keys are slow to make, so one set serves all tests; none changes it.
type keyring struct {
	merchant, public, cert, stranger *rsa.PrivateKey
	certPEM                          string
}

var keys = sync.OnceValue(func() keyring {
	k := keyring{newKey(2048), newKey(2048), newKey(2048), newKey(2048), ""}
	k.certPEM = certificate(k.cert, now.AddDate(-1, 0, 0), now.AddDate(4, 0, 0))
	return k
})

func newKey(bits int) *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		panic(err)
	}
	return key
}

func certificate(key *rsa.PrivateKey, from, to time.Time) string {
	serial, _ := new(big.Int).SetString(certSerial, 16)
	tpl := &x509.Certificate{SerialNumber: serial, NotBefore: from, NotAfter: to, Subject: pkix.Name{CommonName: "platform"}}
	der, err := x509.CreateCertificate(rand.Reader, tpl, tpl, &key.PublicKey, key)
	if err != nil {
		panic(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func privatePEM(key *rsa.PrivateKey) string {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		panic(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func publicPEM(key *rsa.PrivateKey) string {
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		panic(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

func config() wechatpay.Config {
	k := keys()
	return wechatpay.Config{
		BaseURL: wechatpay.ProductionURL, MchID: mchID, AppID: appID, MerchantSerial: mchSerial,
		MerchantKeyPEM: privatePEM(k.merchant), APIv3Key: apiKey,
		PlatformKeys: map[string]string{pubSerial: publicPEM(k.public), certSerial: k.certPEM},
	}
}

func account(t testing.TB, cfg wechatpay.Config, client *http.Client, at time.Time) *wechatpay.Account {
	t.Helper()
	a, err := wechatpay.New(cfg, client, clock.NewManual(at))
	require.NoError(t, err)
	return a
}

// sign is the protocol's signature, written independently of the package.
func sign(key *rsa.PrivateKey, message string) string {
	sum := sha256.Sum256([]byte(message))
	sig, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum[:])
	if err != nil {
		panic(err)
	}
	return base64.StdEncoding.EncodeToString(sig)
}

func signedHeader(key *rsa.PrivateKey, serial string, at time.Time, body string) http.Header {
	stamp, nonce := strconv.FormatInt(at.Unix(), 10), "c5ac7061fccab6bf3e254dcf98995b8c"
	h := http.Header{}
	h.Set("Wechatpay-Timestamp", stamp)
	h.Set("Wechatpay-Nonce", nonce)
	h.Set("Wechatpay-Serial", serial)
	h.Set("Wechatpay-Signature", sign(key, stamp+"\n"+nonce+"\n"+body+"\n"))
	h.Set("Wechatpay-Signature-Type", "WECHATPAY2-SHA256-RSA2048")
	return h
}

func seal(key, nonce, aad, plain string) string {
	block, err := aes.NewCipher([]byte(key))
	if err != nil {
		panic(err)
	}
	gcm, err := cipher.NewGCMWithNonceSize(block, len(nonce))
	if err != nil {
		panic(err)
	}
	return base64.StdEncoding.EncodeToString(gcm.Seal(nil, []byte(nonce), []byte(plain), []byte(aad)))
}

// callback is the outer JSON of a notification around plain.
func callback(event, kind, plain string) string {
	const nonce = "fdasflkja484"
	return fmt.Sprintf(`{"id":"EV-2018022511223320873","create_time":"2026-05-04T11:02:00+08:00","resource_type":"encrypt-resource",`+
		`"event_type":%q,"summary":"ok","resource":{"original_type":%q,"algorithm":"AEAD_AES_256_GCM","ciphertext":%q,"associated_data":%q,"nonce":%q}}`,
		event, kind, seal(apiKey, nonce, kind, plain), kind, nonce)
}

// reply is what the fake platform does with a verified request.
type reply struct {
	status int
	body   string
}

// platform is a tiny WeChat Pay: it checks the merchant's signature and signs its answers.
type platform struct {
	*httptest.Server
	t      testing.TB
	calls  atomic.Int32
	handle func(r *http.Request, body map[string]any) reply
	key    *rsa.PrivateKey
	serial string
	mangle func(h http.Header) // may spoil the headers of an answer
	at     func() time.Time
}

func newPlatform(t testing.TB, handle func(r *http.Request, body map[string]any) reply) *platform {
	p := &platform{t: t, handle: handle, key: keys().public, serial: pubSerial, mangle: func(http.Header) {}, at: func() time.Time { return now }}
	p.Server = httptest.NewServer(http.HandlerFunc(p.serve))
	t.Cleanup(p.Close)
	return p
}

func (p *platform) account() *wechatpay.Account {
	cfg := config()
	cfg.BaseURL = p.URL
	return account(p.t, cfg, p.Client(), now)
}

var authPattern = regexp.MustCompile(`^WECHATPAY2-SHA256-RSA2048 mchid="(\w+)",nonce_str="(\w+)",signature="([^"]+)",timestamp="(\d+)",serial_no="(\w+)"$`)

func (p *platform) serve(w http.ResponseWriter, r *http.Request) {
	p.calls.Add(1)
	raw, _ := io.ReadAll(r.Body)
	if !p.merchantSigned(r, string(raw)) {
		p.t.Errorf("%s %s: the request's signature is wrong", r.Method, r.RequestURI)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	var body map[string]any
	_ = json.Unmarshal(raw, &body)
	out := p.handle(r, body)
	for k, v := range signedHeader(p.key, p.serial, p.at(), out.body) {
		w.Header()[k] = v
	}
	w.Header().Set("Request-ID", "08F78BB5AF0610D302189F")
	p.mangle(w.Header())
	w.WriteHeader(out.status)
	_, _ = io.WriteString(w, out.body)
}

func (p *platform) merchantSigned(r *http.Request, body string) bool {
	m := authPattern.FindStringSubmatch(r.Header.Get("Authorization"))
	if m == nil || m[1] != mchID || m[5] != mchSerial || len(m[2]) > 32 || r.Header.Get("Wechatpay-Serial") != pubSerial {
		return false
	}
	sum := sha256.Sum256([]byte(strings.Join([]string{r.Method, r.RequestURI, m[4], m[2], body}, "\n") + "\n"))
	sig, err := base64.StdEncoding.DecodeString(m[3])
	return err == nil && rsa.VerifyPKCS1v15(&keys().merchant.PublicKey, crypto.SHA256, sum[:], sig) == nil &&
		m[4] == strconv.FormatInt(p.at().Unix(), 10)
}

// wantNoSecret fails if an error's text holds a key, or any of more.
func wantNoSecret(t testing.TB, err error, more ...string) {
	t.Helper()
	if err == nil {
		return
	}
	text := fmt.Sprintf("%v %+v %s", err, err, err)
	for _, line := range strings.Split(privatePEM(keys().merchant)+publicPEM(keys().public), "\n") {
		if len(line) > 30 && strings.Contains(text, line) {
			t.Fatalf("a key is in the error %q", text)
		}
	}
	for _, secret := range append(more, apiKey) {
		if secret != "" && strings.Contains(text, secret) {
			t.Fatalf("%q is in the error %q", secret, text)
		}
	}
}
