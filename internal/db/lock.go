package db

// ForUpdate ends a query that reads rows of one table in order to change them
// by what it read: on PostgreSQL others who would change them wait until this
// transaction is over, and then see what it did. References to the rows may
// still be made meanwhile. SQLite has one writer at a time, and no word for it.
func (tx *Tx) ForUpdate() string {
	if tx.engine == Postgres {
		return " FOR NO KEY UPDATE"
	}
	return ""
}

// Alone lets one transaction at a time go on under this name, until it ends:
// for what reads whether something is there and then makes it, when there is
// no row yet to wait at. Call it before the first read that must still hold at
// the commit. SQLite has one writer at a time.
func (tx *Tx) Alone(name string) error {
	if tx.engine != Postgres {
		return nil
	}
	var done bool
	return tx.Get([]any{&done}, `SELECT pg_advisory_xact_lock(hashtextextended($1, 0)) IS NOT NULL`, name)
}
