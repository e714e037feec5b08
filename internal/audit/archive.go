package audit

import (
	"time"

	"panshi/internal/db"
	"panshi/internal/errs"
	"panshi/internal/fault"
	"panshi/internal/id"
	"panshi/internal/invariant"
)

const stored = `id, merchant_id, actor_kind, actor_id, action, subject_kind, subject_id, detail, request_id, at`

// archiveBatch is how many records are moved at once: each is copied and
// removed.
const archiveBatch = db.MaxRows / 2

// MinArchiveAge is how old a record is at least before it is archived.
const MinArchiveAge = 30 * 24 * time.Hour

// clockSlack is how far the clocks of two nodes may be apart: a record may
// bear an earlier id than what it is about.
const clockSlack = 24 * time.Hour

// errArchive says that records changed while they were moved; nothing was.
var errArchive = errs.New(errs.Integrity, "archive_moved_unevenly", "not every row that was copied to the archive left its table")

// ArchiveTx moves records that were written until cutoff to the archive, the
// oldest after the record `after` first. It tells the last that it moved; the
// zero id when there was none. Nothing is deleted: how long records are kept
// is not decided here.
func ArchiveTx(tx *db.Tx, after id.ID, cutoff time.Time) (last id.ID, err error) {
	first, last, n, err := archivableTx(tx, after, cutoff)
	if err != nil || n == 0 {
		return id.ID{}, err
	}
	if err := db.PartitionTx(tx, "archived_audit_records", db.MonthOf(first)); err != nil {
		return id.ID{}, err
	}
	copied, err := tx.Exec(`INSERT INTO archived_audit_records (`+stored+`) SELECT `+stored+` FROM audit_records
		WHERE id >= $1 AND id <= $2`, first, last)
	if err != nil {
		return id.ID{}, err
	}
	fault.Point("audit.archive.copied")
	removed, err := tx.Exec(`DELETE FROM audit_records WHERE id >= $1 AND id <= $2`, first, last)
	if err == nil && (copied != removed || copied != n) {
		err = errArchive
	}
	return last, err
}

// archivableTx finds the next records of one month to be moved.
func archivableTx(tx *db.Tx, after id.ID, cutoff time.Time) (first, last id.ID, n int64, err error) {
	type record struct {
		id id.ID
		at db.Time
	}
	records, err := db.Collect(tx, func(rows db.Rows) (r record, err error) {
		return r, rows.Scan(&r.id, &r.at)
	}, `SELECT id, at FROM audit_records WHERE id > $1 ORDER BY id LIMIT $2`, after[:], archiveBatch)
	for i, r := range records {
		if r.at.After(cutoff) || i > 0 && db.MonthOf(r.id) != db.MonthOf(first) {
			break
		}
		if i == 0 {
			first = r.id
		}
		last, n = r.id, n+1
	}
	return first, last, n, err
}

// archivedOfTx is OfTx in the archive. What is about a thing is younger than
// the thing, so only the months since then are looked at, and of a young thing
// nothing is there.
func archivedOfTx(tx *db.Tx, merchantID, subjectID id.ID, limit int) ([]Record, error) {
	born := subjectID.Time().Add(-clockSlack)
	if tx.Now().Sub(born) < MinArchiveAge {
		return nil, nil
	}
	since := id.Lowest(born)
	return db.Collect(tx, scan, `SELECT merchant_id, actor_kind, actor_id, action, subject_kind, subject_id,
		detail, request_id, at FROM archived_audit_records
		WHERE subject_id = $1 AND merchant_id = $2 AND id >= $3 ORDER BY id LIMIT $4`, subjectID, merchantID, since, limit)
}

// Invariants declares what `panshi check` verifies of the trail.
func Invariants() []invariant.Invariant {
	return []invariant.Invariant{{
		Name: "audit.live_or_archived", About: "no record is both in the archive and beside it",
		Query: `SELECT a.id, a.action FROM archived_audit_records a JOIN audit_records r ON r.id = a.id`,
	}}
}
