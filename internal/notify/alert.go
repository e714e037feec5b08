package notify

import (
	"encoding/json"
	"errors"
	"regexp"
	"strings"
	"time"
	"unicode"

	"panshi/internal/db"
	"panshi/internal/errs"
	"panshi/internal/id"
)

// Severity says how much an alert matters.
type Severity string

// The severities. What is critical is told again to the second channel when
// nobody acknowledges it in time.
const (
	Info     Severity = "info"
	Warning  Severity = "warning"
	Critical Severity = "critical"
)

// Alert is something that people must know of.
type Alert struct {
	Code       string // of its texts: alert.<code>.title and .text in the catalogues
	MerchantID id.ID  // zero: it is about the whole installation
	// Subject tells what it is about among alerts of one code, such as an
	// account; at most 200 bytes, "" if there is only one.
	Subject  string
	Severity Severity
	// Args fill the texts. No personal data, no card key, no token.
	Args map[string]string
}

// State of an alert.
type State string

// The states.
const (
	Open         State = "open"
	Acknowledged State = "acknowledged" // somebody is at it: no reminders, no escalation
	Resolved     State = "resolved"
)

// Stored is an alert as it stands.
type Stored struct {
	Alert
	ID             id.ID
	State          State
	Count          int64 // how often it happened
	OpenedAt       time.Time
	LastAt         time.Time
	AcknowledgedAt time.Time
	AcknowledgedBy string
	ResolvedAt     time.Time

	toldCount   int64     // of Count, what the last message said
	toldAt      time.Time // when it was sent; zero: none was
	escalatedAt time.Time
}

// Errors of alerts.
var (
	ErrUnknown = errs.New(errs.NotFound, "alert_unknown", "there is no such open alert")
	errAlert   = errs.New(errs.Internal, "alert_invalid", "an alert's code, severity or subject is not what they may be")
)

// key names what an alert is about.
func (a Alert) key() string { return a.MerchantID.String() + "/" + a.Code + "/" + a.Subject }

func (a Alert) validate() error {
	code := regexp.MustCompile(`^[a-z][a-z0-9_]{1,63}$`)
	known := a.Severity == Info || a.Severity == Warning || a.Severity == Critical
	if !code.MatchString(a.Code) || !known || len(a.Subject) > 200 || clean(a.Subject, 200) != a.Subject {
		return errAlert
	}
	return nil
}

// encoded is the arguments as they are stored, each cut to what a message
// bears.
func (a Alert) encoded() (string, error) {
	args := make(map[string]string, len(a.Args))
	for name, value := range a.Args {
		args[name] = clean(value, 300)
	}
	raw, err := json.Marshal(args)
	return string(raw), err
}

// clean makes one line of at most limit bytes: what comes from outside must
// not break out of a mail's header or a chat's line.
func clean(text string, limit int) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, ""))
	return strings.TrimSpace(cut(text, limit))
}

// cut shortens text to at most limit bytes at a rune's border.
func cut(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	return strings.ToValidUTF8(text[:limit], "")
}

// AlertTx raises an alert in the caller's transaction. One that is open
// already is counted; its message follows within the window of the
// configuration. Use it for what happens; what lasts and is looked at again
// and again belongs to OngoingTx.
func AlertTx(tx *db.Tx, a Alert) error { return raiseTx(tx, a, 1) }

// OngoingTx raises an alert about a state that a sweep finds again and again:
// one that is open already stays as it is, but for its arguments.
func OngoingTx(tx *db.Tx, a Alert) error { return raiseTx(tx, a, 0) }

// raiseTx writes the alert and its first message, or adds more to the count of
// the one that is open.
func raiseTx(tx *db.Tx, a Alert, more int64) error {
	if err := a.validate(); err != nil {
		return err
	}
	args, err := a.encoded()
	if err != nil {
		return err
	}
	fresh, now := id.New(), db.Millis(tx.Now())
	var stored id.ID
	if err := tx.Get([]any{&stored}, `INSERT INTO alerts (id, merchant_id, dedup, code, subject, severity, state, args,
		opened_at, last_at) VALUES ($1, $2, $3, $4, $5, $6, 'open', $7, $8, $9)
		ON CONFLICT (dedup) WHERE state <> 'resolved' DO UPDATE SET args = excluded.args, severity = excluded.severity,
		last_at = excluded.last_at, count = alerts.count + $10,
		next_at = CASE WHEN alerts.count = alerts.told_count AND $11 > 0 THEN excluded.last_at ELSE alerts.next_at END
		RETURNING id`, fresh, a.MerchantID, a.key(), a.Code, a.Subject, string(a.Severity), args, now, now, more, more); err != nil {
		return err
	}
	if stored != fresh {
		return nil
	}
	return queueTx(tx, Stored{Alert: a, ID: fresh}, eventOpened)
}

// ResolveTx ends an alert, if it is open: those who were told of it are told
// that it is over.
func ResolveTx(tx *db.Tx, merchantID id.ID, code, subject string) error {
	_, err := tx.Exec(`UPDATE alerts SET state = 'resolved', resolved_at = $1, next_at = $2
		WHERE dedup = $3 AND state <> 'resolved'`,
		db.Millis(tx.Now()), db.Millis(tx.Now()), Alert{MerchantID: merchantID, Code: code, Subject: subject}.key())
	return err
}

// ResolveUnlessTx ends an open alert if still says that its cause is gone. It
// asks while the alert is locked: who raises it at the same time either is seen
// by still, or raises a new one.
func ResolveUnlessTx(tx *db.Tx, a Alert, still func() (bool, error)) error {
	var alertID id.ID
	err := tx.Get([]any{&alertID}, `SELECT id FROM alerts WHERE dedup = $1 AND state <> 'resolved'`+tx.ForUpdate(), a.key())
	if errors.Is(err, db.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	if there, err := still(); err != nil || there {
		return err
	}
	return ResolveTx(tx, a.MerchantID, a.Code, a.Subject)
}

// AcknowledgeTx notes who is at an alert that s sees. Repeating it changes
// nothing.
func AcknowledgeTx(tx *db.Tx, s Scope, alertID id.ID, by string) error {
	a, err := byIDTx(tx, alertID)
	if errors.Is(err, db.ErrNoRows) || err == nil && (!s.sees(a) || a.State == Resolved) {
		return ErrUnknown
	}
	if err != nil || a.State == Acknowledged {
		return err
	}
	_, err = tx.Exec(`UPDATE alerts SET state = 'acknowledged', acknowledged_at = $1, acknowledged_by = $2, next_at = $3
		WHERE id = $4 AND state = 'open'`, db.Millis(tx.Now()), clean(by, 100), db.Millis(tx.Now()), alertID)
	return err
}

// Scope is whose alerts somebody sees.
type Scope struct {
	All        bool  // the installation's and every merchant's
	MerchantID id.ID // this merchant's
	Platform   bool  // and those about the whole installation
}

func (s Scope) sees(a Stored) bool {
	return s.All || a.MerchantID == s.MerchantID && !s.MerchantID.IsZero() || s.Platform && a.MerchantID.IsZero()
}
