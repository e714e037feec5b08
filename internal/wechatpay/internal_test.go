package wechatpay

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The lines that are signed, spelled out as the documentation does.
func TestDigestKnownAnswer(t *testing.T) {
	want := sha256.Sum256([]byte("GET\n/v3/certificates\n1554208460\n593BEC0C930BF1AFEB40B4A08C8FB242\n\n"))
	require.Equal(t, want[:], digest(nil, "GET", "/v3/certificates", "1554208460", "593BEC0C930BF1AFEB40B4A08C8FB242"))
	want = sha256.Sum256([]byte("1554209980\nc5ac7061fccab6bf3e254dcf98995b8c\n{\"a\":1}\n"))
	require.Equal(t, want[:], digest([]byte(`{"a":1}`), "1554209980", "c5ac7061fccab6bf3e254dcf98995b8c"))
	want = sha256.Sum256([]byte("1554209980\nx\n\n"))
	require.Equal(t, want[:], digest([]byte{}, "1554209980", "x"), "an empty body is an empty line")
}

func TestFreshBorder(t *testing.T) {
	at := time.Unix(1_800_000_000, 0)
	for d, want := range map[time.Duration]bool{
		0: true, maxSkew - 1: true, maxSkew: false, -maxSkew + 1: true, -maxSkew: false, maxSkew + 1: false,
	} {
		require.Equal(t, want, fresh("1800000000", at.Add(d)), d)
	}
	require.False(t, fresh("", at))
	require.False(t, fresh("-1800000000", at))
	require.False(t, fresh(strconv.FormatInt(maxUnix+1, 10), at))
}

func TestBeijing(t *testing.T) {
	require.Equal(t, "2026-01-01T00:30:59+08:00", beijing(time.Date(2025, 12, 31, 16, 30, 59, 999, time.UTC)))
	require.Empty(t, beijing(time.Time{}))
}

func TestScene(t *testing.T) {
	require.Equal(t, "2001:db8::1", scene("2001:db8::1").PayerClientIP)
	require.Equal(t, "192.0.2.1", scene("::ffff:192.0.2.1").PayerClientIP)
	require.Nil(t, scene("unknown"))
	require.Nil(t, scene(""))
}

func BenchmarkSign(b *testing.B) {
	a := fuzzAccount(b)
	body := make([]byte, 400)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := a.authorization(http.MethodPost, "/v3/pay/transactions/native", body); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	a := fuzzAccount(b)
	body := make([]byte, 1200)
	sig, err := rsa.SignPKCS1v15(nil, a.private, crypto.SHA256, digest(body, "1800000000", "nonce"))
	require.NoError(b, err)
	h := http.Header{}
	h.Set("Wechatpay-Timestamp", "1800000000")
	h.Set("Wechatpay-Nonce", "nonce")
	h.Set("Wechatpay-Serial", "K")
	h.Set("Wechatpay-Signature", base64.StdEncoding.EncodeToString(sig))
	b.ReportAllocs()
	for b.Loop() {
		if err := a.verify(h, body); err != nil {
			b.Fatal(err)
		}
	}
}
