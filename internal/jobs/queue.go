package jobs

import (
	"time"

	"panshi/internal/dataclass"
	"panshi/internal/db"
	"panshi/internal/id"
	"panshi/internal/invariant"
)

// Job is one side effect to be done.
type Job struct {
	ID         id.ID
	MerchantID id.ID
	Kind       string // "refund.send"
	SubjectID  id.ID  // what it is about; a kind is queued at most once for a subject
	Attempts   int
}

// maxAttempts is how often a job is tried before a person must look.
const maxAttempts = 12

// EnqueueTx queues a job in the caller's transaction, due now. A job of the
// same kind and subject that is queued already stays as it is.
func EnqueueTx(tx *db.Tx, merchantID id.ID, kind string, subject id.ID) error {
	_, err := tx.Exec(`INSERT INTO jobs (id, merchant_id, kind, subject_id, run_at, created_at)
		VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (kind, subject_id) DO NOTHING`,
		id.New(), merchantID, kind, subject, db.Millis(tx.Now()), db.Millis(tx.Now()))
	return err
}

// claimTx takes due jobs: it moves their due time, so that nobody else takes
// them for a while. Who works for longer must keep them (keepTx).
func claimTx(tx *db.Tx, limit int) ([]Job, error) {
	due, err := db.Collect(tx, func(rows db.Rows) (Job, error) {
		var j Job
		err := rows.Scan(&j.ID, &j.MerchantID, &j.Kind, &j.SubjectID, &j.Attempts)
		return j, err
	}, `SELECT id, merchant_id, kind, subject_id, attempts FROM jobs
		WHERE dead = 0 AND run_at <= $1 ORDER BY run_at LIMIT $2`+passing(tx), db.Millis(tx.Now()), limit)
	if err != nil {
		return nil, err
	}
	claimed := due[:0]
	for _, j := range due {
		got, err := tx.Exec(`UPDATE jobs SET run_at = $1, attempts = attempts + 1
			WHERE id = $2 AND attempts = $3 AND dead = 0`, db.Millis(tx.Now().Add(holdOn(tx.Engine()))), j.ID, j.Attempts)
		if err != nil {
			return nil, err
		}
		if got == 1 {
			j.Attempts++
			claimed = append(claimed, j)
		}
	}
	return claimed, nil
}

// keepTx keeps a claimed job for longer. ErrLeaseTaken says that somebody else
// has it by now.
func keepTx(tx *db.Tx, j Job) error {
	n, err := tx.Exec(`UPDATE jobs SET run_at = $1 WHERE id = $2 AND attempts = $3 AND dead = 0`,
		db.Millis(tx.Now().Add(holdOn(tx.Engine()))), j.ID, j.Attempts)
	if err == nil && n == 0 {
		return db.ErrLeaseTaken
	}
	return err
}

// doneTx removes a job whose effect is done.
func doneTx(tx *db.Tx, j Job) error {
	_, err := tx.Exec(`DELETE FROM jobs WHERE id = $1 AND attempts = $2`, j.ID, j.Attempts)
	return err
}

// failedTx puts a job back with a growing delay, or lays it aside for a person.
func failedTx(tx *db.Tx, j Job, code string) error {
	dead := 0
	if j.Attempts >= maxAttempts {
		dead = 1
	}
	_, err := tx.Exec(`UPDATE jobs SET run_at = $1, last_error = $2, dead = $3 WHERE id = $4 AND attempts = $5`,
		db.Millis(tx.Now().Add(backoff(j.Attempts))), code, dead, j.ID, j.Attempts)
	return err
}

// DeadTx tells how many jobs were laid aside for a person, and their kinds.
func DeadTx(tx *db.Tx) (n int64, kinds []string, err error) {
	_, err = db.Collect(tx, func(rows db.Rows) (struct{}, error) {
		var kind string
		var some int64
		err := rows.Scan(&kind, &some)
		n, kinds = n+some, append(kinds, kind)
		return struct{}{}, err
	}, `SELECT kind, COUNT(*) FROM jobs WHERE dead = 1 GROUP BY kind ORDER BY kind`)
	return n, kinds, err
}

// backoff is 2 s, 4 s, 8 s, … at most 10 minutes.
func backoff(attempts int) time.Duration {
	return min(time.Second<<min(attempts, 20), 10*time.Minute)
}

// passing lets nodes that claim at the same time pass over each other's jobs
// instead of waiting for them and then getting none. SQLite has one writer.
func passing(tx *db.Tx) string {
	if tx.Engine() == db.Postgres {
		return ` FOR UPDATE SKIP LOCKED`
	}
	return ""
}

// Invariants declares what `panshi check` verifies of the queue.
func Invariants() []invariant.Invariant {
	return []invariant.Invariant{{
		Name: "jobs.none_dead", About: "no side effect was given up",
		Query: `SELECT id, kind || ': ' || last_error FROM jobs WHERE dead = 1`,
	}}
}

// Columns declares the data classes of this package's tables.
func Columns() []dataclass.Table {
	return []dataclass.Table{dataclass.Of("jobs", dataclass.Trade, []string{
		"id", "merchant_id", "kind", "subject_id", "run_at", "attempts", "dead", "last_error", "created_at",
	})}
}
