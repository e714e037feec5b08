package order

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"panshi/internal/db"
	"panshi/internal/errs"
	"panshi/internal/fault"
	"panshi/internal/id"
)

const (
	stored = `id, merchant_id, order_no, status, currency, total, contact_kind, contact_sealed, contact_index, lang,
		hold_reason, expires_at, due_at, created_at, paid_at, delivered_at, closed_at`
	storedLines = `order_id, line_no, merchant_id, product_id, sku_id, kind, title, quantity, unit_price, amount,
		stock_mode, limited`
)

// MinArchiveAge is how old an order is at least before it is archived: younger
// ones need not be looked for there.
const MinArchiveAge = 30 * 24 * time.Hour

// MaxArchive is how many orders ArchiveTx takes at once.
const MaxArchive = 50

// errArchive says that orders changed while they were moved; nothing was.
var errArchive = errs.New(errs.Integrity, "archive_moved_unevenly", "not every row that was copied to the archive left its table")

// ArchiveTables are those of the archive, partitioned by the id of the order.
func ArchiveTables() []string { return []string{"archived_orders", "archived_order_lines"} }

// ArchiveTx moves orders in a final state and their lines to the archive: at
// most MaxArchive, whose rows the caller has locked and counted. What the
// orders' numbers, payments and deliveries say of them stays.
func ArchiveTx(tx *db.Tx, orders []id.ID) error {
	if len(orders) == 0 {
		return nil
	}
	args := make([]any, MaxArchive) // one text for any number: the first stands in for the rest
	for i := range args {
		args[i] = orders[0]
		if i < len(orders) {
			args[i] = orders[i]
		}
	}
	these := ` IN (` + placeholders(MaxArchive) + `)`
	copied, err := copyTx(tx, args, `INSERT INTO archived_orders (`+stored+`) SELECT `+stored+` FROM orders WHERE id`+these,
		`INSERT INTO archived_order_lines (`+storedLines+`) SELECT `+storedLines+` FROM order_lines WHERE order_id`+these)
	if err != nil {
		return err
	}
	fault.Point("order.archive.copied")
	removed, err := copyTx(tx, args, `DELETE FROM orders WHERE id`+these, `DELETE FROM order_lines WHERE order_id`+these)
	if err == nil && (!slices.Equal(copied, removed) || copied[0] != int64(len(orders))) {
		return errArchive
	}
	return err
}

// RecallTx brings an archived order and its lines back among the living, so
// that they can change. One that is there already stays as it is.
func RecallTx(tx *db.Tx, o Order) error {
	lock := `SELECT id FROM archived_orders WHERE id = $1 AND merchant_id = $2`
	if tx.Engine() == db.Postgres {
		lock += ` FOR UPDATE` // two may need the same order at once
	}
	var found id.ID
	if err := tx.Get([]any{&found}, lock, o.ID, o.MerchantID); err != nil {
		if errors.Is(err, db.ErrNoRows) {
			return nil
		}
		return err
	}
	args := []any{o.ID}
	copied, err := copyTx(tx, args, `INSERT INTO orders (`+stored+`) SELECT `+stored+` FROM archived_orders WHERE id = $1`,
		`INSERT INTO order_lines (`+storedLines+`) SELECT `+storedLines+` FROM archived_order_lines WHERE order_id = $1`)
	if err != nil {
		return err
	}
	removed, err := copyTx(tx, args, `DELETE FROM archived_orders WHERE id = $1`,
		`DELETE FROM archived_order_lines WHERE order_id = $1`)
	if err == nil && !slices.Equal(copied, removed) {
		return errArchive
	}
	return err
}

// copyTx runs statements with the same arguments and tells how many rows each
// wrote.
func copyTx(tx *db.Tx, args []any, statements ...string) (written []int64, err error) {
	for _, s := range statements {
		n, err := tx.Exec(s, args...)
		if err != nil {
			return nil, err
		}
		written = append(written, n)
	}
	return written, nil
}

// placeholders is "$1, $2, …, $n".
func placeholders(n int) string {
	all := make([]string, n)
	for i := range all {
		all[i] = "$" + strconv.Itoa(i+1)
	}
	return strings.Join(all, ", ")
}

// archived marks what scan reads as archived.
func archived(rows db.Rows) (Order, error) {
	o, err := scan(rows)
	o.Archived = true
	return o, err
}

// findTx looks for an order among the living and then in the archive. One that
// moves between the two looks is found by looking again.
func findTx(tx *db.Tx, tail string, args ...any) (Order, error) {
	for _, look := range []struct {
		from string
		scan func(db.Rows) (Order, error)
	}{{"orders o", scan}, {"archived_orders o", archived}, {"orders o", scan}} {
		found, err := db.Collect(tx, look.scan, `SELECT `+columns+` FROM `+look.from+tail, args...)
		if err != nil || len(found) > 0 {
			return one(found, err)
		}
	}
	return Order{}, ErrNotFound
}
