package transfer

import (
	"context"
	"fmt"
	"time"

	"panshi/internal/db"
	"panshi/internal/errs"
)

// States of a source's mark.
const (
	moving = "moving" // a move began and did not end
	moved  = "moved"  // the destination is the shop now
)

// mark is what a source says of its move.
type mark struct {
	move  string // the move's id; "" if there is no mark
	state string
	place string // where to
	at    time.Time
}

// Servable refuses a database that is not a shop's only home: the destination
// of an unfinished move (code move_unfinished) and a source that was moved
// away or is on its way (codes shop_moved, shop_moving). Whoever opens a shop
// asks it first.
func Servable(ctx context.Context, d db.DB) error {
	return d.View(ctx, func(tx *db.Tx) error {
		p, err := destinationTx(tx)
		if err != nil {
			return err
		}
		if p.move != "" {
			return errs.New(errs.Conflict, "move_unfinished", "the move of "+p.place+" into this database has not been finished; "+
				"run the same `panshi migrate` again, it goes on where it stopped")
		}
		m, err := markTx(tx)
		if err != nil {
			return err
		}
		return m.refuse()
	})
}

// refuse says why a marked source cannot be served, and what to do.
func (m mark) refuse() error {
	const reopen = "`panshi migrate --reopen --from …` opens it here again"
	switch m.state {
	case moving:
		return errs.New(errs.Conflict, "shop_moving", fmt.Sprintf("a move of this shop to %s began %s and has not been finished; "+
			"run the same `panshi migrate` again, or give it up: %s", m.place, m.at.Format(time.DateTime), reopen))
	case moved:
		return errs.New(errs.Conflict, "shop_moved", fmt.Sprintf("this shop moved to %s at %s; serve it there, "+
			"or nobody may sell there any more and %s", m.place, m.at.Format(time.DateTime), reopen))
	}
	return nil
}

// hasTx tells whether a table exists.
func hasTx(tx *db.Tx, table string) (bool, error) {
	query := `SELECT COUNT(*) FROM sqlite_schema WHERE type = 'table' AND name = $1`
	if tx.Engine() == db.Postgres {
		query = `SELECT COUNT(*) FROM pg_class WHERE relnamespace = to_regnamespace(current_schema()) AND relname = $1`
	}
	var n int
	err := tx.Get([]any{&n}, query, table)
	return n > 0, err
}

// markTx reads a source's mark.
func markTx(tx *db.Tx) (m mark, err error) {
	if has, err := hasTx(tx, markTable); err != nil || !has {
		return mark{}, err
	}
	var at db.Time
	err = tx.Get([]any{&m.move, &m.state, &m.place, &at}, `SELECT move, state, place, at FROM transfer_mark`)
	m.at = at.Time
	return m, err
}

// setMarkTx writes a source's mark, in place of an older one.
func setMarkTx(tx *db.Tx, m mark) error {
	create := `CREATE TABLE IF NOT EXISTS transfer_mark (move TEXT NOT NULL PRIMARY KEY, state TEXT NOT NULL,
		place TEXT NOT NULL, at INTEGER NOT NULL) STRICT`
	if tx.Engine() == db.Postgres {
		create = `CREATE TABLE IF NOT EXISTS transfer_mark (move TEXT NOT NULL PRIMARY KEY, state TEXT NOT NULL,
			place TEXT NOT NULL, at BIGINT NOT NULL)`
	}
	if _, err := tx.Exec(create); err != nil {
		return err
	}
	if _, err := tx.Exec(`DELETE FROM transfer_mark`); err != nil {
		return err
	}
	_, err := tx.Exec(`INSERT INTO transfer_mark (move, state, place, at) VALUES ($1, $2, $3, $4)`,
		m.move, m.state, m.place, db.Millis(tx.Now()))
	return err
}

// Reopen takes the mark off a source, so that it can be served again. What the
// destination sold meanwhile is not in it. It tells where the shop had gone,
// "" if it had not been moved.
func Reopen(ctx context.Context, d db.DB) (place string, err error) {
	err = d.Update(ctx, func(tx *db.Tx) error {
		m, err := markTx(tx)
		if err != nil || m.move == "" {
			return err
		}
		place = m.place
		_, err = tx.Exec(`DROP TABLE transfer_mark`)
		return err
	})
	return place, err
}

// progress is how far a destination came with one table; the one without a
// name is the move itself.
type progress struct {
	move    string
	place   string // where from
	lastKey []byte // canonical form of the last row's key; nil before the first
	rows    int64
	done    bool
}

// destinationTx reads the move that a destination is in.
func destinationTx(tx *db.Tx) (progress, error) {
	has, err := hasTx(tx, progressTable)
	if err != nil || !has {
		return progress{}, err
	}
	all, err := progressTx(tx)
	return all[""], err
}

// progressTx reads how far each table came.
func progressTx(tx *db.Tx) (map[string]progress, error) {
	rows, err := tx.Query(`SELECT name, move, place, last_key, copied, done FROM transfer_progress`)
	if err != nil {
		return nil, err
	}
	defer rows.Close() // Err below tells
	all := map[string]progress{}
	for rows.Next() {
		var name string
		var p progress
		if err := rows.Scan(&name, &p.move, &p.place, &p.lastKey, &p.rows, &p.done); err != nil {
			return nil, err
		}
		all[name] = p
	}
	return all, rows.Err()
}

// setProgressTx notes how far a table came.
func setProgressTx(tx *db.Tx, name string, p progress) error {
	_, err := tx.Exec(`INSERT INTO transfer_progress (name, move, place, last_key, copied, done)
		VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (name) DO UPDATE SET last_key = excluded.last_key,
		copied = excluded.copied, done = excluded.done`, name, p.move, p.place, p.lastKey, p.rows, p.done)
	return err
}

func createProgress(engine db.Engine) string {
	if engine == db.Postgres {
		return `CREATE TABLE transfer_progress (name TEXT NOT NULL PRIMARY KEY, move TEXT NOT NULL, place TEXT NOT NULL,
			last_key BYTEA, copied BIGINT NOT NULL, done BIGINT NOT NULL)`
	}
	return `CREATE TABLE transfer_progress (name TEXT NOT NULL PRIMARY KEY, move TEXT NOT NULL, place TEXT NOT NULL,
		last_key BLOB, copied INTEGER NOT NULL, done INTEGER NOT NULL) STRICT`
}
