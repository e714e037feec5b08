package ledger_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"panshi/internal/db"
	"panshi/internal/db/dbtest"
	"panshi/internal/errs"
	"panshi/internal/id"
	"panshi/internal/ledger"
	"panshi/internal/money"
)

func TestEntriesBalanceOrAreRefused(t *testing.T) {
	d := dbtest.Open(t, dbtest.Options{})
	shop, subject := id.New(), id.New()
	post := func(e ledger.Entry) error {
		return d.Update(t.Context(), func(tx *db.Tx) error { return ledger.PostTx(tx, e) })
	}
	require.NoError(t, post(ledger.Transfer(shop, "payment", subject, ledger.Sales, "provider/x", money.Of(500, money.CNY))))
	require.ErrorIs(t, post(ledger.Transfer(shop, "payment", subject, ledger.Sales, "provider/x", money.Of(500, money.CNY))),
		db.ErrUnique, "one subject is booked once")
	lopsided := ledger.Entry{MerchantID: shop, Kind: "x", SubjectID: id.New(), Legs: []ledger.Leg{
		{Account: "a", Amount: money.Of(5, money.CNY)}, {Account: "b", Amount: money.Of(-5, "USD")},
	}}
	require.Equal(t, "unbalanced_entry", errs.CodeOf(post(lopsided)))
	require.NoError(t, d.View(t.Context(), func(tx *db.Tx) error {
		for account, want := range map[string]int64{"provider/x": 500, ledger.Sales: -500, "nobody": 0} {
			got, err := ledger.BalanceTx(tx, shop, account, money.CNY)
			require.NoError(t, err)
			require.Equal(t, want, got.Minor, account)
		}
		return nil
	}))
}
