package app_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"log/slog"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"panshi/internal/adminsock"
	"panshi/internal/app"
	"panshi/internal/db"
	"panshi/internal/db/sqlite"
	"panshi/internal/errs"
	"panshi/internal/wechatpay"
)

func settings(t *testing.T) []byte {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	block := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	raw, err := json.Marshal(wechatpay.Config{
		MchID: "1900000109", AppID: "wx01", MerchantSerial: "ABC", APIv3Key: "0123456789abcdef0123456789abcdef",
		MerchantKeyPEM: block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key)),
		PlatformKeys: map[string]string{
			"PUB_KEY_ID_1": block("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&key.PublicKey)),
		},
	})
	require.NoError(t, err)
	return raw
}

// Who set up what stands in the trail, without secrets; a simulator's account
// never becomes a real one.
func TestSetupIsAudited(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "shop")
	cfg, err := app.Load(app.Flags{Data: dir})
	require.NoError(t, err)
	log := slog.New(slog.DiscardHandler)
	shop, err := app.OpenLocal(t.Context(), cfg, log)
	require.NoError(t, err)
	name, raw := "x", settings(t)
	request := adminsock.AccountRequest{Provider: "wechatpay"}
	_, err = shop.PutAccount(t.Context(), request, raw)
	require.Equal(t, "no_merchant", errs.CodeOf(err))
	_, err = shop.PutMerchant(t.Context(), adminsock.MerchantChange{Slug: "shop", Name: &name})
	require.NoError(t, err)
	_, err = shop.PutAccount(t.Context(), adminsock.AccountRequest{Provider: "other"}, raw)
	require.Equal(t, "provider_unknown", errs.CodeOf(err))
	_, err = shop.PutAccount(t.Context(), request, raw)
	require.NoError(t, err)
	require.NoError(t, shop.Close())

	d, err := sqlite.Open(t.Context(), sqlite.Config{Dir: dir, Logger: log})
	require.NoError(t, err)
	var trail []string
	require.NoError(t, d.Update(t.Context(), func(tx *db.Tx) (err error) {
		trail, err = db.Collect(tx, func(rows db.Rows) (line string, err error) {
			err = rows.Scan(&line)
			return line, err
		}, `SELECT actor_kind || ' ' || actor_id || ' ' || action || ' ' || detail FROM audit_records ORDER BY id`)
		if err == nil {
			_, err = tx.Exec(`UPDATE payment_accounts SET sandbox = 1`)
		}
		return err
	}))
	require.NoError(t, d.Close())
	require.Equal(t, []string{
		`command merchant-put merchant.saved {"open":"true","slug":"shop"}`,
		`command account-put payment_account.saved {"mch_id":"1900000109","method":"native","on":"true","provider":"wechatpay"}`,
	}, trail)

	shop, err = app.OpenLocal(t.Context(), cfg, log)
	require.NoError(t, err)
	_, err = shop.PutAccount(t.Context(), request, raw)
	require.Equal(t, "account_is_sandbox", errs.CodeOf(err))
	require.NoError(t, shop.Close())
}
