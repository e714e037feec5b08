package wechatpay_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/clock"
	"panshi/internal/errs"
	"panshi/internal/payment"
	"panshi/internal/wechatpay"
)

const nextSerial = "6A57F09EFDC096DE15EBE81A47057A7232F1B8E2"

// rotating is a platform that has certificates, and an account that holds one.
type rotating struct {
	*platform
	account *wechatpay.Account
	clock   *clock.Manual
	lists   []string // PEM of what /v3/certificates tells, sealed under sealKey
	sealKey string
	asked   int
}

func newRotating(t *testing.T) *rotating {
	r := &rotating{clock: clock.NewManual(now), sealKey: apiKey}
	r.lists = []string{keys().certPEM, nextCertificate(keys().stranger, now.AddDate(0, -1, 0), now.AddDate(5, 0, 0))}
	r.platform = newPlatform(t, func(req *http.Request, _ map[string]any) reply {
		if req.URL.Path != "/v3/certificates" {
			return reply{http.StatusNotFound, `{"code":"ORDER_NOT_EXIST"}`}
		}
		r.asked++
		return reply{http.StatusOK, r.list()}
	})
	r.key, r.serial, r.at = keys().cert, certSerial, r.clock.Now
	cfg := config()
	cfg.BaseURL, cfg.PlatformKeys = r.URL, map[string]string{certSerial: keys().certPEM, pubSerial: publicPEM(keys().public)}
	var err error
	r.account, err = wechatpay.New(cfg, r.Client(), r.clock)
	require.NoError(t, err)
	return r
}

func nextCertificate(key *rsa.PrivateKey, from, to time.Time) string {
	number, _ := new(big.Int).SetString(nextSerial, 16)
	tpl := &x509.Certificate{SerialNumber: number, NotBefore: from, NotAfter: to, Subject: pkix.Name{CommonName: "platform"}}
	der, err := x509.CreateCertificate(rand.Reader, tpl, tpl, &key.PublicKey, key)
	if err != nil {
		panic(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// list is the answer with the certificates.
func (r *rotating) list() string {
	var data []map[string]any
	for _, text := range r.lists {
		block, _ := pem.Decode([]byte(text))
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			panic(err)
		}
		data = append(data, map[string]any{
			"serial_no": strings.ToUpper(cert.SerialNumber.Text(16)),
			"encrypt_certificate": map[string]string{
				"algorithm": "AEAD_AES_256_GCM", "nonce": "fdasflkja484", "associated_data": "certificate",
				"ciphertext": seal(r.sealKey, "fdasflkja484", "certificate", text),
			},
		})
	}
	out, err := json.Marshal(map[string]any{"data": data})
	if err != nil {
		panic(err)
	}
	return string(out)
}

// told reads a callback as the edge does: once more if the keys were renewed.
func (r *rotating) told(t *testing.T, key *rsa.PrivateKey, serial string) string {
	t.Helper()
	body := callback("TRANSACTION.SUCCESS", "transaction", paidPlain)
	header := signedHeader(key, serial, r.clock.Now(), body)
	_, err := r.account.ParseNotification(header, []byte(body))
	if err != nil && r.account.RenewFor(t.Context(), header, err) {
		_, err = r.account.ParseNotification(header, []byte(body))
	}
	if err == nil {
		return ""
	}
	return errs.CodeOf(err)
}

// Both ways to verify at once, and a certificate that nobody put in: the first
// message under it has the platform asked.
func TestCertificatesRenewThemselves(t *testing.T) {
	r := newRotating(t)
	require.Empty(t, r.told(t, keys().public, pubSerial))
	require.Empty(t, r.told(t, keys().cert, certSerial))
	require.Zero(t, r.asked)
	require.Empty(t, r.told(t, keys().stranger, nextSerial))
	require.Empty(t, r.told(t, keys().stranger, nextSerial))
	require.Empty(t, r.told(t, keys().cert, certSerial), "the old one is valid beside it")
	require.Equal(t, 1, r.asked)
	require.Equal(t, "signature_wrong", r.told(t, keys().merchant, nextSerial))
}

// Answers under a new certificate are believed too.
func TestAnswersUnderANewCertificate(t *testing.T) {
	r := newRotating(t)
	r.key, r.serial = keys().stranger, nextSerial
	_, err := r.account.Query(t.Context(), "P20260504000001")
	require.ErrorIs(t, err, payment.ErrNotFound)
	require.Equal(t, 1, r.asked)
}

// A made-up serial costs the platform one question a minute, a public key's none.
func TestUnknownSerialsAreLimited(t *testing.T) {
	r := newRotating(t)
	for range 20 {
		require.Equal(t, "signature_serial_unknown", r.told(t, keys().merchant, "4A57F09EFDC096DE15EBE81A47057A7232F1B8E9"))
		require.Equal(t, "signature_serial_unknown", r.told(t, keys().merchant, "PUB_KEY_ID_9"))
	}
	require.Equal(t, 1, r.asked)
	r.clock.Advance(time.Minute)
	require.Equal(t, "signature_serial_unknown", r.told(t, keys().merchant, "PUB_KEY_ID_9"))
	require.Equal(t, 1, r.asked)
}

// Certificates that somebody else made are not taken, whatever signs them.
func TestForeignCertificatesAreRefused(t *testing.T) {
	for name, spoil := range map[string]func(*rotating){
		"sealed under another key": func(r *rotating) { r.sealKey = otherAPIKey },
		"signed by a stranger":     func(r *rotating) { r.key, r.serial = keys().merchant, "4A57F09EFDC096DE15EBE81A47057A7232F1B8E9" },
		"signed wrongly":           func(r *rotating) { r.key = keys().merchant },
		"none":                     func(r *rotating) { r.lists = nil },
		"probe": func(r *rotating) {
			r.mangle = func(h http.Header) { h.Set("Wechatpay-Signature", "WECHATPAY/SIGNTEST/"+h.Get("Wechatpay-Signature")) }
		},
	} {
		r := newRotating(t)
		spoil(r)
		require.Equal(t, "signature_serial_unknown", r.told(t, keys().stranger, nextSerial), name)
		require.Equal(t, 1, r.asked, name)
		require.Empty(t, r.told(t, keys().cert, certSerial), "%s: the keys in hand stay", name)
	}
}

// The sweep looks twice a day, and each minute at most when the end is near
// and nothing new is told.
func TestRenewBeforeTheEnd(t *testing.T) {
	r := newRotating(t)
	renew := func() int {
		require.NoError(t, r.account.Renew(t.Context()))
		return r.asked
	}
	require.Equal(t, 1, renew(), "after a start")
	require.Equal(t, 1, renew())
	require.Empty(t, r.told(t, keys().stranger, nextSerial), "known before anything was signed under it")
	r.clock.Advance(11 * time.Hour)
	require.Equal(t, 1, renew())
	r.clock.Advance(time.Hour)
	require.Equal(t, 2, renew())
	r.key, r.serial = keys().stranger, nextSerial
	r.clock.Advance(5*365*24*time.Hour - 20*24*time.Hour)
	require.Equal(t, 3, renew())
	r.clock.Advance(time.Minute)
	require.Equal(t, 4, renew(), "the end is near, and nothing new was told")
}

// Without certificates there is nothing to renew: such merchants are told of none.
func TestPublicKeysNeedNoRenewal(t *testing.T) {
	r := newRotating(t)
	cfg := config()
	cfg.BaseURL, cfg.PlatformKeys = r.URL, map[string]string{pubSerial: publicPEM(keys().public)}
	a, err := wechatpay.New(cfg, r.Client(), r.clock)
	require.NoError(t, err)
	require.NoError(t, a.Renew(t.Context()))
	require.Zero(t, r.asked)
}

// A certificate that is over proves nothing, also one that the platform told of.
func TestToldCertificatesEnd(t *testing.T) {
	r := newRotating(t)
	r.lists[1] = nextCertificate(keys().stranger, now.AddDate(0, -1, 0), now.Add(time.Hour))
	require.Empty(t, r.told(t, keys().stranger, nextSerial))
	r.clock.Advance(2 * time.Hour)
	body := callback("TRANSACTION.SUCCESS", "transaction", paidPlain)
	_, err := r.account.ParseNotification(signedHeader(keys().stranger, nextSerial, r.clock.Now(), body), []byte(body))
	require.Equal(t, "signature_serial_unknown", errs.CodeOf(err))
}
