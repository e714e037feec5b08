package ledger

import (
	"panshi/internal/db"
	"panshi/internal/id"
)

// PostManyTx books entries as PostTx does, with two statements for all. It is
// for PostgreSQL.
func PostManyTx(tx *db.Tx, entries []Entry) error {
	n := len(entries)
	ids, merchants, kinds, subjects := make([]id.ID, n), make([]id.ID, n), make([]string, n), make([]id.ID, n)
	var l legs
	for i, e := range entries {
		if err := e.balanced(); err != nil {
			return err
		}
		ids[i], merchants[i], kinds[i], subjects[i] = id.New(), e.MerchantID, e.Kind, e.SubjectID
		l.add(ids[i], e)
	}
	if _, err := tx.Exec(`INSERT INTO ledger_entries (id, merchant_id, kind, subject_id, created_at)
		SELECT e.*, $1 FROM UNNEST($2::BYTEA[], $3::BYTEA[], $4::TEXT[], $5::BYTEA[]) AS e`,
		db.Millis(tx.Now()), ids, merchants, kinds, subjects); err != nil {
		return err
	}
	_, err := tx.Exec(`INSERT INTO ledger_postings (entry_id, leg, merchant_id, account, amount, currency)
		SELECT * FROM UNNEST($1::BYTEA[], $2::BIGINT[], $3::BYTEA[], $4::TEXT[], $5::BIGINT[], $6::TEXT[])`,
		l.entries, l.numbers, l.merchants, l.accounts, l.amounts, l.currencies)
	return err
}

// legs are the columns of postings.
type legs struct {
	entries, merchants   []id.ID
	numbers, amounts     []int64
	accounts, currencies []string
}

func (l *legs) add(entryID id.ID, e Entry) {
	for i, leg := range e.Legs {
		l.entries, l.merchants, l.numbers = append(l.entries, entryID), append(l.merchants, e.MerchantID), append(l.numbers, int64(i+1))
		l.accounts, l.amounts = append(l.accounts, leg.Account), append(l.amounts, leg.Amount.Minor)
		l.currencies = append(l.currencies, string(leg.Amount.Currency))
	}
}
