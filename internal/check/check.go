package check

import (
	"context"
	"encoding/hex"
	"fmt"

	"panshi/internal/db"
	"panshi/internal/invariant"
)

// MaxShown is how many violations of one invariant a report lists.
const MaxShown = 20

// Violation is one row that breaks an invariant.
type Violation struct {
	Subject string `json:"subject"`
	Detail  string `json:"detail"`
}

// Result is what one invariant found.
type Result struct {
	Name       string      `json:"name"`
	About      string      `json:"about"`
	Count      int         `json:"count"`                // all violations
	Violations []Violation `json:"violations,omitempty"` // the first MaxShown
}

// Report is one run over all invariants.
type Report struct {
	Results    []Result `json:"results"`
	Violations int      `json:"violations"` // over all invariants
}

// Run checks all invariants, each on one consistent state. progress is called
// before each. Long reads do not hold up buyers.
func Run(ctx context.Context, d db.DB, all []invariant.Invariant, progress func(name string, done, total int)) (Report, error) {
	var report Report
	for i, inv := range all {
		progress(inv.Name, i, len(all))
		result, err := runOne(ctx, d, inv)
		if err != nil {
			return report, err
		}
		report.Results = append(report.Results, result)
		report.Violations += result.Count
	}
	progress("", len(all), len(all))
	return report, nil
}

func runOne(ctx context.Context, d db.DB, inv invariant.Invariant) (Result, error) {
	result := Result{Name: inv.Name, About: inv.About}
	err := d.View(db.WithLong(ctx), func(tx *db.Tx) error {
		result.Count, result.Violations = 0, nil
		rows, err := tx.Query(inv.Query)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var subject, detail any
			if err := rows.Scan(&subject, &detail); err != nil {
				return err
			}
			if result.Count++; result.Count <= MaxShown {
				result.Violations = append(result.Violations, Violation{text(subject), text(detail)})
			}
		}
		return rows.Err()
	})
	return result, err
}

// text shows a column: ids are bytes, all else is text or a number.
func text(v any) string {
	switch v := v.(type) {
	case []byte:
		return hex.EncodeToString(v)
	case string:
		return v
	case nil:
		return ""
	}
	return fmt.Sprint(v)
}
