// Package catalog owns what the shop shows: categories, products and their
// SKUs with prices. Availability is read from the counters that package stock
// keeps in the same database; nothing here counts cards, and an order never
// prices from a list: it asks QuoteTx inside its own transaction.
//
// Invariants: slugs of categories and products and codes of SKUs are unique
// within a merchant; a SKU has a price of at least one minor unit.
package catalog
