package sandbox

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
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// shop is a tiny client of the platform, written from the protocol and not from the code under test.
type shop struct {
	t    *testing.T
	base string
	id   merchantView
	key  *rsa.PrivateKey
	plat *rsa.PublicKey
}

type reply struct {
	status int
	header http.Header
	raw    []byte
	body   map[string]any
}

// rig is a sandbox behind a real HTTP server.
type rig struct {
	t    *testing.T
	box  *Sandbox
	url  string
	path string
}

func newRig(t *testing.T, change func(*Config)) *rig {
	t.Helper()
	cfg := Config{StateFile: filepath.Join(t.TempDir(), "state.jsonl")}
	seeded(t, cfg.StateFile)
	if change != nil {
		change(&cfg)
	}
	box, err := New(cfg)
	require.NoError(t, err)
	server := httptest.NewServer(box.Handler())
	t.Cleanup(func() {
		server.Close()
		require.NoError(t, box.Close())
	})
	return &rig{t: t, box: box, url: server.URL, path: cfg.StateFile}
}

// seed is a state with the platform's keys and the merchant "demo": made once, because RSA keys are slow to make.
var seed = sync.OnceValues(func() ([]byte, error) {
	st := newState()
	p, err := newPlatform()
	if err != nil {
		return nil, err
	}
	_, key, err := newKey()
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = errors.Join(
		st.apply(record{Platform: p}),
		st.apply(record{Merchant: newMerchant(st, "demo", key, time.Now())}),
		encodeState(&out, st),
	)
	return out.Bytes(), err
})

// seeded writes the seed as a state file.
func seeded(t testing.TB, path string) {
	t.Helper()
	state, err := seed()
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, state, 0o600))
}

// run delivers callbacks until the test ends.
func (r *rig) run() {
	done := make(chan error, 1)
	go func() { done <- r.box.Run(r.t.Context()) }()
	r.t.Cleanup(func() { require.NoError(r.t, <-done) })
}

// dev calls a developer endpoint.
func (r *rig) dev(method, path, body string) reply {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), method, r.url+path, strings.NewReader(body))
	require.NoError(r.t, err)
	return do(r.t, req)
}

func do(t *testing.T, req *http.Request) reply {
	t.Helper()
	resp, err := new(http.Client).Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	out := reply{status: resp.StatusCode, header: resp.Header, raw: raw}
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json") {
		require.NoError(t, json.Unmarshal(raw, &out.body), "%s", raw)
	}
	return out
}

func (r *rig) shop(name string) *shop {
	r.t.Helper()
	got := r.dev("POST", "/simulate/merchants", `{"name":"`+name+`"}`)
	require.Equal(r.t, 200, got.status, "%s", got.raw)
	out := newShop(r.t, got.raw)
	out.base = r.url
	return out
}

// newShop reads what /simulate/merchants answered.
func newShop(t *testing.T, raw []byte) *shop {
	t.Helper()
	out := &shop{t: t}
	require.NoError(t, json.Unmarshal(raw, &out.id))
	block, _ := pem.Decode([]byte(out.id.PrivateKey))
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	require.NoError(t, err)
	out.key = key.(*rsa.PrivateKey)
	block, _ = pem.Decode([]byte(out.id.PublicKey))
	public, err := x509.ParsePKIXPublicKey(block.Bytes)
	require.NoError(t, err)
	out.plat = public.(*rsa.PublicKey)
	return out
}

// authorization signs a request in the merchant's name.
func (s *shop) authorization(method, target, body string, at time.Time) string {
	stamp := fmt.Sprint(at.Unix())
	sum := sha256.Sum256([]byte(method + "\n" + target + "\n" + stamp + "\nnonce123\n" + body + "\n"))
	sig, err := rsa.SignPKCS1v15(rand.Reader, s.key, crypto.SHA256, sum[:])
	require.NoError(s.t, err)
	return fmt.Sprintf(`WECHATPAY2-SHA256-RSA2048 mchid="%s",nonce_str="nonce123",timestamp="%s",serial_no="%s",signature="%s"`,
		s.id.MchID, stamp, s.id.Serial, base64.StdEncoding.EncodeToString(sig))
}

func (s *shop) request(method, target, body string) *http.Request {
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.base+target, strings.NewReader(body))
	require.NoError(s.t, err)
	req.Header.Set("Authorization", s.authorization(method, target, body, time.Now()))
	return req
}

// call makes a signed request and verifies that the answer is signed by the platform.
func (s *shop) call(method, target, body string) reply {
	s.t.Helper()
	got := do(s.t, s.request(method, target, body))
	require.Equal(s.t, s.id.PublicKeyID, got.header.Get("Wechatpay-Serial"))
	require.NoError(s.t, proves(s.plat, got.header, got.raw))
	return got
}

func proves(key *rsa.PublicKey, head http.Header, body []byte) error {
	sig, err := base64.StdEncoding.DecodeString(head.Get("Wechatpay-Signature"))
	if err != nil {
		return err
	}
	sum := sha256.Sum256([]byte(head.Get("Wechatpay-Timestamp") + "\n" + head.Get("Wechatpay-Nonce") + "\n" + string(body) + "\n"))
	return rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], sig)
}

func (s *shop) open(additional, nonce, ciphertext string) ([]byte, error) {
	block, err := aes.NewCipher([]byte(s.id.APIKey))
	require.NoError(s.t, err)
	gcm, err := cipher.NewGCM(block)
	require.NoError(s.t, err)
	raw, err := base64.StdEncoding.DecodeString(ciphertext)
	require.NoError(s.t, err)
	return gcm.Open(nil, []byte(nonce), raw, []byte(additional))
}

// nativeBody is an order of 12.34 yuan, with members replaced (or removed, if nil).
func (s *shop) nativeBody(no string, change map[string]any) string {
	body := map[string]any{
		"appid": s.id.AppID, "mchid": s.id.MchID, "description": "一张卡密", "out_trade_no": no,
		"notify_url": "http://127.0.0.1:1/notify", "amount": map[string]any{"total": 1234, "currency": "CNY"},
	}
	for k, v := range change {
		body[k] = v
		if v == nil {
			delete(body, k)
		}
	}
	raw, err := json.Marshal(body)
	require.NoError(s.t, err)
	return string(raw)
}

func (s *shop) order(no string, change map[string]any) string {
	s.t.Helper()
	got := s.call("POST", "/v3/pay/transactions/native", s.nativeBody(no, change))
	require.Equal(s.t, 200, got.status, "%s", got.raw)
	return got.body["code_url"].(string)
}

func (s *shop) state(no string) string {
	s.t.Helper()
	got := s.call("GET", "/v3/pay/transactions/out-trade-no/"+no+"?mchid="+s.id.MchID, "")
	require.Equal(s.t, 200, got.status, "%s", got.raw)
	return got.body["trade_state"].(string)
}

func (r *rig) pay(no string) map[string]any {
	r.t.Helper()
	got := r.dev("POST", "/simulate/pay", `{"out_trade_no":"`+no+`"}`)
	require.Equal(r.t, 200, got.status, "%s", got.raw)
	return got.body
}

// delivery is a callback as it arrived.
type delivery struct {
	header http.Header
	body   []byte
}

// inbox is the shop's callback address.
type inbox struct {
	url    string
	got    chan delivery
	mu     sync.Mutex
	answer int
}

func newInbox(t *testing.T) *inbox {
	in := &inbox{got: make(chan delivery, 1000), answer: http.StatusNoContent}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		in.got <- delivery{header: r.Header, body: body}
		in.mu.Lock()
		defer in.mu.Unlock()
		w.WriteHeader(in.answer)
	}))
	t.Cleanup(server.Close)
	in.url = server.URL + "/notify/wechatpay/1"
	return in
}

func (in *inbox) next(t *testing.T) delivery {
	t.Helper()
	select {
	case d := <-in.got:
		return d
	case <-time.After(30 * time.Second):
		t.Fatal("no callback came")
	}
	return delivery{}
}

// content checks a callback as a careful shop does and returns the decrypted resource.
func (s *shop) content(d delivery) (map[string]any, error) {
	if d.header.Get("Wechatpay-Serial") != s.id.PublicKeyID {
		return nil, fmt.Errorf("unknown serial")
	}
	var stamp int64
	if _, err := fmt.Sscan(d.header.Get("Wechatpay-Timestamp"), &stamp); err != nil {
		return nil, err
	}
	if time.Since(time.Unix(stamp, 0)).Abs() >= 5*time.Minute {
		return nil, fmt.Errorf("stale")
	}
	if err := proves(s.plat, d.header, d.body); err != nil {
		return nil, err
	}
	var e struct {
		EventType string `json:"event_type"`
		Resource  struct {
			Algorithm  string `json:"algorithm"`
			Nonce      string `json:"nonce"`
			Additional string `json:"associated_data"`
			Ciphertext string `json:"ciphertext"`
		} `json:"resource"`
	}
	if err := json.Unmarshal(d.body, &e); err != nil {
		return nil, err
	}
	plain, err := s.open(e.Resource.Additional, e.Resource.Nonce, e.Resource.Ciphertext)
	if err != nil {
		return nil, err
	}
	out := map[string]any{}
	dec := json.NewDecoder(bytes.NewReader(plain))
	return out, dec.Decode(&out)
}
