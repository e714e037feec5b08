package checkout_test

import (
	"fmt"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/catalog"
	"panshi/internal/checkout"
	"panshi/internal/clock"
	"panshi/internal/db/dbtest"
	"panshi/internal/stock"
)

// newStoppedShop is a shop whose time the test moves.
func newStoppedShop(t *testing.T) (*shop, *clock.Manual) {
	now := clock.NewManual(time.UnixMilli(1_800_000_000_000))
	s := newShopOn(t, dbtest.Open(t, dbtest.Options{Clock: now}))
	cfg := checkout.Defaults()
	cfg.UnpaidLimit = 0
	s.svc = checkout.New(s.db, s.vault, s.accounts, cfg, now, slog.New(slog.NewTextHandler(io.Discard, nil)))
	return s, now
}

func TestMemoryOfSoldOutHidesStockForASecondAtMost(t *testing.T) {
	s, now := newStoppedShop(t)
	sku := s.product("card", catalog.Card, 100)
	s.cards(sku, 1)
	first := s.mustPlace("first", sku, 1)
	for _, key := range []string{"a", "b", "c"} {
		_, err := s.place(key, of(sku, 1))
		require.ErrorIs(t, err, stock.ErrSoldOut)
	}
	s.cards(sku, 2) // by another process: this one is not told
	_, err := s.place("d", of(sku, 1))
	require.ErrorIs(t, err, stock.ErrSoldOut, "it is answered from memory")
	require.True(t, s.mustPlace("first", sku, 1).Repeated, "a repeat is no new order")
	require.Equal(t, first.Order.No, s.mustPlace("first", sku, 1).Order.No)
	now.Advance(999 * time.Millisecond)
	_, err = s.place("e", of(sku, 1))
	require.ErrorIs(t, err, stock.ErrSoldOut)
	now.Advance(time.Millisecond)
	s.mustPlace("f", sku, 1)
	s.mustPlace("g", sku, 1)
	s.sound()
}

func TestWhatComesBackHereIsSeenAtOnce(t *testing.T) {
	s, _ := newStoppedShop(t)
	sku := s.product("card", catalog.Card, 100)
	s.cards(sku, 1)
	for i := range 3 {
		p := s.mustPlace(fmt.Sprint("k", i), sku, 1)
		for range 3 {
			_, err := s.place(fmt.Sprint("x", i), of(sku, 1))
			require.ErrorIs(t, err, stock.ErrSoldOut)
		}
		_, err := s.svc.Cancel(t.Context(), s.merchant.ID, p.Order.No, p.AccessToken)
		require.NoError(t, err)
		require.Eventually(t, func() bool { // the wake-up comes soon after the commit
			_, err := s.place("x"+p.Order.No, of(sku, 1))
			return err == nil
		}, 30*time.Second, time.Millisecond)
		s.expire()
	}
	s.sound()
}
