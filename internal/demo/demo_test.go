package demo

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"panshi/internal/catalog"
	"panshi/internal/clock"
	"panshi/internal/db"
	"panshi/internal/db/dbtest"
	"panshi/internal/delivery"
	"panshi/internal/errs"
	"panshi/internal/id"
	"panshi/internal/imports"
	"panshi/internal/ledger"
	"panshi/internal/merchant"
	"panshi/internal/money"
	"panshi/internal/order"
	"panshi/internal/payment"
	"panshi/internal/stock"
	"panshi/internal/vault"
)

func services(t *testing.T, d db.DB) Services {
	t.Helper()
	dir := t.TempDir()
	v, err := vault.Create(vault.Config{KeyFile: filepath.Join(dir, "shop.key"), Dir: filepath.Join(dir, "keys")})
	require.NoError(t, err)
	log := slog.New(slog.DiscardHandler)
	return Services{DB: d, Merchants: merchant.NewService(d, clock.System{}), Imports: imports.New(d, v, log), Log: log}
}

func get(t *testing.T, d db.DB, query string, args ...any) (n int64) {
	t.Helper()
	require.NoError(t, d.View(t.Context(), func(tx *db.Tx) error { return tx.Get([]any{&n}, query, args...) }))
	return n
}

// state is every row count that Fill may change.
func state(t *testing.T, d db.DB) (out []int64) {
	t.Helper()
	for _, table := range strings.Fields(`merchants categories products skus stock cards shared_contents
		import_batches import_findings audit_records`) {
		out = append(out, get(t, d, `SELECT COUNT(*) FROM `+table))
	}
	return append(out, get(t, d, `SELECT COALESCE(SUM(updated_at), 0) FROM products`), get(t, d, `SELECT COALESCE(SUM(updated_at), 0) FROM stock`))
}

func sound(t *testing.T, d db.DB) {
	t.Helper()
	for _, inv := range slices.Concat(imports.Invariants(), stock.Invariants(), catalog.Invariants(), merchant.Invariants(),
		order.Invariants(), payment.Invariants(), delivery.Invariants(), ledger.Invariants()) {
		require.NoError(t, d.View(t.Context(), func(tx *db.Tx) error {
			bad, err := db.Collect(tx, func(rows db.Rows) (string, error) {
				var subject any
				var detail string
				err := rows.Scan(&subject, &detail)
				return fmt.Sprint(subject, " ", detail), err
			}, inv.Query)
			require.Empty(t, bad, inv.Name)
			return err
		}), inv.Name)
	}
}

func products(t *testing.T, d db.DB, merchantID id.ID) []catalog.Product {
	t.Helper()
	page, err := catalog.NewService(d).List(t.Context(), merchantID, catalog.ListQuery{Limit: 100})
	require.NoError(t, err)
	return page.Items
}

func TestFill(t *testing.T) {
	t.Parallel()
	d := dbtest.Open(t, dbtest.Options{})
	s := services(t, d)
	sum, err := Fill(t.Context(), s)
	require.NoError(t, err)
	require.Equal(t, Summary{Merchants: 2, SKUs: 31, Cards: 3440}, sum)
	sound(t, d)

	first, err := s.Merchants.ByHost(t.Context(), "localhost:8080")
	require.NoError(t, err)
	require.Equal(t, "panshi", first.Slug)
	require.True(t, first.IsDefault)
	second, err := s.Merchants.ByHost(t.Context(), "qingfeng.localhost:8080")
	require.NoError(t, err)
	require.Equal(t, "qingfeng", second.Slug)

	all := append(products(t, d, first.ID), products(t, d, second.ID)...)
	require.Len(t, all, 24)
	require.EqualValues(t, 5, get(t, d, `SELECT COUNT(DISTINCT slug) FROM categories`))
	soldOut := 0
	for _, p := range all {
		checkProduct(t, p)
		if p.Available() == 0 {
			soldOut++
		}
		if p.Slug == "starvoyage-coins" {
			require.Equal(t, []any{"DEMO-CARD", int64(2000)}, []any{p.SKUs[0].Code, p.SKUs[0].Available})
		}
	}
	require.Equal(t, 1, soldOut)

	before := state(t, d)
	again, err := Fill(t.Context(), s)
	require.NoError(t, err)
	require.Equal(t, Summary{Unchanged: true}, again)
	require.Equal(t, before, state(t, d))
}

func checkProduct(t *testing.T, p catalog.Product) {
	t.Helper()
	for _, text := range []string{p.Title, p.TitleEN, p.Summary, p.SummaryEN, p.Description, p.DescriptionEN} {
		require.NotEmpty(t, text, p.Slug)
	}
	require.False(t, p.CategoryID.IsZero(), p.Slug)
	require.Zero(t, p.PerOrderLimit+p.PerContactLimit, p.Slug)
	require.NotEmpty(t, p.SKUs, p.Slug)
	name, ok := strings.CutPrefix(p.Image, "/media/demo/")
	require.True(t, ok, p.Image)
	_, err := fs.Stat(MediaFS(), name)
	require.NoError(t, err)
	for _, k := range p.SKUs {
		require.Positive(t, k.Price.Minor)
		require.Equal(t, len(p.SKUs) > 1, k.Title != "" && k.TitleEN != "", k.Code)
	}
}

// TestFillInterrupted cancels filling at each of its transactions and starts
// it again: the outcome is that of one run.
func TestFillInterrupted(t *testing.T) {
	t.Parallel()
	for stop := 0; ; stop += 7 {
		d := dbtest.Open(t, dbtest.Options{})
		limited := &limitedDB{DB: d, left: stop}
		s := services(t, limited)
		_, err := Fill(t.Context(), s)
		if err == nil {
			require.Greater(t, stop, 50)
			return
		}
		require.ErrorIs(t, err, errLimit)
		limited.left = 1_000_000
		_, err = Fill(t.Context(), s)
		require.NoError(t, err, "stopped at %d", stop)
		require.EqualValues(t, 3440, get(t, d, `SELECT COUNT(*) FROM cards`))
		require.EqualValues(t, 24, get(t, d, `SELECT COUNT(*) FROM products`))
		require.EqualValues(t, 21, get(t, d, `SELECT COUNT(*) FROM import_batches WHERE status = 'done'`))
		require.EqualValues(t, 21, get(t, d, `SELECT COUNT(*) FROM import_batches`))
		require.EqualValues(t, 6, get(t, d, `SELECT COUNT(*) FROM shared_contents`))
		sound(t, d)
	}
}

var errLimit = errors.New("stopped")

// limitedDB refuses all but the first Updates.
type limitedDB struct {
	db.DB
	left int
}

func (l *limitedDB) Update(ctx context.Context, fn func(tx *db.Tx) error) error {
	if l.left--; l.left < 0 {
		return errLimit
	}
	return l.DB.Update(ctx, fn)
}

func TestFillRefusesOtherShops(t *testing.T) {
	t.Parallel()
	for _, slug := range []string{"somebody", "panshi"} {
		d := dbtest.Open(t, dbtest.Options{})
		s := services(t, d)
		m, err := s.Merchants.Put(t.Context(), merchant.Merchant{Slug: slug, Name: "店", Currency: money.CNY, Open: true})
		require.NoError(t, err)
		_, err = catalog.NewService(d).Put(t.Context(), catalog.Product{MerchantID: m.ID, Slug: "x", Kind: catalog.Card, Title: "x"})
		require.NoError(t, err)
		before := state(t, d)
		_, err = Fill(t.Context(), s)
		require.ErrorIs(t, err, ErrNotEmpty)
		require.Equal(t, errs.Conflict, errs.KindOf(err))
		require.Equal(t, "demo_not_empty", errs.CodeOf(err))
		require.Equal(t, before, state(t, d))
	}
}

// TestFillLeavesChangesAlone: a demo shop that somebody plays with is not
// reset.
func TestFillLeavesChangesAlone(t *testing.T) {
	t.Parallel()
	d := dbtest.Open(t, dbtest.Options{})
	s := services(t, d)
	_, err := Fill(t.Context(), s)
	require.NoError(t, err)
	require.NoError(t, d.Update(t.Context(), func(tx *db.Tx) error {
		_, err := tx.Exec(`UPDATE products SET title = 'mine' WHERE slug = 'logo-design'`)
		return err
	}))
	sum, err := Fill(t.Context(), s)
	require.NoError(t, err)
	require.True(t, sum.Unchanged)
	require.EqualValues(t, 1, get(t, d, `SELECT COUNT(*) FROM products WHERE title = 'mine'`))
}

func TestKeys(t *testing.T) {
	t.Parallel()
	shape := regexp.MustCompile(`^DEMO(-[0-9A-HJKMNP-TV-Z]{4}){4}$`)
	seen := map[string]bool{}
	for _, shop := range shops() {
		for _, c := range shop.cards {
			for _, key := range strings.Fields(string(cardFile(c.sku, c.count))) {
				require.Regexp(t, shape, key)
				require.False(t, seen[key])
				seen[key] = true
			}
		}
	}
	require.Equal(t, "DEMO-BN4D-MR6B-QGJN-AB4W", cardKey("DEMO-CARD", 0), "another key would be added to shops that were filled before")
}

func TestPictures(t *testing.T) {
	t.Parallel()
	files, err := fs.Glob(MediaFS(), "*.svg")
	require.NoError(t, err)
	require.Len(t, files, 24)
	seen := map[string]string{}
	for _, name := range files {
		raw, err := fs.ReadFile(MediaFS(), name)
		require.NoError(t, err)
		require.LessOrEqual(t, len(raw), 6<<10, name)
		require.Empty(t, seen[string(raw)], name)
		seen[string(raw)] = name
		checkSVG(t, name, string(raw))
	}
}

// checkSVG reads a picture as XML and refuses what could act or fetch.
func checkSVG(t *testing.T, name, text string) {
	t.Helper()
	allowed := strings.Fields("svg defs linearGradient radialGradient stop rect circle ellipse path g")
	dec := xml.NewDecoder(strings.NewReader(text))
	for {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		require.NoError(t, err, name)
		start, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		require.Contains(t, allowed, start.Name.Local, name)
		for _, a := range start.Attr {
			require.False(t, strings.HasPrefix(a.Name.Local, "on") || a.Name.Local == "href" || a.Name.Local == "style", name)
			if a.Name.Local != "xmlns" {
				require.NotContains(t, a.Value, ":", name)
			}
		}
	}
}
