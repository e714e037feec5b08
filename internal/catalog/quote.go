package catalog

import (
	"panshi/internal/db"
	"panshi/internal/id"
	"panshi/internal/money"
	"panshi/internal/stock"
)

const quoteColumns = `k.id, k.merchant_id, p.id, p.kind, p.title, p.title_en, k.title, k.title_en, k.price, k.currency,
	CASE WHEN p.status = 'on' AND k.status = 'on' THEN 1 ELSE 0 END,
	CASE WHEN m.status = 'open' THEN 1 ELSE 0 END,
	s.mode, s.available, p.per_order_limit, p.per_contact_limit`

const quoteJoins = `JOIN products p ON p.id = k.product_id JOIN stock s ON s.sku_id = k.id
	JOIN merchants m ON m.id = k.merchant_id`

// quoted is a quote with its titles in all languages.
type quoted struct {
	Quote
	merchantID          id.ID
	titleEN, sku, skuEN string
}

func scanQuote(rows db.Rows) (quoted, error) {
	var q quoted
	var kind, currency, mode string
	var onSale, open int64
	err := rows.Scan(&q.SKUID, &q.merchantID, &q.ProductID, &kind, &q.Title, &q.titleEN, &q.sku, &q.skuEN,
		&q.Price.Minor, &currency, &onSale, &open, &mode, &q.Available, &q.PerOrderLimit, &q.PerContactLimit)
	q.Kind, q.Price.Currency, q.OnSale, q.Mode = Kind(kind), money.Currency(currency), onSale == 1, stock.Mode(mode)
	q.ShopOpen = open == 1
	return q, err
}

// in gives the quote as a buyer reads it.
func (q quoted) in(lang string) Quote {
	quote := q.Quote
	quote.Title = pick(lang, q.Title, q.titleEN)
	if v := pick(lang, q.sku, q.skuEN); v != "" {
		quote.Title += " · " + v
	}
	return quote
}

// QuoteTx reads what an order needs of one SKU, with its title in a language.
func QuoteTx(tx *db.Tx, merchantID, skuID id.ID, lang string) (Quote, error) {
	found, err := db.Collect(tx, scanQuote, `SELECT `+quoteColumns+` FROM skus k `+quoteJoins+`
		WHERE k.id = $1 AND k.merchant_id = $2`, skuID, merchantID)
	if err != nil {
		return Quote{}, err
	}
	if len(found) == 0 {
		return Quote{}, ErrSKUNotFound
	}
	return found[0].in(lang), nil
}

// Quotes are what QuotesTx read.
type Quotes map[quotedBy]quoted

type quotedBy struct{ merchant, sku id.ID }

// QuotesTx reads the quotes of many SKUs, each of the merchant at the same
// place, with one query. It is for PostgreSQL.
func QuotesTx(tx *db.Tx, merchants, skus []id.ID) (Quotes, error) {
	found, err := db.Collect(tx, scanQuote, `SELECT `+quoteColumns+`
		FROM (SELECT DISTINCT merchant_id, sku_id FROM UNNEST($1::BYTEA[], $2::BYTEA[]) AS u(merchant_id, sku_id)) w
		JOIN skus k ON k.id = w.sku_id AND k.merchant_id = w.merchant_id `+quoteJoins, merchants, skus)
	quotes := make(Quotes, len(found))
	for _, q := range found {
		quotes[quotedBy{q.merchantID, q.SKUID}] = q
	}
	return quotes, err
}

// Of gives the quote of one of the SKUs, as QuoteTx does.
func (q Quotes) Of(merchantID, skuID id.ID, lang string) (Quote, error) {
	found, ok := q[quotedBy{merchantID, skuID}]
	if !ok {
		return Quote{}, ErrSKUNotFound
	}
	return found.in(lang), nil
}
