package catalog

import (
	"panshi/internal/db"
	"panshi/internal/id"
	"panshi/internal/money"
	"panshi/internal/stock"
)

// The columns that an order needs of a SKU; the titles in the language that a
// parameter or a column names come before them.
const quoteColumns = `k.price, k.currency,
	CASE WHEN p.status = 'on' AND k.status = 'on' THEN 1 ELSE 0 END, CASE WHEN m.status = 'open' THEN 1 ELSE 0 END,
	s.mode, s.available, p.id, p.kind, p.per_order_limit, p.per_contact_limit`

const quoteTables = `JOIN products p ON p.id = k.product_id JOIN stock s ON s.sku_id = k.id
	JOIN merchants m ON m.id = k.merchant_id`

// scanQuote reads quoteColumns behind what more holds.
func scanQuote(rows db.Rows, more ...any) (Quote, error) {
	var q Quote
	var kind, currency, mode, variant string
	var onSale, open int64
	err := rows.Scan(append(more, &q.Title, &variant, &q.Price.Minor, &currency, &onSale, &open,
		&mode, &q.Available, &q.ProductID, &kind, &q.PerOrderLimit, &q.PerContactLimit)...)
	q.Kind, q.Price.Currency, q.OnSale, q.Mode = Kind(kind), money.Currency(currency), onSale == 1, stock.Mode(mode)
	q.ShopOpen = open == 1
	if variant != "" {
		q.Title += " · " + variant
	}
	return q, err
}

// QuoteTx reads what an order needs of one SKU, with its title in a language.
func QuoteTx(tx *db.Tx, merchantID, skuID id.ID, lang string) (Quote, error) {
	found, err := db.Collect(tx, func(rows db.Rows) (Quote, error) { return scanQuote(rows) },
		`SELECT CASE WHEN $1 = 'en' AND p.title_en <> '' THEN p.title_en ELSE p.title END,
		CASE WHEN $2 = 'en' AND k.title_en <> '' THEN k.title_en ELSE k.title END, `+quoteColumns+`
		FROM skus k `+quoteTables+` WHERE k.id = $3 AND k.merchant_id = $4`, lang, lang, skuID, merchantID)
	if err != nil {
		return Quote{}, err
	}
	if len(found) == 0 {
		return Quote{}, ErrSKUNotFound
	}
	found[0].SKUID = skuID
	return found[0], nil
}

// Wanted is a SKU of a merchant, and the language of its title.
type Wanted struct {
	MerchantID id.ID
	SKUID      id.ID
	Lang       string
}

// QuotesTx reads the quotes of many SKUs with one query. Those that there are
// not are not in the answer. It is for PostgreSQL.
func QuotesTx(tx *db.Tx, wanted []Wanted) (map[Wanted]Quote, error) {
	quotes := make(map[Wanted]Quote, len(wanted))
	var merchants, skus []id.ID
	var langs []string
	for _, w := range wanted {
		if _, twice := quotes[w]; !twice {
			quotes[w] = Quote{}
			merchants, skus, langs = append(merchants, w.MerchantID), append(skus, w.SKUID), append(langs, w.Lang)
		}
	}
	clear(quotes)
	_, err := db.Collect(tx, func(rows db.Rows) (none struct{}, err error) {
		var w Wanted
		q, err := scanQuote(rows, &w.SKUID, &w.MerchantID, &w.Lang)
		q.SKUID = w.SKUID
		quotes[w] = q
		return none, err
	}, `SELECT w.sku_id, w.merchant_id, w.lang,
		CASE WHEN w.lang = 'en' AND p.title_en <> '' THEN p.title_en ELSE p.title END,
		CASE WHEN w.lang = 'en' AND k.title_en <> '' THEN k.title_en ELSE k.title END, `+quoteColumns+`
		FROM UNNEST($1::BYTEA[], $2::BYTEA[], $3::TEXT[]) AS w(sku_id, merchant_id, lang)
		JOIN skus k ON k.id = w.sku_id AND k.merchant_id = w.merchant_id `+quoteTables,
		skus, merchants, langs)
	return quotes, err
}
