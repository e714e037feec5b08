package alipay_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/alipay"
	"panshi/internal/clock"
)

const (
	appID    = "2021000000000001"
	sellerID = "2088000000000001"
	payNo    = "P20260504000000000001"
	refundNo = "R20260504000000000001"
	tradeNo  = "2026050422001400000000000001"
)

var now = time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC) // 11:02:01 in Beijing

// keyring: RSA keys are slow to make, so one set serves all tests; none changes it.
type keyring struct {
	app, alipay, root, stranger    *rsa.PrivateKey
	appCert, alipayCert, rootCerts string
}

var keys = sync.OnceValue(func() keyring {
	k := keyring{app: newKey(), alipay: newKey(), root: newKey(), stranger: newKey()}
	root := template("Ant Root", 1)
	root.IsCA, root.BasicConstraintsValid = true, true
	rootDER := create(root, root, &k.root.PublicKey, k.root)
	leaf := template("Alipay", 2)
	leafDER := create(leaf, root, &k.alipay.PublicKey, k.root)
	k.rootCerts = certPEM(rootDER)
	k.alipayCert = certPEM(leafDER)
	k.appCert = certPEM(create(template("App", 3), root, &k.app.PublicKey, k.root))
	return k
})

func newKey() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
}

func template(name string, serial int64) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(serial), NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(4, 0, 0),
		Subject: pkix.Name{CommonName: name, Organization: []string{"Ant Financial"}, Country: []string{"CN"}},
	}
}

func create(cert, parent *x509.Certificate, public *rsa.PublicKey, signer *rsa.PrivateKey) []byte {
	der, err := x509.CreateCertificate(rand.Reader, cert, parent, public, signer)
	if err != nil {
		panic(err)
	}
	return der
}

func certPEM(der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func pkcs8(key *rsa.PrivateKey) []byte {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		panic(err)
	}
	return der
}

func pkix8(key *rsa.PrivateKey) []byte {
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		panic(err)
	}
	return der
}

// config is public-key mode, with keys as the platform's tool gives them out.
func config() alipay.Config {
	return alipay.Config{
		BaseURL: alipay.ProductionURL, AppID: appID, SellerID: sellerID,
		AppKeyPEM: base64.StdEncoding.EncodeToString(pkcs8(keys().app)),
		PublicKey: base64.StdEncoding.EncodeToString(pkix8(keys().alipay)),
	}
}

func certConfig() alipay.Config {
	c := config()
	c.PublicKey, c.AppCert, c.AlipayCert, c.RootCert = "", keys().appCert, keys().alipayCert, keys().rootCerts
	return c
}

func account(t testing.TB, cfg alipay.Config, client *http.Client) *alipay.Account {
	t.Helper()
	a, err := alipay.New(cfg, client, clock.NewManual(now))
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

// signable spells a form as the platform signs it.
func signable(form url.Values, leaveOut ...string) string {
	var pairs []string
	for name := range form {
		if !strings.Contains(" "+strings.Join(leaveOut, " ")+" ", " "+name+" ") {
			pairs = append(pairs, name+"="+form.Get(name))
		}
	}
	sort.Strings(pairs)
	return strings.Join(pairs, "&")
}

// platform answers as told and remembers what it was asked.
type platform struct {
	t      *testing.T
	server *httptest.Server
	answer func(form url.Values, content map[string]any) string // the signed member
	raw    func(w http.ResponseWriter) bool                     // true: it answered by itself
	key    *rsa.PrivateKey
	more   string // further members

	mu    sync.Mutex
	forms []url.Values // guarded by mu
}

func newPlatform(t *testing.T) *platform {
	p := &platform{t: t, key: keys().alipay}
	p.server = httptest.NewServer(http.HandlerFunc(p.serve))
	t.Cleanup(p.server.Close)
	return p
}

func (p *platform) account(cfg alipay.Config) *alipay.Account {
	cfg.BaseURL = p.server.URL + "/gateway.do"
	return account(p.t, cfg, p.server.Client())
}

func (p *platform) asked() []url.Values {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.forms
}

func (p *platform) serve(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	form, _ := url.ParseQuery(string(body))
	p.mu.Lock()
	p.forms = append(p.forms, form)
	p.mu.Unlock()
	if p.raw != nil && p.raw(w) {
		return
	}
	sig, err := base64.StdEncoding.DecodeString(form.Get("sign"))
	sum := sha256.Sum256([]byte(signable(form, "sign")))
	if err != nil || rsa.VerifyPKCS1v15(&keys().app.PublicKey, crypto.SHA256, sum[:], sig) != nil {
		p.say(w, "error_response", `{"code":"40002","msg":"Invalid Arguments","sub_code":"isv.invalid-signature"}`)
		return
	}
	var content map[string]any
	_ = json.Unmarshal([]byte(form.Get("biz_content")), &content)
	p.say(w, strings.ReplaceAll(form.Get("method"), ".", "_")+"_response", p.answer(form, content))
}

func (p *platform) say(w http.ResponseWriter, member, node string) {
	_, _ = io.WriteString(w, `{"`+member+`":`+node+`,`+p.more+`"sign":"`+sign(p.key, node)+`"}`)
}

// always answers every question with one member.
func always(node string) func(url.Values, map[string]any) string {
	return func(url.Values, map[string]any) string { return node }
}

// client is for accounts that ask nothing.
func client() *http.Client { return &http.Client{Timeout: time.Second} }
