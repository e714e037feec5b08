package notify

import (
	"encoding/json"
	"errors"
	"slices"
	"time"

	"panshi/internal/db"
	"panshi/internal/id"
)

const alertColumns = `id, merchant_id, code, subject, severity, state, args, count, told_count, opened_at, last_at, told_at,
	escalated_at, acknowledged_at, acknowledged_by, resolved_at`

func scanAlert(rows db.Rows) (Stored, error) {
	var a Stored
	var severity, state, args string
	var opened, last, told, escalated, acknowledged, resolved db.Time
	if err := rows.Scan(&a.ID, &a.MerchantID, &a.Code, &a.Subject, &severity, &state, &args, &a.Count, &a.toldCount, &opened,
		&last, &told, &escalated, &acknowledged, &a.AcknowledgedBy, &resolved); err != nil {
		return a, err
	}
	a.Severity, a.State = Severity(severity), State(state)
	a.OpenedAt, a.LastAt, a.toldAt, a.escalatedAt = opened.Time, last.Time, told.Time, escalated.Time
	a.AcknowledgedAt, a.ResolvedAt = acknowledged.Time, resolved.Time
	return a, json.Unmarshal([]byte(args), &a.Args)
}

func byIDTx(tx *db.Tx, alertID id.ID) (Stored, error) {
	found, err := db.Collect(tx, scanAlert, `SELECT `+alertColumns+` FROM alerts WHERE id = $1`, alertID)
	if err == nil && len(found) == 0 {
		err = db.ErrNoRows
	}
	if err != nil {
		return Stored{}, err
	}
	return found[0], nil
}

// ListTx lists the alerts that s sees, the newest first, resolved ones too;
// before is the last id of the page before, zero for the first page.
func ListTx(tx *db.Tx, s Scope, before id.ID, limit int) ([]Stored, error) {
	if before.IsZero() {
		for i := range before {
			before[i] = 0xff
		}
	}
	if s.All {
		return db.Collect(tx, scanAlert, `SELECT `+alertColumns+` FROM alerts WHERE id < $1 ORDER BY id DESC LIMIT $2`, before, limit)
	}
	list, err := db.Collect(tx, scanAlert, `SELECT `+alertColumns+` FROM alerts
		WHERE merchant_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3`, s.MerchantID, before, limit)
	if err != nil || !s.Platform {
		return list, err
	}
	platform, err := db.Collect(tx, scanAlert, `SELECT `+alertColumns+` FROM alerts
		WHERE merchant_id IS NULL AND id < $1 ORDER BY id DESC LIMIT $2`, before, limit)
	list = append(list, platform...)
	slices.SortFunc(list, func(a, b Stored) int { return slices.Compare(b.ID[:], a.ID[:]) })
	return list[:min(limit, len(list))], err
}

// OpenTx lists what is not resolved, of all merchants, the newest first.
func OpenTx(tx *db.Tx, limit int) ([]Stored, error) {
	return db.Collect(tx, scanAlert, `SELECT `+alertColumns+` FROM alerts WHERE state <> 'resolved' ORDER BY id DESC LIMIT $1`, limit)
}

// OpenOfTx lists what is not resolved of a code, of all merchants.
func OpenOfTx(tx *db.Tx, code string, limit int) ([]Stored, error) {
	return db.Collect(tx, scanAlert, `SELECT `+alertColumns+` FROM alerts
		WHERE state <> 'resolved' AND code = $1 ORDER BY id LIMIT $2`, code, limit)
}

// lookTx finds alerts whose next message may be due.
func lookTx(tx *db.Tx, limit int) ([]Stored, error) {
	return db.Collect(tx, scanAlert, `SELECT `+alertColumns+` FROM alerts WHERE next_at <= $1 ORDER BY next_at LIMIT $2`,
		db.Millis(tx.Now()), limit)
}

// event is what a message says of its alert.
type event string

const (
	eventOpened    event = "opened"
	eventAgain     event = "again"     // it happened more often since
	eventReminder  event = "reminder"  // it still lasts
	eventEscalated event = "escalated" // nobody acknowledged it
	eventResolved  event = "resolved"
)

// delivery is a message on its way.
type delivery struct {
	id           id.ID
	alertID      id.ID
	event        event
	step         int64 // place of the channel that is tried
	stepAttempts int64 // failures there
	stepSince    time.Time
	attempts     int64
	rounds       int64 // how often all channels had failed
}

const deliveryColumns = `id, alert_id, event, step, step_attempts, step_since, attempts, rounds`

func scanDelivery(rows db.Rows) (delivery, error) {
	var d delivery
	var what string
	var since db.Time
	err := rows.Scan(&d.id, &d.alertID, &what, &d.step, &d.stepAttempts, &since, &d.attempts, &d.rounds)
	d.event, d.stepSince = event(what), since.Time
	return d, err
}

// queueTx makes the message of an alert that waits say e, or makes one. One that
// was tried may have arrived, so that what says something else gets an id of
// its own; it goes on where the other was. What escalates begins at the second
// channel.
func queueTx(tx *db.Tx, a Stored, e event) error {
	var step, rounds int64
	if e == eventEscalated {
		step = 1
	}
	err := tx.Get([]any{&step, &rounds}, `UPDATE alert_deliveries SET state = 'dropped'
		WHERE alert_id = $1 AND state = 'due' AND attempts > 0 AND event <> $2 RETURNING step, rounds`, a.ID, string(e))
	if err != nil && !errors.Is(err, db.ErrNoRows) {
		return err
	}
	now := db.Millis(tx.Now())
	_, err = tx.Exec(`INSERT INTO alert_deliveries (id, merchant_id, alert_id, event, state, step, rounds, step_since, next_try_at, created_at)
		VALUES ($1, $2, $3, $4, 'due', $5, $6, $7, $8, $9)
		ON CONFLICT (alert_id) WHERE state = 'due' DO UPDATE SET event = excluded.event`,
		id.New(), a.MerchantID, a.ID, string(e), step, rounds, now, now, now)
	return err
}

func waitingTx(tx *db.Tx, limit int) ([]delivery, error) {
	return db.Collect(tx, scanDelivery, `SELECT `+deliveryColumns+` FROM alert_deliveries
		WHERE state = 'due' AND next_try_at <= $1 ORDER BY next_try_at LIMIT $2`, db.Millis(tx.Now()), limit)
}

// claimTx takes a message for the time of one attempt, and tells whether it was
// still to be had.
func claimTx(tx *db.Tx, d delivery) (bool, error) {
	n, err := tx.Exec(`UPDATE alert_deliveries SET attempts = attempts + 1, next_try_at = $1
		WHERE id = $2 AND attempts = $3 AND state = 'due'`, db.Millis(tx.Now().Add(claimFor)), d.id, d.attempts)
	return n == 1, err
}

// sentTx notes that channel took the message, though another one may have taken
// its place meanwhile, and that it is time to look at the alert again.
func sentTx(tx *db.Tx, d delivery, a Stored, channel string) error {
	if _, err := tx.Exec(`UPDATE alert_deliveries SET state = 'sent', channel = $1, sent_at = $2, last_error = ''
		WHERE id = $3 AND state <> 'sent'`, channel, db.Millis(tx.Now()), d.id); err != nil {
		return err
	}
	_, err := tx.Exec(`UPDATE alerts SET told_at = $1, told_count = $2, next_at = CASE WHEN state = 'resolved' THEN next_at ELSE $3 END
		WHERE id = $4`, db.Millis(tx.Now()), a.Count, db.Millis(tx.Now()), a.ID)
	return err
}

// failedTx notes that a channel did not take the message, and what is next.
func failedTx(tx *db.Tx, d delivery, code string, next time.Time) error {
	_, err := tx.Exec(`UPDATE alert_deliveries SET step = $1, step_attempts = $2, step_since = $3, rounds = $4, last_error = $5,
		next_try_at = $6 WHERE id = $7 AND state = 'due'`,
		d.step, d.stepAttempts, db.Millis(d.stepSince), d.rounds, code, db.Millis(next), d.id)
	return err
}

// dropTx gives up messages of what ended: nobody is there to be told.
func dropTx(tx *db.Tx, limit int) (int64, error) {
	return tx.Exec(`UPDATE alert_deliveries SET state = 'dropped' WHERE state = 'due' AND id IN (SELECT d.id FROM alert_deliveries d
		JOIN alerts a ON a.id = d.alert_id WHERE d.state = 'due' AND a.state = 'resolved' LIMIT $1)`, limit)
}

// Standing is how alerting fares.
type Standing struct {
	Channels int   `json:"channels"` // configured
	Open     int64 `json:"open"`     // alerts that are not resolved
	// Undelivered are messages that every channel refused at least once.
	Undelivered int64  `json:"undelivered"`
	LastError   string `json:"last_error,omitempty"` // the code of what stopped one of them
}

func standingTx(tx *db.Tx) (s Standing, err error) {
	if err := tx.Get([]any{&s.Open}, `SELECT COUNT(*) FROM alerts WHERE state <> 'resolved'`); err != nil {
		return s, err
	}
	err = tx.Get([]any{&s.Undelivered, &s.LastError}, `SELECT COUNT(*), COALESCE(MAX(last_error), '') FROM alert_deliveries
		WHERE state = 'due' AND rounds > 0`)
	return s, err
}

// purgeTx deletes alerts that ended before a time, with their messages.
func purgeTx(tx *db.Tx, before time.Time, limit int) (int64, error) {
	old, err := db.Collect(tx, func(rows db.Rows) (v id.ID, err error) { return v, rows.Scan(&v) },
		`SELECT id FROM alerts WHERE resolved_at < $1 ORDER BY resolved_at LIMIT $2`, db.Millis(before), limit)
	if err != nil {
		return 0, err
	}
	for _, alertID := range old {
		if _, err := tx.Exec(`DELETE FROM alert_deliveries WHERE alert_id = $1`, alertID); err != nil {
			return 0, err
		}
		if _, err := tx.Exec(`DELETE FROM alerts WHERE id = $1`, alertID); err != nil {
			return 0, err
		}
	}
	return int64(len(old)), nil
}

// lookedTx notes when to look at an alert again, and that e is queued.
func lookedTx(tx *db.Tx, a Stored, e event, look time.Time) error {
	escalated := a.escalatedAt
	if e == eventEscalated {
		escalated = tx.Now()
	}
	_, err := tx.Exec(`UPDATE alerts SET next_at = $1, escalated_at = $2 WHERE id = $3`, db.Millis(look), db.Millis(escalated), a.ID)
	return err
}
