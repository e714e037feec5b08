package app

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/adminsock"
	"panshi/internal/payment"
	"panshi/internal/wechatpay"
)

// An account that fails is told, its bills apart from the rest, and since when.
func TestStatusTellsFailingAccounts(t *testing.T) {
	t.Parallel()
	cfg, err := Load(Flags{Data: filepath.Join(t.TempDir(), "shop")})
	require.NoError(t, err)
	s, err := OpenLocal(t.Context(), cfg, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	name := "x"
	_, err = s.PutMerchant(t.Context(), adminsock.MerchantChange{Slug: "shop", Name: &name})
	require.NoError(t, err)
	m, err := s.merchantOf(t.Context(), "shop")
	require.NoError(t, err)
	a, err := s.accounts.Put(t.Context(), payment.Account{
		MerchantID: m.ID, Provider: "wechatpay", Method: "native", ExternalRef: "1900000109", AppRef: "wx01", Name: "x", On: true,
	}, deadConfig(t))
	require.NoError(t, err)
	status, err := s.Status(t.Context())
	require.NoError(t, err)
	require.Empty(t, status.Failing)

	_, p, err := s.router.Provider(t.Context(), a.ID)
	require.NoError(t, err)
	begun := time.Now().Add(-time.Second)
	_, err = p.Query(t.Context(), "P20260504000000000001")
	require.ErrorIs(t, err, payment.ErrProviderBusy)
	_, err = p.(payment.Biller).Bill(t.Context(), begun)
	require.ErrorIs(t, err, payment.ErrProviderBusy)
	status, err = s.Status(t.Context())
	require.NoError(t, err)
	require.Len(t, status.Failing, 2)
	for i, f := range status.Failing {
		require.True(t, f.Since.After(begun) && f.Errors > 0, "%+v", f)
		f.Since, f.FailedAt, f.Errors = time.Time{}, time.Time{}, 0
		require.Equal(t, adminsock.FailingAccount{
			Merchant: "shop", Provider: "wechatpay", Method: "native", Number: "1900000109", Bills: i == 1, Breaker: "closed",
		}, f)
	}
}

// deadConfig is the configuration of an account whose platform is not there.
func deadConfig(t *testing.T) []byte {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	block := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	raw, err := json.Marshal(wechatpay.Config{
		BaseURL: "http://127.0.0.1:1", MchID: "1900000109", AppID: "wx01", MerchantSerial: "ABC", APIv3Key: "0123456789abcdef0123456789abcdef",
		MerchantKeyPEM: block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key)),
		PlatformKeys:   map[string]string{"PUB_KEY_ID_1": block("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&key.PublicKey))},
	})
	require.NoError(t, err)
	return raw
}
