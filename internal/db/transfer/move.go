package transfer

import (
	"context"
	"errors"
	"sync"

	"panshi/internal/db"
	"panshi/internal/errs"
	"panshi/internal/fault"
	"panshi/internal/id"
)

// Side is one of the two databases.
type Side struct {
	DB    db.DB
	Place string // what people call it; no password
}

// Progress tells how far a move came.
type Progress struct {
	Verifying bool   // else it copies
	Table     string // at work; several are, side by side
	Done      int64  // rows, over all tables
	Total     int64
}

// Steps is Done on the way to twice the total: every row is copied and then
// verified.
func (p Progress) Steps() int64 {
	if p.Verifying {
		return p.Total + p.Done
	}
	return p.Done
}

// TableRows is one table with its rows in the source.
type TableRows struct {
	Table string `json:"table"`
	Rows  int64  `json:"rows"`
}

// Move is a move between two databases that nobody else uses. Its methods
// are called in the order of the package's description.
type Move struct {
	from, to Side
	id       string
	tables   []table // in the order of their references
	resumed  bool
	rows     []TableRows // of the source
	progress map[string]progress

	mu   sync.Mutex
	tell func(Progress)
	now  Progress // guarded by mu
}

// Plan counts what is to be moved, and changes nothing.
func Plan(ctx context.Context, from db.DB) ([]TableRows, error) {
	tables, err := tablesOf(ctx, from)
	if err != nil {
		return nil, err
	}
	return countAll(ctx, from, tables)
}

func tablesOf(ctx context.Context, d db.DB) (all []table, err error) {
	err = d.View(db.WithLong(ctx), func(tx *db.Tx) (err error) {
		all, err = schemaTx(tx)
		return err
	})
	if err != nil {
		return nil, err
	}
	return inOrder(all)
}

func countAll(ctx context.Context, d db.DB, tables []table) ([]TableRows, error) {
	all := make([]TableRows, len(tables))
	for i, t := range tables {
		all[i].Table = t.name
		if err := d.View(db.WithLong(ctx), func(tx *db.Tx) (err error) {
			all[i].Rows, err = countTx(tx, t.name)
			return err
		}); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// Begin starts a move, or takes one up that was interrupted. It fails before
// it changes anything if the schemas differ, if the destination holds another
// shop's rows (destination_not_empty) or another move (move_of_another_shop),
// or if the source has moved away already (shop_moved). tell is called now and
// then, from several goroutines, one at a time.
func Begin(ctx context.Context, from, to Side, tell func(Progress)) (*Move, error) {
	m := &Move{from: from, to: to, tell: tell}
	source, err := tablesOf(ctx, from.DB)
	if err != nil {
		return nil, err
	}
	dest, err := tablesOf(ctx, to.DB)
	if err != nil {
		return nil, err
	}
	if err := sameSchema(source, dest); err != nil {
		return nil, err
	}
	m.tables = source
	if err := m.start(ctx); err != nil {
		return nil, err
	}
	if m.rows, err = countAll(ctx, from.DB, source); err != nil {
		return nil, err
	}
	for _, r := range m.rows {
		m.now.Total += r.Rows
	}
	return m, nil
}

// Resumed tells whether the move had begun before.
func (m *Move) Resumed() bool { return m.resumed }

// start finds out whether the move is a new one, and marks both sides.
func (m *Move) start(ctx context.Context) error {
	var going progress
	if err := m.to.DB.View(ctx, func(tx *db.Tx) (err error) {
		going, err = destinationTx(tx)
		return err
	}); err != nil {
		return err
	}
	var left mark
	if err := m.from.DB.View(ctx, func(tx *db.Tx) (err error) {
		if p, err := destinationTx(tx); err != nil || p.move != "" {
			return errors.Join(err, errHalf)
		}
		left, err = markTx(tx)
		return err
	}); err != nil {
		return err
	}
	switch {
	case going.move == "" && left.state == moved:
		return left.refuse()
	case going.move == "":
		return m.startNew(ctx)
	case going.move != left.move:
		return errs.New(errs.Conflict, "move_of_another_shop", "the destination holds an unfinished move of "+going.place+
			" that this shop does not know, or gave up: choose an empty destination")
	}
	m.id, m.resumed = going.move, true
	return m.readProgress(ctx)
}

var errHalf = errs.New(errs.Conflict, "move_unfinished", "the source is itself the destination of a move that has not been finished")

// startNew marks the source first: a destination in progress whose source is
// still served would be worse than the opposite.
func (m *Move) startNew(ctx context.Context) error {
	m.id = id.New().String()
	if err := m.to.DB.View(db.WithLong(ctx), m.emptyTx); err != nil {
		return err
	}
	if err := m.from.DB.Update(ctx, func(tx *db.Tx) error {
		return setMarkTx(tx, mark{move: m.id, state: moving, place: m.to.Place})
	}); err != nil {
		return err
	}
	fault.Point("transfer.begin.source-marked")
	if err := m.to.DB.Update(ctx, m.claimTx); err != nil {
		return err
	}
	fault.Point("transfer.begin.destination-marked")
	return m.readProgress(ctx)
}

// emptyTx refuses a destination that has rows of somebody. What belongs to no
// merchant is what migrations put there, or noise of a shop that never was.
func (m *Move) emptyTx(tx *db.Tx) error {
	for _, t := range m.tables {
		query := `SELECT COUNT(*) FROM (SELECT 1 FROM ` + quote(t.name)
		if t.has("merchant_id") {
			query += ` WHERE merchant_id IS NOT NULL`
		}
		var n int
		if err := tx.Get([]any{&n}, query+` LIMIT 1) AS found`); err != nil {
			return err
		}
		if n > 0 {
			return errs.New(errs.Conflict, "destination_not_empty",
				"the destination holds a shop already (table "+t.name+" has rows); choose an empty one").With("table", t.name)
		}
	}
	return nil
}

func (t *table) has(name string) bool {
	for _, c := range t.columns {
		if c.name == name {
			return true
		}
	}
	return false
}

// claimTx makes an empty database the destination of this move. The rows of
// nobody go: the source has its own. Nobody waits here, so that a statement may
// remove more of them than the usual 500.
func (m *Move) claimTx(tx *db.Tx) error {
	if err := m.emptyTx(tx); err != nil {
		return err
	}
	statements := []string{`DROP TABLE IF EXISTS transfer_mark`, createProgress(tx.Engine())}
	for i := len(m.tables) - 1; i >= 0; i-- {
		statements = append(statements, `DELETE FROM `+quote(m.tables[i].name))
	}
	for _, s := range statements {
		if _, err := tx.Exec(s); err != nil {
			return err
		}
	}
	return setProgressTx(tx, "", progress{move: m.id, place: m.from.Place})
}

func (m *Move) readProgress(ctx context.Context) error {
	return m.to.DB.View(ctx, func(tx *db.Tx) (err error) {
		m.progress, err = progressTx(tx)
		return err
	})
}

// Finish gives the shop to the destination. Call it only after Verify found no
// difference. The source's mark comes first: the moment between leaves none of
// the two to be served, and the next Begin goes on from there.
func (m *Move) Finish(ctx context.Context) error {
	if err := m.from.DB.Update(ctx, func(tx *db.Tx) error {
		return setMarkTx(tx, mark{move: m.id, state: moved, place: m.to.Place})
	}); err != nil {
		return err
	}
	fault.Point("transfer.finish.source-moved")
	err := m.to.DB.Update(ctx, func(tx *db.Tx) error {
		_, err := tx.Exec(`DROP TABLE transfer_progress`)
		return err
	})
	if err == nil {
		fault.Point("transfer.finish.finished")
	}
	return err
}

// report tells that n more rows of a table are done.
func (m *Move) report(name string, n int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now.Table = name
	m.now.Done += n
	m.tell(m.now)
}
