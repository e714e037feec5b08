package sandbox

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// certsOf opens what /v3/certificates tells a merchant, by serial.
func (s *shop) certsOf(status int) map[string]*x509.Certificate {
	s.t.Helper()
	got := do(s.t, s.request("GET", "/v3/certificates", ""))
	require.Equal(s.t, status, got.status, "%s", got.raw)
	var list struct {
		Data []struct {
			Serial string `json:"serial_no"`
			Sealed sealed `json:"encrypt_certificate"`
		} `json:"data"`
	}
	require.NoError(s.t, json.Unmarshal(got.raw, &list))
	out := map[string]*x509.Certificate{}
	for _, c := range list.Data {
		text, err := s.open(c.Sealed.Additional, c.Sealed.Nonce, c.Sealed.Ciphertext)
		require.NoError(s.t, err)
		block, _ := pem.Decode(text)
		out[c.Serial], err = x509.ParseCertificate(block.Bytes)
		require.NoError(s.t, err)
	}
	return out
}

// A certificate is announced beside the one that signs, signs, and stands
// alone once the old one is retired; a restart forgets none of it.
func TestCertificateRotation(t *testing.T) {
	now := time.Now()
	r := newRig(t, func(c *Config) { c.Now = func() time.Time { return now } })
	s := r.shop("demo")
	first := s.id.CertSerial
	require.Equal(t, 200, r.dev("POST", "/simulate/keys", `{"mode":"certificate","certificate":"announce","valid_s":3600}`).status)
	certs := s.certsOf(200)
	require.Len(t, certs, 2)
	answer := func() string { return do(t, s.request("GET", "/v3/certificates", "")).header.Get("Wechatpay-Serial") }
	require.Equal(t, first, answer())
	require.Equal(t, 400, r.dev("POST", "/simulate/keys", `{"certificate":"announce"}`).status)
	require.Equal(t, 200, r.dev("POST", "/simulate/keys", `{"certificate":"switch"}`).status)
	second := answer()
	require.NotEqual(t, first, second)
	require.Len(t, s.certsOf(200), 2, "both, while they overlap")
	got := do(t, s.request("GET", "/v3/certificates", ""))
	require.NoError(t, proves(certs[second].PublicKey.(*rsa.PublicKey), got.header, got.raw))

	require.NoError(t, r.box.store.state.apply(record{Platform: reread(t, r.box.store.state.platform)}))
	require.Equal(t, second, answer())
	require.Equal(t, 200, r.dev("POST", "/simulate/keys", `{"certificate":"retire"}`).status)
	require.Len(t, s.certsOf(200), 1)
	now = now.Add(2 * time.Hour)
	req := s.request("GET", "/v3/certificates", "")
	req.Header.Set("Authorization", s.authorization("GET", "/v3/certificates", "", now))
	require.Equal(t, 404, do(t, req).status, "the new one is over too")
	for _, wrong := range []string{`{"certificate":"switch"}`, `{"certificate":"burn"}`, `{"mode":"sm2"}`, `{"valid_s":-1}`} {
		require.Equal(t, 400, r.dev("POST", "/simulate/keys", wrong).status, wrong)
	}
}

// reread is a platform as a restart finds it.
func reread(t *testing.T, p *platform) *platform {
	t.Helper()
	var out platform
	require.NoError(t, json.Unmarshal(encode(p), &out))
	return &out
}

// New merchants have no certificates; those who migrate hear both keys.
func TestSigningModes(t *testing.T) {
	r := newRig(t, nil)
	s := r.shop("demo")
	require.Equal(t, 200, r.dev("POST", "/simulate/keys", `{"mode":"public_key"}`).status)
	s.certsOf(404)
	require.Empty(t, r.dev("GET", "/simulate/keys", "").body["certificates"])
	require.Equal(t, 200, r.dev("POST", "/simulate/keys", `{"mode":"mixed"}`).status)
	seen := map[string]bool{}
	for range 200 { // the chance that one is missing is 2^-199
		r.box.view(func(st *state) { seen[st.platform.callbackSigner().serial] = true })
	}
	require.Equal(t, map[string]bool{s.id.PublicKeyID: true, s.id.CertSerial: true}, seen)
}
