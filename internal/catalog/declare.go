package catalog

import (
	"panshi/internal/dataclass"
	"panshi/internal/invariant"
)

// Invariants declares what `panshi check` verifies of the catalogue.
func Invariants() []invariant.Invariant {
	return []invariant.Invariant{
		{
			Name: "catalog.sku_has_product", About: "every SKU belongs to a product of its merchant",
			Query: `SELECT k.id, k.code FROM skus k LEFT JOIN products p
				ON p.id = k.product_id AND p.merchant_id = k.merchant_id WHERE p.id IS NULL`,
		},
		{
			Name: "catalog.category_of_same_merchant", About: "a product's category belongs to its merchant",
			Query: `SELECT p.id, p.slug FROM products p LEFT JOIN categories c
				ON c.id = p.category_id AND c.merchant_id = p.merchant_id
				WHERE p.category_id IS NOT NULL AND c.id IS NULL`,
		},
		{
			Name: "catalog.card_products_sell_cards", About: "card products, and only they, have card stock",
			Query: `SELECT k.id, p.kind || ' with stock ' || s.mode FROM skus k JOIN products p ON p.id = k.product_id
				JOIN stock s ON s.sku_id = k.id WHERE (p.kind = 'card') <> (s.mode = 'cards')`,
		},
	}
}

// Columns declares the data classes of this package's tables.
func Columns() []dataclass.Table {
	return []dataclass.Table{
		dataclass.Of("categories", dataclass.Public, []string{
			"id", "merchant_id", "slug", "title", "title_en", "position", "created_at",
		}),
		dataclass.Of("products", dataclass.Public, []string{
			"id", "merchant_id", "category_id", "slug", "kind", "title", "title_en", "summary", "summary_en",
			"description", "description_en", "image", "status", "position", "per_order_limit", "per_contact_limit",
			"created_at", "updated_at",
		}),
		dataclass.Of("skus", dataclass.Public, []string{
			"id", "merchant_id", "product_id", "code", "title", "title_en", "price", "currency", "status", "position",
			"created_at", "updated_at",
		}),
	}
}
