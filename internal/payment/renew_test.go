package payment_test

import (
	"context"
	"errors"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"panshi/internal/db/dbtest"
	"panshi/internal/payment"
)

// renewing counts how often each account was to renew its platform's keys.
type renewing struct {
	payment.Provider
	config string
	asked  map[string]int
}

func (r renewing) Renew(context.Context) error {
	r.asked[r.config]++
	if r.config == "3" {
		return errors.New("its platform is away")
	}
	return nil
}

// TestKeysAreRenewedInTurn: the sweep reaches every account, those after one
// that fails too, and begins anew at the end.
func TestKeysAreRenewedInTurn(t *testing.T) {
	t.Parallel()
	d := dbtest.Open(t, dbtest.Options{})
	v, acc := accountsOn(t, d)
	asked := map[string]int{}
	accounts := payment.NewAccounts(d, v, map[string]payment.Factory{
		"wechatpay": func(config []byte) (payment.Provider, error) {
			return renewing{config: string(config), asked: asked}, nil
		},
	})
	const n = 45
	for i := range n {
		acc.ExternalRef, acc.On = strconv.Itoa(i), i%2 == 0
		_, err := accounts.Put(t.Context(), acc, []byte(strconv.Itoa(i)))
		require.NoError(t, err)
	}
	sweep := accounts.Sweeps()[0]
	for run, wantMore := range []bool{true, true, false, true} {
		more, _ := sweep.Run(t.Context())
		require.Equal(t, wantMore, more, run)
		if run == 2 {
			require.Len(t, asked, n)
		}
	}
	require.Equal(t, 2, asked["0"])
	require.Equal(t, 1, asked[strconv.Itoa(n-1)])
}
