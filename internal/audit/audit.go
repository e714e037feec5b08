package audit

import (
	"context"
	"encoding/json"
	"time"

	"panshi/internal/dataclass"
	"panshi/internal/db"
	"panshi/internal/id"
)

// Actor is who did it.
type Actor struct {
	Kind string // "system", "buyer", "staff", "platform", "command"
	ID   string // a staff id, an account id, a command name; "" for system and guests
}

// System is the shop acting by itself: sweeps and jobs.
func System() Actor { return Actor{Kind: "system"} }

// Record is one line of the trail.
type Record struct {
	MerchantID  id.ID
	Actor       Actor
	Action      string // dotted: "order.settled", "card.revealed"
	SubjectKind string // "order", "product", "staff"
	SubjectID   id.ID
	Detail      map[string]string // nothing secret or personal in clear
	RequestID   string
	At          time.Time // set by RecordTx
}

// RecordTx writes r in the caller's transaction.
func RecordTx(tx *db.Tx, r Record) error {
	detail, err := r.detail()
	if err != nil {
		return err
	}
	_, err = tx.Exec(`INSERT INTO audit_records
		(id, merchant_id, actor_kind, actor_id, action, subject_kind, subject_id, detail, request_id, at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		id.New(), r.MerchantID, r.Actor.Kind, r.Actor.ID, r.Action, r.SubjectKind, r.SubjectID,
		detail, r.RequestID, db.Millis(tx.Now()))
	return err
}

// detail is how Detail is stored: JSON with sorted keys, "" for none.
func (r Record) detail() (string, error) {
	if len(r.Detail) == 0 {
		return "", nil
	}
	text, err := json.Marshal(r.Detail)
	return string(text), err
}

// most is how many records of one subject are shown.
const most = 200

// OfTx returns the trail of one subject, oldest first, at most 200 records,
// archived ones first: they are the oldest.
func OfTx(tx *db.Tx, merchantID, subjectID id.ID) ([]Record, error) {
	trail, err := archivedOfTx(tx, merchantID, subjectID, most)
	if err != nil || len(trail) == most {
		return trail, err
	}
	live, err := db.Collect(tx, scan, `SELECT merchant_id, actor_kind, actor_id, action, subject_kind, subject_id,
		detail, request_id, at FROM audit_records
		WHERE subject_id = $1 AND merchant_id = $2 ORDER BY id LIMIT $3`, subjectID, merchantID, most-len(trail))
	return append(trail, live...), err
}

func scan(rows db.Rows) (Record, error) {
	var r Record
	var detail string
	var at db.Time
	err := rows.Scan(&r.MerchantID, &r.Actor.Kind, &r.Actor.ID, &r.Action, &r.SubjectKind, &r.SubjectID,
		&detail, &r.RequestID, &at)
	if err == nil && detail != "" {
		err = json.Unmarshal([]byte(detail), &r.Detail)
	}
	r.At = at.Time
	return r, err
}

type contextKey struct{}

type origin struct {
	actor     Actor
	requestID string
}

// WithOrigin notes in ctx who acts and under which request, so that services
// need no parameter for it.
func WithOrigin(ctx context.Context, actor Actor, requestID string) context.Context {
	return context.WithValue(ctx, contextKey{}, origin{actor, requestID})
}

// Origin tells who acts in ctx: System if nobody was noted.
func Origin(ctx context.Context) (actor Actor, requestID string) {
	if o, ok := ctx.Value(contextKey{}).(origin); ok {
		return o.actor, o.requestID
	}
	return System(), ""
}

// Columns declares the data classes of this package's tables.
func Columns() []dataclass.Table {
	record := []string{
		"id", "merchant_id", "actor_kind", "actor_id", "action", "subject_kind", "subject_id",
		"detail", "request_id", "at",
	}
	return []dataclass.Table{
		dataclass.Of("audit_records", dataclass.Trade, record),
		dataclass.Of("archived_audit_records", dataclass.Trade, record),
	}
}
