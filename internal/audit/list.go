package audit

import (
	"context"

	"panshi/internal/db"
	"panshi/internal/id"
)

// window is how many records one page looks through. There is no index by
// merchant, since each would be written with every order; ids are in the order
// of time, so that a page goes back from one of them.
const window = 5_000

// Filter chooses records of a merchant.
type Filter struct {
	ActorKind string // "" for all
	Before    id.ID  // page: records older than this one; zero for the newest
	Limit     int    // 1-100
}

// Entry is a record with its place in the trail.
type Entry struct {
	ID id.ID
	Record
}

// List returns a merchant's records that are not archived, the newest first,
// and where the next page begins; zero if nothing older is left. A page may be
// short, even empty, and still have a next one: it looks through a bounded part
// of the trail, whoever's the records there are.
func (r *Reader) List(ctx context.Context, merchantID id.ID, f Filter) (page []Entry, next id.ID, err error) {
	err = r.db.View(ctx, func(tx *db.Tx) error {
		page, next, err = listTx(tx, merchantID, f)
		return err
	})
	return page, next, err
}

func listTx(tx *db.Tx, merchantID id.ID, f Filter) (page []Entry, next id.ID, err error) {
	before := f.Before
	if before.IsZero() {
		before = last()
	}
	floor, err := db.Collect(tx, func(rows db.Rows) (v id.ID, err error) { return v, rows.Scan(&v) },
		`SELECT id FROM audit_records WHERE id < $1 ORDER BY id DESC LIMIT 1 OFFSET $2`, before, window-1)
	if err != nil {
		return nil, id.ID{}, err
	}
	var from id.ID
	if len(floor) == 1 {
		from, next = floor[0], floor[0]
	}
	page, err = db.Collect(tx, scanEntry, `SELECT id, merchant_id, actor_kind, actor_id, action, subject_kind, subject_id, detail, request_id, at
		FROM audit_records WHERE id >= $1 AND id < $2 AND merchant_id = $3 AND ($4 = '' OR actor_kind = $5) ORDER BY id DESC LIMIT $6`,
		from[:], before, merchantID, f.ActorKind, f.ActorKind, f.Limit+1)
	if len(page) > f.Limit {
		page = page[:f.Limit]
		next = page[f.Limit-1].ID
	}
	return page, next, err
}

// last sorts after every id.
func last() (v id.ID) {
	for i := range v {
		v[i] = 0xff
	}
	return v
}

func scanEntry(rows db.Rows) (e Entry, err error) {
	e.Record, err = scan(prefixed{rows, &e.ID})
	return e, err
}

// prefixed reads one more column before those that a scan expects.
type prefixed struct {
	db.Rows
	first any
}

func (p prefixed) Scan(dest ...any) error { return p.Rows.Scan(append([]any{p.first}, dest...)...) }
