package audit

import (
	"context"

	"panshi/internal/db"
	"panshi/internal/id"
)

// Reader opens the transactions of reading for those who may not.
type Reader struct {
	db db.DB
}

// NewReader returns a Reader on d.
func NewReader(d db.DB) *Reader { return &Reader{db: d} }

// Of returns the trail of one subject of a merchant, oldest first, at most 200
// records.
func (r *Reader) Of(ctx context.Context, merchantID, subjectID id.ID) (trail []Record, err error) {
	err = r.db.View(ctx, func(tx *db.Tx) (err error) {
		trail, err = OfTx(tx, merchantID, subjectID)
		return err
	})
	return trail, err
}
