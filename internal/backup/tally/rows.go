package tally

import "panshi/internal/db"

// rowsOf counts the rows of tables, each from end to end. Names come from no
// input.
func rowsOf(tx *db.Tx, tables []string) (map[string]int64, error) {
	out := map[string]int64{}
	for _, table := range tables {
		var n int64
		if err := tx.Get([]any{&n}, `SELECT COUNT(*) FROM `+table); err != nil {
			return nil, err
		}
		out[table] = n
	}
	return out, nil
}
