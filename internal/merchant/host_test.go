package merchant_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"panshi/internal/clock"
	"panshi/internal/db/dbtest"
	"panshi/internal/errs"
	"panshi/internal/merchant"
	"panshi/internal/money"
)

func TestHosts(t *testing.T) {
	s := merchant.NewService(dbtest.Open(t, dbtest.Options{}), clock.System{})
	for _, m := range []merchant.Merchant{{Slug: "first"}, {Slug: "books", Host: "Books.Example"}} {
		m.Name, m.Currency, m.Open = "x", money.CNY, true
		_, err := s.Put(t.Context(), m)
		require.NoError(t, err)
	}
	m, err := s.ByHost(t.Context(), "books.EXAMPLE")
	require.NoError(t, err)
	require.Equal(t, "books", m.Slug, "a host's case does not matter")
	for _, slug := range []string{"third", "first"} {
		_, err = s.Put(t.Context(), merchant.Merchant{Slug: slug, Host: "books.example", Name: "x", Currency: money.CNY})
		require.Equal(t, "host_taken", errs.CodeOf(err))
		require.Equal(t, errs.Invalid, errs.KindOf(err))
	}
}
