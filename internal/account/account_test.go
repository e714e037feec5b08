package account_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"panshi/internal/account"
	"panshi/internal/clock"
	"panshi/internal/db"
	"panshi/internal/db/dbtest"
	"panshi/internal/errs"
	"panshi/internal/id"
	"panshi/internal/ledger"
	"panshi/internal/merchant"
	"panshi/internal/money"
)

// TestEveryKindInEveryState moves money in each state: what the state refuses,
// and what is not there, changes nothing.
func TestEveryKindInEveryState(t *testing.T) {
	dbtest.Engines(t, func(t *testing.T, open func(dbtest.Options) db.DB) {
		d := open(dbtest.Options{})
		m, err := merchant.NewService(d, clock.System{}).Put(t.Context(), merchant.Merchant{Slug: "m", Name: "m", Currency: money.CNY, Open: true})
		require.NoError(t, err)
		c := opened(t, d, m.ID)
		approval := id.New()
		for _, state := range []account.State{account.Open, account.Frozen, account.Closed} {
			for kind, refused := range map[account.Kind]bool{
				account.Granted: state == account.Closed, account.Spent: state != account.Open, account.TakenBack: false, account.Returned: false,
			} {
				set(t, d, c, state, 100)
				for _, minor := range []int64{-101, -100, 100} {
					if (minor > 0) != (kind == account.Granted || kind == account.Returned) {
						continue
					}
					code := move(t.Context(), d, c, account.Change{Kind: kind, Minor: minor, SubjectID: id.New(), Against: ledger.Goodwill, ApprovalID: approval})
					switch {
					case refused:
						require.Equal(t, "credit_state", code, "%s %s", state, kind)
					case minor == -101:
						require.Equal(t, "credit_insufficient", code, "%s %s", state, kind)
					default:
						require.Empty(t, code, "%s %s", state, kind)
					}
				}
			}
		}
		subject := id.New()
		set(t, d, c, account.Open, 100)
		twice := account.Change{Kind: account.Spent, Minor: -1, SubjectID: subject, Against: ledger.Sales}
		require.Empty(t, move(t.Context(), d, c, twice))
		require.NotEmpty(t, move(t.Context(), d, c, twice), "a kind happens once to a subject")
		require.Equal(t, "out_of_range", move(t.Context(), d, c, account.Change{
			Kind: account.Granted, Minor: account.MaxBalance, SubjectID: id.New(), Against: ledger.Goodwill,
		}))
	})
}

func opened(t *testing.T, d db.DB, merchantID id.ID) (c account.Credit) {
	t.Helper()
	require.NoError(t, d.Update(t.Context(), func(tx *db.Tx) (err error) {
		c, err = account.OpenTx(tx, account.Credit{
			ID: id.New(), MerchantID: merchantID, ContactKind: "email", ContactSealed: []byte("x"), ContactIndex: []byte("x"),
			Balance: money.Of(0, money.CNY),
		})
		return err
	}))
	require.Regexp(t, `^C[0-9A-Z]{10}$`, c.Number)
	return c
}

// set forces an account into a state that no movement explains.
func set(t *testing.T, d db.DB, c account.Credit, state account.State, balance int64) {
	t.Helper()
	require.NoError(t, d.Update(t.Context(), func(tx *db.Tx) error {
		_, err := tx.Exec(`UPDATE credit_accounts SET state = $1, balance = $2 WHERE id = $3`, string(state), balance, c.ID)
		return err
	}))
}

// move gives the code of what a change was refused with, "" if it was made.
func move(ctx context.Context, d db.DB, c account.Credit, ch account.Change) string {
	err := d.Update(ctx, func(tx *db.Tx) error {
		_, err := account.MoveTx(tx, c, ch)
		return err
	})
	if err == nil {
		return ""
	}
	return errs.CodeOf(err)
}

func TestStateMachine(t *testing.T) {
	t.Parallel()
	all := []account.State{account.Open, account.Frozen, account.Closed}
	can := map[[2]account.State]bool{
		{account.Open, account.Frozen}: true, {account.Open, account.Closed}: true, {account.Frozen, account.Open}: true,
		{account.Frozen, account.Closed}: true, {account.Closed, account.Open}: true,
	}
	for _, from := range all {
		for _, to := range all {
			require.Equal(t, can[[2]account.State{from, to}], account.CanMove(from, to), "%s to %s", from, to)
		}
	}
}
