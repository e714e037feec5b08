package db

import (
	"fmt"
	"time"

	"panshi/internal/id"
)

// Month is a calendar month, UTC, written yyyymm.
type Month int

// MonthOf tells in which month an id was made.
func MonthOf(v id.ID) Month {
	t := v.Time()
	return Month(t.Year()*100 + int(t.Month()))
}

// Begin is the month's first moment.
func (m Month) Begin() time.Time {
	return time.Date(int(m)/100, time.Month(int(m)%100), 1, 0, 0, 0, 0, time.UTC)
}

// End is the first moment of the next month.
func (m Month) End() time.Time { return m.Begin().AddDate(0, 1, 0) }

// PartitionTx makes the partition of a table that is partitioned by ranges of
// ids, for the ids of month m, if there is none. A month that has rows in the
// default partition already stays there. It is ErrBusy while somebody reads
// the table for long. SQLite has no partitions: there it does nothing.
func PartitionTx(tx *Tx, table string, m Month) error {
	if tx.Engine() != Postgres {
		return nil
	}
	name := fmt.Sprintf("%s_%d", table, m)
	var known int64
	if err := tx.Get([]any{&known}, `SELECT count(*) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
		WHERE i.inhparent = CAST(CAST($1 AS text) AS regclass) AND c.relname = $2`, table, name); err != nil || known > 0 {
		return err
	}
	from, to := id.Lowest(m.Begin()), id.Lowest(m.End())
	column, err := partitionKeyTx(tx, table)
	if err != nil {
		return err
	}
	var strays int64
	if err := tx.Get([]any{&strays}, `SELECT count(*) FROM (SELECT 1 FROM `+table+`_default
		WHERE `+column+` >= $1 AND `+column+` < $2 LIMIT 1) AS s`, from, to); err != nil || strays > 0 {
		return err
	}
	// Attached, not created as a part: that would lock out all who read the
	// table. The default partition is locked all the same; while somebody reads
	// it for long, others must not queue behind us.
	for _, statement := range []string{
		`CREATE TABLE ` + name + ` (LIKE ` + table + ` INCLUDING ALL)`,
		`SELECT set_config('panshi.lock_timeout', current_setting('lock_timeout'), true), set_config('lock_timeout', '100ms', true)`,
		fmt.Sprintf(`ALTER TABLE %s ATTACH PARTITION %s FOR VALUES FROM ('\x%x') TO ('\x%x')`, table, name, from[:], to[:]),
		`SELECT set_config('lock_timeout', current_setting('panshi.lock_timeout'), true)`,
	} {
		if _, err := tx.Exec(statement); err != nil {
			return err
		}
	}
	return nil
}

// partitionKeyTx is the column whose ranges a table is partitioned by.
func partitionKeyTx(tx *Tx, table string) (column string, err error) {
	err = tx.Get([]any{&column}, `SELECT CAST(a.attname AS text) FROM pg_partitioned_table p
		JOIN pg_attribute a ON a.attrelid = p.partrelid AND a.attnum = p.partattrs[0]
		WHERE p.partrelid = CAST(CAST($1 AS text) AS regclass)`, table)
	return column, err
}
