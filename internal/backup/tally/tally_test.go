package tally_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/backup/manifest"
	"panshi/internal/backup/tally"
	"panshi/internal/clock"
	"panshi/internal/db"
	"panshi/internal/db/dbtest"
	"panshi/internal/id"
	"panshi/internal/merchant"
	"panshi/internal/money"
)

// shop is one whose rows are written by hand.
type shop struct {
	t        *testing.T
	db       db.DB
	merchant id.ID
}

func newShop(t *testing.T, d db.DB) *shop {
	t.Helper()
	m, err := merchant.NewService(d, clock.System{}).Put(t.Context(), merchant.Merchant{Slug: "m", Name: "m", Currency: money.CNY, Open: true})
	require.NoError(t, err)
	return &shop{t, d, m.ID}
}

// order writes an order of a day, with one posting.
func (s *shop) order(at string, total int64) {
	s.t.Helper()
	day, err := time.Parse("2006-01-02T15", at)
	require.NoError(s.t, err)
	v, lowest := id.New(), id.Lowest(day)
	copy(v[:6], lowest[:6])
	s.exec(`INSERT INTO orders (id, merchant_id, order_no, status, currency, total, contact_kind, contact_sealed, contact_index,
		lang, expires_at, created_at) VALUES ($1, $2, $3, 'completed', 'CNY', $4, 'email', $5, $6, 'en', 1, 1)`,
		v, s.merchant, fmt.Sprintf("%x", v[:]), total, []byte("x"), []byte("x"))
	s.exec(`INSERT INTO ledger_postings (entry_id, leg, merchant_id, account, amount, currency) VALUES ($1, 0, $2, 'sales', $3, 'CNY')`,
		v, s.merchant, -total)
}

func (s *shop) exec(query string, args ...any) {
	s.t.Helper()
	require.NoError(s.t, s.db.Update(s.t.Context(), func(tx *db.Tx) error {
		_, err := tx.Exec(query, args...)
		return err
	}))
}

func (s *shop) count(c *tally.Counter, at string) (sums manifest.Sums) {
	s.t.Helper()
	when, err := time.Parse("2006-01-02T15", at)
	require.NoError(s.t, err)
	require.NoError(s.t, s.db.View(s.t.Context(), func(tx *db.Tx) (err error) {
		sums, err = c.Count(tx, when)
		return err
	}))
	return sums
}

// One Counter that goes on finds what a new one finds; old days are told by
// month, and none is forgotten or counted twice.
func TestCountingGoesOn(t *testing.T) {
	t.Parallel()
	dbtest.Engines(t, func(t *testing.T, open func(dbtest.Options) db.DB) {
		s := newShop(t, open(dbtest.Options{}))
		c := tally.NewCounter([]string{"orders"})
		require.Empty(t, s.count(c, "2026-01-05T12").Orders, "an empty shop")
		s.order("2026-01-05T13", 5)
		s.order("2026-01-05T23", 6)
		s.order("2026-01-07T00", 7)
		for _, at := range []string{"2026-01-07T00", "2026-01-07T02", "2026-01-07T03"} {
			got := s.count(c, at)
			require.Equal(t, map[string]manifest.Total{
				"2026-01-05 " + s.merchant.String() + " CNY": {Count: 2, Amount: 11}, "2026-01-07 " + s.merchant.String() + " CNY": {Count: 1, Amount: 7},
			}, got.Orders)
			require.Equal(t, map[string]manifest.Total{"2026-01-05 sales CNY": {Count: 2, Amount: -11}, "2026-01-07 sales CNY": {Count: 1, Amount: -7}}, got.Ledger)
		}
		s.order("2026-01-07T04", 8)
		got, fresh := s.count(c, "2026-01-07T05"), s.count(tally.NewCounter(nil), "2026-01-07T05")
		require.Empty(t, fresh.Differences(got))
		caught := tally.NewCounter(nil)
		require.NoError(t, caught.CatchUp(t.Context(), s.db, time.Date(2026, 1, 7, 5, 0, 0, 0, time.UTC)))
		require.Empty(t, fresh.Differences(s.count(caught, "2026-01-07T05")), "closed days one by one")
		require.Equal(t, int64(4), got.Rows["orders"], "an hour has passed")
		require.Nil(t, s.count(c, "2026-01-07T05").Rows)
		require.Equal(t, map[string]manifest.Total{"2026-01 " + s.merchant.String() + " CNY": {Count: 4, Amount: 26}}, s.count(c, "2026-04-01T00").Orders)
	})
}

// A day that is closed is not read again until a day later: that is what keeps
// counting cheap.
func TestClosedDaysAreRemembered(t *testing.T) {
	t.Parallel()
	dbtest.Engines(t, func(t *testing.T, open func(dbtest.Options) db.DB) {
		s := newShop(t, open(dbtest.Options{}))
		s.order("2026-01-05T13", 5)
		s.order("2026-01-06T00", 1)
		c := tally.NewCounter(nil)
		first := s.count(c, "2026-01-06T00")
		s.exec(`UPDATE orders SET total = 9`)
		key := " " + s.merchant.String() + " CNY"
		second := s.count(c, "2026-01-06T01") // the first day was not closed before
		require.NotEqual(t, first.Orders["2026-01-05"+key], second.Orders["2026-01-05"+key])
		s.exec(`UPDATE orders SET total = 10`)
		closed := s.count(c, "2026-01-06T02")
		require.Equal(t, int64(9), closed.Orders["2026-01-05"+key].Amount)
		require.Equal(t, int64(10), closed.Orders["2026-01-06"+key].Amount)
		require.Equal(t, int64(10), s.count(c, "2026-01-07T00").Orders["2026-01-05"+key].Amount)
	})
}
