package audit

import (
	"panshi/internal/db"
	"panshi/internal/id"
)

// RecordManyTx writes records as RecordTx does, with one statement. It is for
// PostgreSQL.
func RecordManyTx(tx *db.Tx, records []Record) error {
	n := len(records)
	ids, merchants, subjects := make([]id.ID, n), make([]id.ID, n), make([]id.ID, n)
	kinds, actors, actions := make([]string, n), make([]string, n), make([]string, n)
	subjectKinds, details, requests := make([]string, n), make([]string, n), make([]string, n)
	for i, r := range records {
		var err error
		if details[i], err = r.detail(); err != nil {
			return err
		}
		ids[i], merchants[i], kinds[i], actors[i] = id.New(), r.MerchantID, r.Actor.Kind, r.Actor.ID
		actions[i], subjectKinds[i], subjects[i], requests[i] = r.Action, r.SubjectKind, r.SubjectID, r.RequestID
	}
	_, err := tx.Exec(`INSERT INTO audit_records
		(at, id, merchant_id, actor_kind, actor_id, action, subject_kind, subject_id, detail, request_id)
		SELECT $1, r.* FROM UNNEST($2::BYTEA[], $3::BYTEA[], $4::TEXT[], $5::TEXT[], $6::TEXT[], $7::TEXT[], $8::BYTEA[],
		$9::TEXT[], $10::TEXT[]) AS r`,
		db.Millis(tx.Now()), ids, merchants, kinds, actors, actions, subjectKinds, subjects, details, requests)
	return err
}
