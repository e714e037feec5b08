package checkout_test

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/catalog"
	"panshi/internal/db"
	"panshi/internal/db/dbtest"
)

// TestSlowQueryHarmsNoBuyer runs a query without end, in a View and in an
// Update, while buyers order: it is ended at its limit, and every order is
// placed. (P82)
func TestSlowQueryHarmsNoBuyer(t *testing.T) {
	dbtest.Engines(t, func(t *testing.T, open func(dbtest.Options) db.DB) {
		d := open(dbtest.Options{StatementLimit: time.Second})
		s := newShopOn(t, d)
		card := s.product("card", catalog.Card, 100)
		const most = 90
		s.cards(card, 2*most)
		endless := func(tx *db.Tx) (err error) {
			var n int64
			return tx.Get([]any{&n}, `WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT COUNT(*) FROM n`)
		}
		orders := 0
		for name, run := range map[string]func(context.Context, func(*db.Tx) error) error{"View": d.View, "Update": d.Update} {
			ended := make(chan error, 1)
			go func() { ended <- run(context.Background(), endless) }()
			var err error
			for placed := 0; err == nil && placed < most; placed++ {
				s.mustPlace(strconv.Itoa(orders), card, 1)
				orders++
				select {
				case err = <-ended:
				default:
				}
			}
			if err == nil { // a fast machine
				err = <-ended
			}
			require.ErrorIs(t, err, db.ErrTimeout, name)
		}
		require.Equal(t, int64(orders), s.number(`SELECT COUNT(*) FROM orders`))
		s.sound()
	})
}
