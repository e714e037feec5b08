package ledger

import (
	"time"

	"panshi/internal/db"
	"panshi/internal/errs"
	"panshi/internal/fault"
	"panshi/internal/id"
)

// archiveBatch is how many postings are moved at once: each is copied, removed
// and, at worst, an account of its own.
const archiveBatch = db.MaxRows / 3

// errArchive says that postings changed while they were moved; nothing was.
var errArchive = errs.New(errs.Integrity, "archive_moved_unevenly", "not every row that was copied to the archive left its table")

// archivable is the postings of whole entries of one month.
type archivable struct {
	first, last id.ID // entries
	month       db.Month
	legs        int64
}

// ArchiveTx moves postings of entries that were booked until cutoff to the
// archive, the oldest entries after the entry `after` first, and adds them to
// their month's sums. It tells the last entry that it moved; the zero id when
// there was none. Entries stay: they are what makes a booking unique for ever.
func ArchiveTx(tx *db.Tx, after id.ID, cutoff time.Time) (last id.ID, err error) {
	b, err := archivableTx(tx, after, cutoff)
	if err != nil || b.legs == 0 {
		return id.ID{}, err
	}
	if err := db.PartitionTx(tx, "archived_ledger_postings", b.month); err != nil {
		return id.ID{}, err
	}
	copied, err := tx.Exec(`INSERT INTO archived_ledger_postings (entry_id, leg, merchant_id, account, amount, currency)
		SELECT entry_id, leg, merchant_id, account, amount, currency FROM ledger_postings
		WHERE entry_id >= $1 AND entry_id <= $2`, b.first, b.last)
	if err != nil {
		return id.ID{}, err
	}
	if _, err := tx.Exec(`INSERT INTO ledger_month_sums (merchant_id, account, currency, month, amount)
		SELECT merchant_id, account, currency, CAST($1 AS BIGINT), SUM(amount) FROM ledger_postings
		WHERE entry_id >= $2 AND entry_id <= $3 GROUP BY merchant_id, account, currency
		ON CONFLICT (merchant_id, account, currency, month)
		DO UPDATE SET amount = ledger_month_sums.amount + excluded.amount`, int(b.month), b.first, b.last); err != nil {
		return id.ID{}, err
	}
	fault.Point("ledger.archive.copied")
	removed, err := tx.Exec(`DELETE FROM ledger_postings WHERE entry_id >= $1 AND entry_id <= $2`, b.first, b.last)
	if err == nil && (copied != removed || copied != b.legs) {
		err = errArchive
	}
	return b.last, err
}

// archivableTx finds the next entries to be moved.
func archivableTx(tx *db.Tx, after id.ID, cutoff time.Time) (archivable, error) {
	type leg struct {
		entry id.ID
		at    db.Time
	}
	legs, err := db.Collect(tx, func(rows db.Rows) (l leg, err error) {
		return l, rows.Scan(&l.entry, &l.at)
	}, `SELECT p.entry_id, e.created_at FROM ledger_postings p JOIN ledger_entries e ON e.id = p.entry_id
		WHERE p.entry_id > $1 ORDER BY p.entry_id LIMIT $2`, after[:], archiveBatch)
	var b, whole archivable
	for i, l := range legs {
		if i > 0 && l.entry != b.last {
			whole = b
		}
		if l.at.After(cutoff) || i > 0 && db.MonthOf(l.entry) != b.month {
			return whole, err
		}
		if i == 0 {
			b.first, b.month = l.entry, db.MonthOf(l.entry)
		}
		b.last, b.legs = l.entry, b.legs+1
	}
	if len(legs) < archiveBatch {
		whole = b // nothing of its last entry was cut off
	}
	return whole, err
}
