package payment_test

import (
	"context"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"panshi/internal/clock"
	"panshi/internal/db"
	"panshi/internal/db/dbtest"
	"panshi/internal/errs"
	"panshi/internal/merchant"
	"panshi/internal/money"
	"panshi/internal/payment"
	"panshi/internal/vault"
)

// paid is a provider that only remembers its configuration.
type paid struct {
	payment.Provider
	config string
}

func factories() map[string]payment.Factory {
	return map[string]payment.Factory{
		"wechatpay": func(config []byte) (payment.Provider, error) { return paid{config: string(config)}, nil },
	}
}

func accountsOn(t *testing.T, d db.DB) (*vault.Vault, payment.Account) {
	t.Helper()
	dir := t.TempDir()
	v, err := vault.Create(vault.Config{KeyFile: filepath.Join(dir, "key"), Dir: filepath.Join(dir, "keys")})
	require.NoError(t, err)
	m, err := merchant.NewService(d, clock.System{}).Put(t.Context(), merchant.Merchant{Slug: "a", Name: "a", Currency: money.CNY, Open: true})
	require.NoError(t, err)
	return v, payment.Account{
		MerchantID: m.ID, Provider: "wechatpay", Method: "native", ExternalRef: "1900000001", Name: "微信支付", On: true,
	}
}

// requireOpens: the one stored account opens on a node that has not seen it.
func requireOpens(t *testing.T, d db.DB, v *vault.Vault, acc payment.Account, configs ...string) {
	t.Helper()
	fresh := payment.NewAccounts(d, v, factories())
	channels, err := fresh.Channels(context.Background(), acc.MerchantID)
	require.NoError(t, err)
	require.Len(t, channels, 1)
	_, p, err := fresh.Provider(context.Background(), channels[0].ID)
	require.NoError(t, err, errs.CodeOf(err))
	require.Contains(t, configs, p.(paid).config)
}

// TestAccountStoredAtOnce: two nodes store the same new account at once, as
// nodes do that start together on a simulator. Its configuration is sealed for
// its id: sealed for the id of the one that lost, it would never open again.
func TestAccountStoredAtOnce(t *testing.T) {
	t.Parallel()
	d := dbtest.Open(t, dbtest.Options{})
	v, acc := accountsOn(t, d)
	nodes := dbtest.Overlapping(d, 2)
	failures := make([]error, 2)
	var wg sync.WaitGroup
	for i, config := range []string{"first", "second"} {
		wg.Go(func() {
			_, failures[i] = payment.NewAccounts(nodes, v, factories()).Put(t.Context(), acc, []byte(config))
		})
	}
	wg.Wait()
	require.NoError(t, failures[0])
	require.NoError(t, failures[1])
	requireOpens(t, d, v, acc, "first", "second")
}

// TestAccountStoredInASecondRun: a transaction that collides runs again with
// what the caller gave, not with what the first run left.
func TestAccountStoredInASecondRun(t *testing.T) {
	t.Parallel()
	d := dbtest.Open(t, dbtest.Options{})
	v, acc := accountsOn(t, d)
	accounts := payment.NewAccounts(dbtest.Rerunning(d, 4), v, factories())
	for _, config := range []string{"first", "second", "third", "fourth"} {
		stored, err := accounts.Put(t.Context(), acc, []byte(config))
		require.NoError(t, err)
		require.Equal(t, acc.ExternalRef, stored.ExternalRef)
		requireOpens(t, d, v, acc, config)
	}
}
