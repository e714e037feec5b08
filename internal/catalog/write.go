package catalog

import (
	"errors"
	"fmt"

	"panshi/internal/cache"
	"panshi/internal/db"
	"panshi/internal/errs"
	"panshi/internal/id"
	"panshi/internal/stock"
)

func status(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

// PutCategoryTx inserts a category or updates the one with the same slug.
func PutCategoryTx(tx *db.Tx, c Category) (Category, error) {
	if err := c.validate(); err != nil {
		return Category{}, err
	}
	c.ID = id.New()
	_, err := tx.Exec(`INSERT INTO categories (id, merchant_id, slug, title, title_en, position, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (merchant_id, slug)
		DO UPDATE SET title = excluded.title, title_en = excluded.title_en, position = excluded.position`,
		c.ID, c.MerchantID, c.Slug, c.Title, c.TitleEN, c.Position, db.Millis(tx.Now()))
	if err != nil {
		return Category{}, err
	}
	err = tx.Get([]any{&c.ID}, `SELECT id FROM categories WHERE merchant_id = $1 AND slug = $2`, c.MerchantID, c.Slug)
	if err != nil {
		return Category{}, err
	}
	return c, cache.BumpTx(tx, c.MerchantID)
}

// AloneTx lets one transaction at a time change a merchant's catalogue, until it
// ends. Who decides by what it read of the catalogue calls it before the read;
// PutTx calls it itself.
func AloneTx(tx *db.Tx, merchantID id.ID) error {
	return tx.Alone("catalog " + merchantID.String())
}

// PutTx inserts a product or updates the one with the same slug, and puts its
// SKUs (by code); SKUs that are not in p stay as they are. It returns the
// product as stored. The kind of a product that exists cannot change: its
// stock is of that kind.
func PutTx(tx *db.Tx, p Product) (Product, error) {
	if err := p.validate(); err != nil {
		return Product{}, err
	}
	if err := AloneTx(tx, p.MerchantID); err != nil {
		return Product{}, err
	}
	if err := checkShopTx(tx, p); err != nil {
		return Product{}, err
	}
	old, err := BySlugTx(tx, p.MerchantID, p.Slug)
	switch {
	case errors.Is(err, ErrProductNotFound):
		p.ID = id.New()
		err = insertProduct(tx, p)
	case err == nil && old.Kind != p.Kind:
		return Product{}, errs.Field("kind", "kind_fixed", "the kind of a product cannot change")
	case err == nil:
		p.ID = old.ID
		err = updateProduct(tx, p)
	}
	if err != nil {
		return Product{}, err
	}
	for i, k := range p.SKUs {
		k.ProductID = p.ID
		if err := putSKU(tx, p, k); err != nil {
			return Product{}, atSKU(i, err)
		}
	}
	if err := cache.BumpTx(tx, p.MerchantID); err != nil {
		return Product{}, err
	}
	return ByIDTx(tx, p.MerchantID, p.ID)
}

// checkShopTx refuses what does not belong to the product's shop: another
// one's category, prices in another currency.
func checkShopTx(tx *db.Tx, p Product) error {
	var currency string
	var known int64
	err := tx.Get([]any{&currency, &known}, `SELECT m.currency,
		(SELECT COUNT(*) FROM categories c WHERE c.id = $1 AND c.merchant_id = m.id) FROM merchants m WHERE m.id = $2`,
		p.CategoryID, p.MerchantID)
	if err != nil {
		return err
	}
	if !p.CategoryID.IsZero() && known == 0 {
		return errs.Field("category_id", "category_not_found", "there is no such category")
	}
	for i, k := range p.SKUs {
		if string(k.Price.Currency) != currency {
			return atSKU(i, errs.Field("price", "sku_currency", "a SKU is priced in the currency of its shop"))
		}
	}
	return nil
}

// atSKU makes the field of a SKU's error name the SKU: skus[1].price.
func atSKU(i int, err error) error {
	var e *errs.Error
	if errors.As(err, &e) && e.Field != "" {
		c := *e
		c.Field = fmt.Sprintf("skus[%d].%s", i, e.Field)
		return &c
	}
	return err
}

func insertProduct(tx *db.Tx, p Product) error {
	now := db.Millis(tx.Now())
	_, err := tx.Exec(`INSERT INTO products (id, merchant_id, category_id, slug, kind, title, title_en, summary,
		summary_en, description, description_en, image, status, position, per_order_limit, per_contact_limit,
		created_at, updated_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)`,
		p.ID, p.MerchantID, p.CategoryID, p.Slug, string(p.Kind), p.Title, p.TitleEN, p.Summary, p.SummaryEN,
		p.Description, p.DescriptionEN, p.Image, status(p.On), p.Position, p.PerOrderLimit, p.PerContactLimit, now, now)
	return err
}

func updateProduct(tx *db.Tx, p Product) error {
	_, err := tx.Exec(`UPDATE products SET category_id = $1, title = $2, title_en = $3, summary = $4, summary_en = $5,
		description = $6, description_en = $7, image = $8, status = $9, position = $10, per_order_limit = $11,
		per_contact_limit = $12, updated_at = $13 WHERE id = $14 AND merchant_id = $15`,
		p.CategoryID, p.Title, p.TitleEN, p.Summary, p.SummaryEN, p.Description, p.DescriptionEN, p.Image,
		status(p.On), p.Position, p.PerOrderLimit, p.PerContactLimit, db.Millis(tx.Now()), p.ID, p.MerchantID)
	return err
}

func putSKU(tx *db.Tx, p Product, k SKU) error {
	if err := k.validate(); err != nil {
		return err
	}
	old, err := SKUByCodeTx(tx, p.MerchantID, k.Code)
	switch {
	case errors.Is(err, ErrSKUNotFound):
		return insertSKU(tx, p, k)
	case err != nil:
		return err
	case old.ProductID != p.ID:
		return errs.Field("code", "sku_code_taken", "another product has a SKU with this code")
	}
	_, err = tx.Exec(`UPDATE skus SET title = $1, title_en = $2, price = $3, currency = $4, status = $5,
		position = $6, updated_at = $7 WHERE id = $8 AND merchant_id = $9`,
		k.Title, k.TitleEN, k.Price.Minor, string(k.Price.Currency), status(k.On), k.Position,
		db.Millis(tx.Now()), old.ID, p.MerchantID)
	return err
}

func insertSKU(tx *db.Tx, p Product, k SKU) error {
	now := db.Millis(tx.Now())
	k.ID = id.New()
	if _, err := tx.Exec(`INSERT INTO skus (id, merchant_id, product_id, code, title, title_en, price, currency,
		status, position, created_at, updated_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
		k.ID, p.MerchantID, p.ID, k.Code, k.Title, k.TitleEN, k.Price.Minor, string(k.Price.Currency),
		status(k.On), k.Position, now, now); err != nil {
		return err
	}
	mode := stock.Unlimited
	switch {
	case p.Kind == Card:
		mode = stock.Cards
	case k.Mode == stock.Counted:
		mode = stock.Counted
	}
	return stock.InitTx(tx, p.MerchantID, k.ID, mode)
}
