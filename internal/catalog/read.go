package catalog

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"panshi/internal/db"
	"panshi/internal/errs"
	"panshi/internal/id"
	"panshi/internal/money"
	"panshi/internal/stock"
)

const productColumns = `p.id, p.merchant_id, p.category_id, p.slug, p.kind, p.title, p.title_en, p.summary, p.summary_en,
	p.description, p.description_en, p.image, p.status, p.position, p.per_order_limit, p.per_contact_limit,
	p.created_at, p.updated_at`

func scanProduct(rows db.Rows) (Product, error) {
	var p Product
	var kind, status string
	var created, updated db.Time
	err := rows.Scan(&p.ID, &p.MerchantID, &p.CategoryID, &p.Slug, &kind, &p.Title, &p.TitleEN, &p.Summary,
		&p.SummaryEN, &p.Description, &p.DescriptionEN, &p.Image, &status, &p.Position, &p.PerOrderLimit,
		&p.PerContactLimit, &created, &updated)
	p.Kind, p.On, p.CreatedAt, p.UpdatedAt = Kind(kind), status == "on", created.Time, updated.Time
	return p, err
}

const skuColumns = `k.id, k.product_id, k.code, k.title, k.title_en, k.price, k.currency, k.status, k.position,
	s.mode, s.available`

func scanSKU(rows db.Rows) (SKU, error) {
	var k SKU
	var currency, status, mode string
	err := rows.Scan(&k.ID, &k.ProductID, &k.Code, &k.Title, &k.TitleEN, &k.Price.Minor, &currency, &status,
		&k.Position, &mode, &k.Available)
	k.Price.Currency, k.On, k.Mode = money.Currency(currency), status == "on", stock.Mode(mode)
	if k.Mode == stock.Unlimited {
		k.Available = stock.UnlimitedShown
	}
	return k, err
}

// ListQuery chooses products.
type ListQuery struct {
	Category   string // slug; "" for all
	Text       string // part of a title; "" for all
	Cursor     string // from the page before; "" for the first
	Limit      int    // 1-100
	IncludeOff bool   // staff sees what is not on sale
}

// Page is one page of a list. Next is "" on the last one.
type Page struct {
	Items []Product
	Next  string
}

// ListTx returns a merchant's products with their SKUs in shelf order.
func ListTx(tx *db.Tx, merchantID id.ID, q ListQuery) (Page, error) {
	position, after, err := parseCursor(q.Cursor)
	if err != nil {
		return Page{}, err
	}
	products, err := db.Collect(tx, scanProduct, q.sql(), q.args(merchantID, position, after)...)
	if err != nil {
		return Page{}, err
	}
	page := Page{Items: products}
	if len(products) > q.Limit {
		page.Items = products[:q.Limit]
		last := page.Items[q.Limit-1]
		page.Next = cursor(last.Position, last.ID)
	}
	return page, withSKUs(tx, merchantID, page.Items)
}

func (q ListQuery) sql() string {
	var b strings.Builder
	b.WriteString(`SELECT ` + productColumns + ` FROM products p WHERE p.merchant_id = $1`)
	n := 1
	add := func(condition string, values int) {
		b.WriteString(" AND ")
		for range values {
			n++
			condition = strings.Replace(condition, "?", "$"+strconv.Itoa(n), 1)
		}
		b.WriteString(condition)
	}
	if !q.IncludeOff {
		add("p.status = 'on'", 0)
	}
	if q.Category != "" {
		add("p.category_id = (SELECT id FROM categories WHERE merchant_id = ? AND slug = ?)", 2)
	}
	if q.Text != "" {
		add(`(LOWER(p.title) LIKE ? ESCAPE '\' OR LOWER(p.title_en) LIKE ? ESCAPE '\')`, 2)
	}
	if q.Cursor != "" {
		add("(p.position > ? OR (p.position = ? AND p.id > ?))", 3)
	}
	return b.String() + fmt.Sprintf(" ORDER BY p.position, p.id LIMIT $%d", n+1)
}

func (q ListQuery) args(merchantID id.ID, position int, after id.ID) []any {
	args := []any{merchantID}
	if q.Category != "" {
		args = append(args, merchantID, q.Category)
	}
	if q.Text != "" {
		pattern := "%" + strings.NewReplacer(`\`, `\\`, "%", `\%`, "_", `\_`).Replace(strings.ToLower(q.Text)) + "%"
		args = append(args, pattern, pattern)
	}
	if q.Cursor != "" {
		args = append(args, position, position, after)
	}
	return append(args, q.Limit+1)
}

func cursor(position int, last id.ID) string {
	return base64.RawURLEncoding.EncodeToString([]byte(strconv.Itoa(position) + ":" + last.String()))
}

func parseCursor(text string) (position int, after id.ID, err error) {
	if text == "" {
		return 0, id.ID{}, nil
	}
	bad := errs.Field("cursor", "invalid_cursor", "this cursor is not from a list of ours")
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return 0, id.ID{}, bad
	}
	number, last, ok := strings.Cut(string(raw), ":")
	position, err = strconv.Atoi(number)
	if !ok || err != nil {
		return 0, id.ID{}, bad
	}
	if after, err = id.Parse(last); err != nil {
		return 0, id.ID{}, bad
	}
	return position, after, nil
}

// withSKUs fills the SKUs of a page of products by one query.
func withSKUs(tx *db.Tx, merchantID id.ID, products []Product) error {
	if len(products) == 0 {
		return nil
	}
	at := make(map[id.ID]int, len(products))
	args := []any{merchantID}
	marks := make([]string, len(products))
	for i, p := range products {
		at[p.ID] = i
		args = append(args, p.ID)
		marks[i] = "$" + strconv.Itoa(i+2)
	}
	skus, err := db.Collect(tx, scanSKU, `SELECT `+skuColumns+` FROM skus k JOIN stock s ON s.sku_id = k.id
		WHERE k.merchant_id = $1 AND k.product_id IN (`+strings.Join(marks, ", ")+`)
		ORDER BY k.product_id, k.position, k.id`, args...)
	for _, k := range skus {
		p := &products[at[k.ProductID]]
		p.SKUs = append(p.SKUs, k)
	}
	return err
}

// ByIDTx reads a product with its SKUs, on sale or not.
func ByIDTx(tx *db.Tx, merchantID, productID id.ID) (Product, error) {
	return oneProduct(tx, merchantID, `SELECT `+productColumns+` FROM products p
		WHERE p.id = $1 AND p.merchant_id = $2`, productID, merchantID)
}

// BySlugTx reads a product with its SKUs by slug, on sale or not.
func BySlugTx(tx *db.Tx, merchantID id.ID, slug string) (Product, error) {
	return oneProduct(tx, merchantID, `SELECT `+productColumns+` FROM products p
		WHERE p.merchant_id = $1 AND p.slug = $2`, merchantID, slug)
}

func oneProduct(tx *db.Tx, merchantID id.ID, query string, args ...any) (Product, error) {
	found, err := db.Collect(tx, scanProduct, query, args...)
	if err != nil {
		return Product{}, err
	}
	if len(found) == 0 {
		return Product{}, ErrProductNotFound
	}
	err = withSKUs(tx, merchantID, found)
	return found[0], err
}

// SKUByCodeTx reads a SKU by its code.
func SKUByCodeTx(tx *db.Tx, merchantID id.ID, code string) (SKU, error) {
	found, err := db.Collect(tx, scanSKU, `SELECT `+skuColumns+` FROM skus k JOIN stock s ON s.sku_id = k.id
		WHERE k.merchant_id = $1 AND k.code = $2`, merchantID, code)
	if err != nil {
		return SKU{}, err
	}
	if len(found) == 0 {
		return SKU{}, ErrSKUNotFound
	}
	return found[0], nil
}

// CategoriesTx lists a merchant's categories with their number of products on
// sale.
func CategoriesTx(tx *db.Tx, merchantID id.ID) ([]Category, error) {
	return db.Collect(tx, func(rows db.Rows) (Category, error) {
		c := Category{MerchantID: merchantID}
		err := rows.Scan(&c.ID, &c.Slug, &c.Title, &c.TitleEN, &c.Position, &c.Products)
		return c, err
	}, `SELECT c.id, c.slug, c.title, c.title_en, c.position,
		(SELECT COUNT(*) FROM products p WHERE p.category_id = c.id AND p.status = 'on')
		FROM categories c WHERE c.merchant_id = $1 ORDER BY c.position, c.id`, merchantID)
}
