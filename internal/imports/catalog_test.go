package imports

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"panshi/internal/catalog"
	"panshi/internal/db"
	"panshi/internal/errs"
	"panshi/internal/stock"
)

const header = "slug,kind,category,category_title,category_title_en,title,title_en,summary,summary_en,description," +
	"description_en,image,sku,sku_title,sku_title_en,price,stock,content,per_order_limit,per_contact_limit,status,position\n"

const goodCatalog = header +
	"coins,card,games,游戏,Games,星币,Coins,简介,Short,\"第一段\r\n\r\n第二段\",Long,/media/demo/a.svg,COIN-60,60 枚,60 coins,6.00,,,5,,on,10\n" +
	"guide,text,books,书,Books,\"指南, \"\"全\"\"\",Guide,,,,,,GUIDE,,,9.9,,\"=SUM(A1)\n第二行\",,,,20\n" +
	"coins,,,,,,,,,,,,COIN-300,300 枚,,３０,,,,,,\n" +
	",,,,,,,,,,,,,,,,,,,,,\n" +
	"logo,manual,,,,+Logo,,@x,,,,,LOGO,,,200,12,,,2,off\n"

func (s *shop) catalogRequest(text string) CatalogRequest {
	return CatalogRequest{MerchantID: s.m.ID, FileName: `C:\shop\goods.csv`, Source: strings.NewReader(text)}
}

func (s *shop) loadCatalog(text string) Report {
	s.t.Helper()
	r, err := s.Catalog(s.t.Context(), s.catalogRequest(text), nil)
	require.NoError(s.t, err, plain(r.Findings))
	require.Empty(s.t, r.Findings)
	return r
}

func (s *shop) bySlug(slug string) (p catalog.Product) {
	s.t.Helper()
	s.view(func(tx *db.Tx) (err error) {
		p, err = catalog.BySlugTx(tx, s.m.ID, slug)
		return err
	})
	return p
}

func TestCatalogGood(t *testing.T) {
	t.Parallel()
	semicolons := strings.ReplaceAll(header, ",", ";") + "one;card;;;;T;;;;;;;ONE;;;1,5\n"
	for name, file := range map[string]string{
		"UTF-8":           goodCatalog,
		"UTF-8 with mark": "\xEF\xBB\xBF" + goodCatalog,
		"GB18030":         gbk(t, goodCatalog),
		"CRLF":            strings.ReplaceAll(strings.ReplaceAll(goodCatalog, "\r\n", "\n"), "\n", "\r\n"),
		"CR":              strings.ReplaceAll(strings.ReplaceAll(goodCatalog, "\r\n", "\n"), "\n", "\r"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShop(t)
			r := s.loadCatalog(file)
			require.EqualValues(t, 4, r.Accepted)
			checkGood(t, s)
			before := s.bySlug("coins")
			s.loadCatalog(file)
			checkGood(t, s)
			require.Equal(t, before.ID, s.bySlug("coins").ID)
			require.EqualValues(t, 1, s.count(`SELECT COUNT(*) FROM shared_contents`))
			s.sound()
		})
	}
	s := newShop(t)
	_, err := s.Catalog(t.Context(), s.catalogRequest(semicolons), nil)
	require.Equal(t, "catalog_bad_rows", errs.CodeOf(err))
	s.loadCatalog(strings.Replace(semicolons, "1,5", "1.5", 1))
	require.EqualValues(t, 150, s.bySlug("one").SKUs[0].Price.Minor)
}

func checkGood(t *testing.T, s *shop) {
	t.Helper()
	coins, guide, logo := s.bySlug("coins"), s.bySlug("guide"), s.bySlug("logo")
	require.Equal(t, "第一段\n\n第二段", coins.Description)
	require.Equal(t, []any{catalog.Card, "星币", "Coins", 5, 0, true, 10, "/media/demo/a.svg"},
		[]any{coins.Kind, coins.Title, coins.TitleEN, coins.PerOrderLimit, coins.PerContactLimit, coins.On, coins.Position, coins.Image})
	require.Len(t, coins.SKUs, 2)
	require.Equal(t, []any{"COIN-60", "60 枚", "60 coins", "6.00 CNY", "COIN-300", "30.00 CNY"},
		[]any{coins.SKUs[0].Code, coins.SKUs[0].Title, coins.SKUs[0].TitleEN, coins.SKUs[0].Price.String(), coins.SKUs[1].Code, coins.SKUs[1].Price.String()})
	require.Equal(t, `指南, "全"`, guide.Title)
	require.Equal(t, stock.Unlimited, guide.SKUs[0].Mode)
	text, err := s.currentText(t.Context(), s.m.ID, "GUIDE")
	require.NoError(t, err)
	require.Equal(t, "=SUM(A1)\n第二行", string(text))
	require.Equal(t, []any{"+Logo", "@x", false, 2, stock.Counted, int64(12)},
		[]any{logo.Title, logo.Summary, logo.On, logo.PerContactLimit, logo.SKUs[0].Mode, logo.SKUs[0].Available})
	require.True(t, logo.CategoryID.IsZero())
	s.view(func(tx *db.Tx) error {
		all, err := catalog.CategoriesTx(tx, s.m.ID)
		require.Len(t, all, 2)
		require.Equal(t, []any{"games", "游戏", "Games", 10}, []any{all[0].Slug, all[0].Title, all[0].TitleEN, all[0].Position})
		require.Equal(t, coins.CategoryID, all[0].ID)
		return err
	})
}

func TestCatalogKeepsWhatHasNoColumn(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.loadCatalog(goodCatalog)
	s.update(func(tx *db.Tx) error {
		_, err := tx.Exec(`UPDATE skus SET status = 'off' WHERE code = 'COIN-300'`)
		return err
	})
	before, logo := s.bySlug("coins"), s.bySlug("logo")
	s.loadCatalog("price,sku,title,kind,slug\n7,COIN-60,新名,卡密,coins\n31.5,COIN-300,,,coins\n1,LOGO,+Logo,人工,logo\n")
	after := s.bySlug("coins")
	require.Equal(t, "新名", after.Title)
	require.EqualValues(t, 700, after.SKUs[0].Price.Minor)
	require.False(t, after.SKUs[1].On)
	before.Title, before.SKUs, before.UpdatedAt = after.Title, after.SKUs, after.UpdatedAt
	require.Equal(t, before, after)
	require.Equal(t, logo.SKUs[0].Available, s.bySlug("logo").SKUs[0].Available)
	s.sound()
}

func TestCatalogBadRows(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("长", 100)
	for _, c := range []struct{ rows, want string }{
		{"a,card,,,,T,,,,,,,A,,,1.234\n", "2 price invalid_price"},
		{"a,card,,,,T,,,,,,,A,,,0\n", "2 price out_of_range"},
		{"a,card,,,,T,,,,,,,A,,,-1\n", "2 price invalid_price"},
		{"a,card,,,,T,,,,,,,A,,,\n", "2 price invalid_price"},
		{"a,card,,,,T,,,,,,,A,,,1e3\n", "2 price invalid_price"},
		{"a,card,,,,T,,,,,,,,,,1\n", "2 sku required"},
		{",card,,,,T,,,,,,,A,,,1\n", "2 slug required"},
		{"a b,card,,,,T,,,,,,,A,,,1\n", "2 slug invalid_slug"},
		{"a,card,,,,T,,,,,,,A B,,,1\na,,,,,,,,,,,,C D,,,1\n", "2 sku invalid_slug; 3 sku invalid_slug"},
		{"a,card,,,,,,,,,,,A,,,1\na,,,,,,,,,,,,B,,,1\n", "2 title required"},
		{"a,card,,,," + long + ",,,,,,,A,,,1\n", "2 title too_long"},
		{"a,card,,,,T,,,,,,,A," + long + ",,1\n", "2 sku_title too_long"},
		{"a,gift,,,,T,,,,,,,A,,,1\n", "2 kind invalid_kind"},
		{"a,card,,,,T,,,,,,,A,,,1,5\n", "2 stock stock_not_for_cards"},
		{"a,manual,,,,T,,,,,,,A,,,1,many\n", "2 stock invalid_number"},
		{"a,manual,,,,T,,,,,,,A,,,1,2000000000\n", "2 stock out_of_range"},
		{"a,manual,,,,T,,,,,,,A,,,1,,secret\n", "2 content content_only_for_text"},
		{"a,text,,,,T,,,,,,,A,,,1\n", "2 content content_missing"},
		{"a,text,,,,T,,,,,,,A,,,1,," + strings.Repeat("x", 20_001) + "\n", "2 content too_long"},
		{"a,card,,,,T,,,,,,,A,,,1,,,1000\n", "2 per_order_limit out_of_range"},
		{"a,card,,,,T,,,,,,,A,,,1,,,x\n", "2 per_order_limit invalid_number"},
		{"a,card,,,,T,,,,,,,A,,,1,,,,,maybe\n", "2 status invalid_status"},
		{"a,card,none,,,T,,,,,,,A,,,1\n", "2 category category_unknown"},
		{"a,card,,分类,,T,,,,,,,A,,,1\n", "2 category required"},
		{"a,card,n n,分类,,T,,,,,,,A,,,1\n", "2 category invalid_slug"},
		{"a,card,g,X,,T,,,,,,,A,,,1\nb,card,g,Y,,T,,,,,,,B,,,1\n", "3 category_title conflicting_value"},
		{"a,card,,,,T,,,,,,,A,,,1\na,text,,,,U,,,,,,,B,,,1\n", "3 kind conflicting_value; 3 title conflicting_value"},
		{"a,card,,,,T,,,,,,,A,,,1\nb,card,,,,T,,,,,,,A,,,1\n", "3 sku duplicate_sku"},
		{"a,card,,,,T,,,,,,,KEY,,,1\n", "2 sku sku_code_taken"},
		{"keys,manual,,,,T,,,,,,,A,,,1\n", "2 kind kind_fixed"},
		{"a,card,,,,T,,,,,,,A,,,1,,,,,,,more\n", "2 too_many_cells"},
		{"a,card,,,,T\x01,,,,,,,A,,,1\n", "2 title control_character"},
		{"a,card,,,,磐石\nb,card,,,,\xff\xff\xff,,,,,,,B,,,1\n", "2 price invalid_price; 2 sku required; 3 title bad_encoding"},
		{"a,card,,,,\"T\n\n\",,,,,,,A,,,1\nb,card,,,,T,,,,,,,B,,,x\n", "5 price invalid_price"},
		{"a,card,,,,T,,,,,,,A,,,1\nb,card,,,,\"T,,,,,,,B,,,1\n", "3 bad_quotes"},
	} {
		t.Run(c.want, func(t *testing.T) {
			t.Parallel()
			s := newShop(t)
			dry := s.catalogRequest(header + c.rows + "good,card,,,,T,,,,,,,GOOD,,,1\n")
			dry.DryRun = true
			r, err := s.Catalog(t.Context(), dry, nil)
			require.NoError(t, err)
			require.Equal(t, c.want, strings.Join(plain(r.Findings), "; "))
			require.Positive(t, r.Bad)
			for _, f := range r.Findings {
				require.NotEmpty(t, f.Text)
			}
			again, err := s.Catalog(t.Context(), s.catalogRequest(header+c.rows+"good,card,,,,T,,,,,,,GOOD,,,1\n"), nil)
			require.Equal(t, "catalog_bad_rows", errs.CodeOf(err))
			require.Equal(t, r, again)
			require.EqualValues(t, 4, s.count(`SELECT COUNT(*) FROM products`), "nothing is imported")
			require.EqualValues(t, 0, s.count(`SELECT COUNT(*) FROM categories`))
			require.EqualValues(t, 0, s.count(`SELECT COUNT(*) FROM import_batches`))
		})
	}
}

func TestCatalogRefusedFiles(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	for file, want := range map[string][2]string{
		"slug,kind,title,sku,price,colour\n": {"unknown_column", "colour"},
		"slug,kind,title,sku,price,sku\n":    {"duplicate_column", "sku"},
		"slug,kind,title,sku\n":              {"missing_column", "price"},
		"\"slug\n":                           {"header_unreadable", ""},
		"":                                   {"file_empty", ""},
		"\xFF\xFEs\x00":                      {"file_utf16", ""},
		"PK\x03\x04":                         {"file_not_text", ""},
	} {
		_, err := s.Catalog(t.Context(), s.catalogRequest(file), nil)
		require.Equal(t, want[0], errs.CodeOf(err), "%q", file)
		require.ErrorContains(t, err, want[1])
	}
	_, err := s.Catalog(t.Context(), CatalogRequest{Source: strings.NewReader(goodCatalog)}, nil)
	require.Equal(t, "merchant_not_found", errs.CodeOf(err))
	_, err = s.Catalog(t.Context(), s.catalogRequest(strings.Repeat("x", maxCatalog+1)), nil)
	require.Equal(t, "file_too_large", errs.CodeOf(err))
}

// TestCatalogResume stops a catalogue of several chunks after each of them.
func TestCatalogResume(t *testing.T) {
	t.Parallel()
	var file strings.Builder
	file.WriteString(header)
	for i := range 130 {
		fmt.Fprintf(&file, "p%03d,text,c%d,分类,,商品,,,,,,,P%03d-1,,,1,3,text\n", i, i%3, i)
	}
	for i := range 130 {
		fmt.Fprintf(&file, "p%03d,,,,,,,,,,,,P%03d-2,,,2,,more text\n", i, i)
	}
	for stop := range 4 {
		s := newShop(t)
		ctx, cancel := context.WithCancel(t.Context())
		calls := 0
		first, err := s.Catalog(ctx, s.catalogRequest(file.String()), func(p Progress) {
			if calls++; calls == stop {
				cancel()
			}
		})
		cancel()
		if stop == 0 {
			require.NoError(t, err)
			require.Greater(t, calls, 3)
		} else {
			require.ErrorIs(t, err, context.Canceled)
			require.Equal(t, first.Accepted, s.count(`SELECT COUNT(*) FROM skus WHERE code LIKE 'P%'`))
			s.sound()
			r := s.loadCatalog(file.String())
			require.True(t, r.Resumed)
			require.EqualValues(t, 260, r.Accepted)
		}
		require.EqualValues(t, 260, s.count(`SELECT COUNT(*) FROM skus WHERE code LIKE 'P%'`))
		require.EqualValues(t, 260, s.count(`SELECT COUNT(*) FROM shared_contents`))
		require.EqualValues(t, 3, s.count(`SELECT COUNT(*) FROM categories`))
		require.EqualValues(t, 1, s.count(`SELECT COUNT(*) FROM import_batches WHERE status = 'done'`))
		s.sound()
	}
}

// TestCatalogManySKUs holds the promise of at most db.MaxRows rows a
// transaction at its edge.
func TestCatalogManySKUs(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	var file strings.Builder
	file.WriteString(header)
	for i := range 101 {
		fmt.Fprintf(&file, "big,manual,,,,商品,,,,,,,BIG-%d,,,1,1\n", i)
	}
	r, err := s.Catalog(t.Context(), s.catalogRequest(file.String()), nil)
	require.Equal(t, "catalog_bad_rows", errs.CodeOf(err))
	require.Equal(t, []string{"102 sku too_many_skus"}, plain(r.Findings))
	all := strings.SplitAfter(file.String(), "\n")
	require.EqualValues(t, 100, s.loadCatalog(strings.Join(all[:101], "")).Accepted)
	for _, part := range chunks(newPlanOf(t, file.String()).products) {
		rows := 2 // the batch and its trail
		for _, d := range part {
			rows += rowsOf(d)
		}
		require.LessOrEqual(t, rows, db.MaxRows)
	}
	s.sound()
}

func newPlanOf(t *testing.T, text string) *plan {
	t.Helper()
	rows, err := parseSheet(text)
	require.NoError(t, err)
	return newPlan(rows, "CNY")
}
