package imports

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"panshi/internal/catalog"
	"panshi/internal/db"
	"panshi/internal/db/dbtest"
	"panshi/internal/id"
	"panshi/internal/invariant"
	"panshi/internal/merchant"
	"panshi/internal/money"
	"panshi/internal/stock"
	"panshi/internal/vault"
)

// shop is a fresh shop with a product of each kind.
type shop struct {
	*Service
	t  *testing.T
	m  merchant.Merchant
	db db.DB
}

func newShop(t *testing.T) *shop {
	t.Helper()
	d := dbtest.Open(t, dbtest.Options{})
	dir := t.TempDir()
	v, err := vault.Create(vault.Config{KeyFile: filepath.Join(dir, "shop.key"), Dir: filepath.Join(dir, "keys")})
	require.NoError(t, err)
	s := &shop{Service: New(d, v, slog.New(slog.DiscardHandler)), t: t, db: d}
	s.m = s.merchant("one")
	s.product("keys", catalog.Card, "KEY")
	s.product("more-keys", catalog.Card, "KEY2")
	s.product("book", catalog.Text, "BOOK")
	s.product("work", catalog.Manual, "WORK")
	return s
}

func (s *shop) merchant(slug string) (m merchant.Merchant) {
	s.t.Helper()
	s.update(func(tx *db.Tx) (err error) {
		m, err = merchant.PutTx(tx, merchant.Merchant{Slug: slug, Name: slug, Currency: money.CNY, Open: true})
		return err
	})
	return m
}

func (s *shop) product(slug string, kind catalog.Kind, code string) (p catalog.Product) {
	s.t.Helper()
	s.update(func(tx *db.Tx) (err error) {
		p, err = catalog.PutTx(tx, catalog.Product{
			MerchantID: s.m.ID, Slug: slug, Kind: kind, Title: slug, On: true,
			SKUs: []catalog.SKU{{Code: code, Price: money.Of(990, money.CNY), On: true}},
		})
		return err
	})
	return p
}

func (s *shop) update(fn func(tx *db.Tx) error) {
	s.t.Helper()
	require.NoError(s.t, s.db.Update(context.Background(), fn))
}

func (s *shop) view(fn func(tx *db.Tx) error) {
	s.t.Helper()
	require.NoError(s.t, s.db.View(context.Background(), fn))
}

func (s *shop) count(query string, args ...any) (n int64) {
	s.t.Helper()
	s.view(func(tx *db.Tx) error { return tx.Get([]any{&n}, query, args...) })
	return n
}

func (s *shop) level(code string) (l stock.Level) {
	s.t.Helper()
	s.view(func(tx *db.Tx) error {
		sku, err := catalog.SKUByCodeTx(tx, s.m.ID, code)
		if err != nil {
			return err
		}
		l, err = stock.LevelTx(tx, s.m.ID, sku.ID)
		return err
	})
	return l
}

// cards gives what the shop has stored of a SKU, opened, in order of sale.
func (s *shop) cards(code string) (texts []string) {
	s.t.Helper()
	type stored struct {
		id     id.ID
		sealed []byte
	}
	var all []stored
	s.view(func(tx *db.Tx) (err error) {
		all, err = db.Collect(tx, func(rows db.Rows) (c stored, err error) {
			err = rows.Scan(&c.id, &c.sealed)
			return c, err
		}, `SELECT c.id, c.content_sealed FROM cards c JOIN skus k ON k.id = c.sku_id
			WHERE k.code = $1 AND c.merchant_id = $2 ORDER BY c.id`, code, s.m.ID)
		return err
	})
	for _, c := range all {
		text, err := s.vault.Unseal(vault.Cards, stock.CardCell(c.id), c.sealed)
		require.NoError(s.t, err)
		texts = append(texts, string(text))
	}
	return texts
}

// sound runs the invariants that concern an import.
func (s *shop) sound() {
	s.t.Helper()
	for _, inv := range slices.Concat(Invariants(), stock.Invariants(), catalog.Invariants(), merchant.Invariants()) {
		require.Empty(s.t, violations(s.t, s.db, inv), inv.Name)
	}
}

func violations(t *testing.T, d db.DB, inv invariant.Invariant) (out []string) {
	t.Helper()
	require.NoError(t, d.View(context.Background(), func(tx *db.Tx) (err error) {
		out, err = db.Collect(tx, func(rows db.Rows) (string, error) {
			var subject any
			var detail string
			err := rows.Scan(&subject, &detail)
			return fmt.Sprint(subject, ": ", detail), err
		}, inv.Query)
		return err
	}))
	return out
}

// plain drops what repeats in every finding.
func plain(found []Finding) (out []string) {
	for _, f := range found {
		if f.Column != "" {
			out = append(out, fmt.Sprintf("%d %s %s", f.Line, f.Column, f.Code))
			continue
		}
		out = append(out, fmt.Sprintf("%d %s", f.Line, f.Code))
	}
	return out
}
