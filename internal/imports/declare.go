package imports

import (
	"panshi/internal/dataclass"
	"panshi/internal/invariant"
)

// Invariants declares what `panshi check` verifies of imports.
func Invariants() []invariant.Invariant {
	return []invariant.Invariant{
		{
			Name: "imports.counts_fit_lines", About: "an import counted no more lines than it read",
			Query: `SELECT id, 'counted ' || (accepted + duplicates + bad) || ' of ' || (next_line - 1)
				FROM import_batches WHERE accepted + duplicates + bad > next_line - 1`,
		},
		{
			Name: "imports.accepted_equals_cards", About: "an import of cards accepted as many as it stored",
			Query: `SELECT b.id, 'accepted ' || b.accepted || ', cards ' || COALESCE(c.n, 0) FROM import_batches b
				LEFT JOIN (SELECT batch_id, COUNT(*) AS n FROM cards GROUP BY batch_id) c ON c.batch_id = b.id
				WHERE b.kind = 'cards' AND b.accepted <> COALESCE(c.n, 0)`,
		},
		{
			Name: "imports.cards_of_batch", About: "a card is of the merchant and SKU that its import was for",
			Query: `SELECT c.id, 'of another import' FROM cards c JOIN import_batches b ON b.id = c.batch_id
				WHERE b.merchant_id <> c.merchant_id OR b.sku_id IS NULL OR b.sku_id <> c.sku_id`,
		},
		{
			Name: "imports.findings_counted", About: "the findings of an import are counted, up to the first 1,000",
			Query: `SELECT b.id, 'counted ' || (b.duplicates + b.bad) || ', kept ' || COALESCE(f.n, 0)
				FROM import_batches b LEFT JOIN (SELECT batch_id, COUNT(*) AS n FROM import_findings
				GROUP BY batch_id) f ON f.batch_id = b.id WHERE COALESCE(f.n, 0) <>
				CASE WHEN b.duplicates + b.bad > 1000 THEN 1000 ELSE b.duplicates + b.bad END`,
		},
		{
			Name: "imports.finding_has_batch", About: "a finding belongs to an import of its merchant",
			Query: `SELECT f.batch_id, 'line ' || f.line_no FROM import_findings f LEFT JOIN import_batches b
				ON b.id = f.batch_id AND b.merchant_id = f.merchant_id WHERE b.id IS NULL`,
		},
	}
}

// Columns declares the data classes of this package's tables.
func Columns() []dataclass.Table {
	return []dataclass.Table{
		dataclass.Of("import_batches", dataclass.Trade, []string{
			"id", "merchant_id", "kind", "sku_id", "file_name", "file_digest", "file_size", "next_line",
			"accepted", "duplicates", "bad", "status", "created_at", "updated_at",
		}),
		dataclass.Of("import_findings", dataclass.Trade, []string{"batch_id", "line_no", "merchant_id", "code"}),
	}
}
