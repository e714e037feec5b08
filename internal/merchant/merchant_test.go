package merchant_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/clock"
	"panshi/internal/db/dbtest"
	"panshi/internal/errs"
	"panshi/internal/merchant"
	"panshi/internal/money"
)

func TestByHost(t *testing.T) {
	now := clock.NewManual(time.Now())
	s := merchant.NewService(dbtest.Open(t, dbtest.Options{}), now)
	_, err := s.ByHost(t.Context(), "localhost")
	require.ErrorIs(t, err, merchant.ErrNotFound)
	for _, m := range []merchant.Merchant{
		{Slug: "first", Name: "甲", Currency: money.CNY, Open: true},
		{Slug: "second", Name: "乙", Host: "books.example", Currency: money.CNY, Open: true},
	} {
		_, err := s.Put(t.Context(), m)
		require.NoError(t, err)
	}
	for host, want := range map[string]string{
		"localhost:8080": "first", "": "first", "[::1]:80": "first", "books.example": "second", "BOOKS.example:443": "second",
		"second.localhost:8080": "second", "first.anything": "first",
	} {
		m, err := s.ByHost(t.Context(), host)
		require.NoError(t, err)
		require.Equal(t, want, m.Slug, host)
	}
	_, err = s.Put(t.Context(), merchant.Merchant{Slug: "first", Name: "新名", Currency: money.CNY, Open: true})
	require.NoError(t, err)
	m, err := s.BySlug(t.Context(), "first")
	require.NoError(t, err)
	require.Equal(t, "新名", m.Name)
	require.True(t, m.IsDefault)
}

func TestPutRefuses(t *testing.T) {
	s := merchant.NewService(dbtest.Open(t, dbtest.Options{}), clock.System{})
	for field, m := range map[string]merchant.Merchant{
		"slug":     {Slug: "Big Slug", Name: "x", Currency: money.CNY},
		"name":     {Slug: "x", Currency: money.CNY},
		"currency": {Slug: "x", Name: "x", Currency: "yuan"},
	} {
		_, err := s.Put(t.Context(), m)
		var e *errs.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, field, e.Field)
	}
}
