package merchant

import (
	"panshi/internal/dataclass"
	"panshi/internal/invariant"
)

// Invariants declares what `panshi check` verifies of merchants.
func Invariants() []invariant.Invariant {
	return []invariant.Invariant{
		{
			Name: "merchant.one_default", About: "exactly one merchant is the default",
			Query: `SELECT 'merchants', COUNT(*) || ' defaults' FROM merchants WHERE is_default = 1
				HAVING COUNT(*) <> 1 AND (SELECT COUNT(*) FROM merchants) > 0`,
		},
		{
			Name: "merchant.unique_host", About: "a host name belongs to one merchant",
			Query: `SELECT host, COUNT(*) || ' merchants' FROM merchants WHERE host <> ''
				GROUP BY host HAVING COUNT(*) > 1`,
		},
	}
}

// Columns declares the data classes of this package's tables.
func Columns() []dataclass.Table {
	return []dataclass.Table{dataclass.Of("merchants", dataclass.Public, []string{
		"id", "slug", "host", "is_default", "name", "name_en", "tagline", "tagline_en",
		"notice", "notice_en", "currency", "status", "created_at", "updated_at",
	})}
}
