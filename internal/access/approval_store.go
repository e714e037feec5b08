package access

import (
	"bytes"
	"encoding/json"
	"errors"
	"time"

	"panshi/internal/audit"
	"panshi/internal/db"
	"panshi/internal/id"
	"panshi/internal/jobs"
	"panshi/internal/money"
	"panshi/internal/perm"
)

const approvalColumns = `a.id, a.merchant_id, a.kind, a.subject_kind, a.subject_id, a.amount, a.currency, a.reason, a.detail,
	a.digest, a.effect_sealed, a.status, a.requested_by, s.login, a.requested_at, a.expires_at, a.alone_from, a.alerted_at,
	a.decided_by, a.decided_at, a.note`

func scanApproval(rows db.Rows) (Approval, error) {
	var a Approval
	var currency, detail, status string
	var requested, expires, alone, alerted, decided db.Time
	err := rows.Scan(&a.ID, &a.MerchantID, &a.Kind, &a.SubjectKind, &a.SubjectID, &a.Amount.Minor, &currency, &a.Reason, &detail,
		&a.Digest, &a.sealed, &status, &a.RequestedBy, &a.Maker, &requested, &expires, &alone, &alerted,
		&a.DecidedBy, &decided, &a.Note)
	if err == nil && detail != "" {
		err = json.Unmarshal([]byte(detail), &a.Detail)
	}
	a.Amount.Currency, a.Status = money.Currency(currency), ApprovalStatus(status)
	a.RequestedAt, a.ExpiresAt, a.AloneFrom = requested.Time, expires.Time, alone.Time
	a.AlertedAt, a.DecidedAt = alerted.Time, decided.Time
	return a, err
}

// storeApprovalTx writes a new request, its record and, if its maker is alone,
// the alert. What waited for too long makes room first.
func storeApprovalTx(tx *db.Tx, a Approval, by Maker) error {
	now := db.Millis(tx.Now())
	if _, err := tx.Exec(`UPDATE approvals SET status = 'expired', effect_sealed = NULL, decided_at = $1
		WHERE merchant_id = $2 AND kind = $3 AND subject_id = $4 AND status = 'pending' AND expires_at <= $5`,
		now, a.MerchantID, a.Kind, a.SubjectID, now); err != nil {
		return err
	}
	detail := ""
	if len(a.Detail) > 0 {
		text, err := json.Marshal(a.Detail)
		if err != nil {
			return err
		}
		detail = string(text)
	}
	inserted, err := tx.Exec(`INSERT INTO approvals (id, merchant_id, kind, subject_kind, subject_id, amount, currency, reason,
		detail, digest, effect_sealed, status, requested_by, requested_at, expires_at, alone_from)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 'pending', $12, $13, $14, $15)
		ON CONFLICT (merchant_id, kind, subject_id) WHERE status = 'pending' DO NOTHING`,
		a.ID, a.MerchantID, a.Kind, a.SubjectKind, a.SubjectID, a.Amount.Minor, string(a.Amount.Currency), a.Reason,
		detail, a.Digest, a.sealed, a.RequestedBy, now, db.Millis(a.ExpiresAt), db.Millis(a.AloneFrom))
	if err != nil {
		return err
	}
	if inserted != 1 {
		return errApprovalPending
	}
	if !a.AloneFrom.IsZero() {
		if err := jobs.EnqueueTx(tx, a.MerchantID, AlertJob, a.ID); err != nil {
			return err
		}
	}
	return recordApprovalTx(tx, a, by, "approval.requested", map[string]string{"reason": a.Reason})
}

// decideTx ends a request that waits, once for ever: of any number who try,
// one finds it pending.
func decideTx(tx *db.Tx, a Approval, to ApprovalStatus, by id.ID, note string) error {
	changed, err := tx.Exec(`UPDATE approvals SET status = $1, effect_sealed = NULL, decided_by = $2, decided_at = $3, note = $4
		WHERE id = $5 AND merchant_id = $6 AND status = 'pending'`,
		string(to), by, db.Millis(tx.Now()), note, a.ID, a.MerchantID)
	if err == nil && changed != 1 {
		err = errApprovalDecided
	}
	return err
}

func approvalTx(tx *db.Tx, merchantID, approvalID id.ID) (Approval, error) {
	found, err := db.Collect(tx, scanApproval, `SELECT `+approvalColumns+` FROM approvals a JOIN staff s ON s.id = a.requested_by
		WHERE a.id = $1 AND a.merchant_id = $2`, approvalID, merchantID)
	if err != nil {
		return Approval{}, err
	}
	if len(found) == 0 {
		return Approval{}, ErrApprovalUnknown
	}
	return found[0], nil
}

// waitingTx reads a request that can still be decided.
func waitingTx(tx *db.Tx, merchantID, approvalID id.ID) (Approval, error) {
	a, err := approvalTx(tx, merchantID, approvalID)
	switch {
	case err != nil:
		return a, err
	case a.Status == ApprovalExpired, a.Status == ApprovalPending && !tx.Now().Before(a.ExpiresAt):
		return a, errApprovalExpired
	case a.Status != ApprovalPending:
		return a, errApprovalDecided
	}
	return a, nil
}

// approvalsTx lists a merchant's requests, the newest first.
func approvalsTx(tx *db.Tx, merchantID id.ID, f ApprovalFilter) ([]Approval, error) {
	before := bytes.Repeat([]byte{0xff}, len(f.Before))
	if !f.Before.IsZero() {
		before = f.Before[:]
	}
	if f.Status == "" {
		return db.Collect(tx, scanApproval, `SELECT `+approvalColumns+` FROM approvals a JOIN staff s ON s.id = a.requested_by
			WHERE a.merchant_id = $1 AND a.id < $2 ORDER BY a.id DESC LIMIT $3`, merchantID, before, f.Limit)
	}
	return db.Collect(tx, scanApproval, `SELECT `+approvalColumns+` FROM approvals a JOIN staff s ON s.id = a.requested_by
		WHERE a.merchant_id = $1 AND a.status = $2 AND a.id < $3 ORDER BY a.id DESC LIMIT $4`,
		merchantID, string(f.Status), before, f.Limit)
}

// aloneTx tells whether nobody but one member of staff may decide.
func aloneTx(tx *db.Tx, merchantID, staffID id.ID) (bool, error) {
	deciders, err := db.Collect(tx, func(rows db.Rows) (decides bool, err error) {
		var other id.ID
		var role string
		err = rows.Scan(&other, &role)
		return other != staffID && Principal{Permissions: Role(role).Permissions()}.Has(perm.ApprovalsDecide), err
	}, `SELECT id, role FROM staff WHERE merchant_id = $1 AND status = 'active'`, merchantID)
	for _, decides := range deciders {
		if decides {
			return false, err
		}
	}
	return true, err
}

// lapsed is how many requests one run of the sweep ends.
const lapsed = 100

// lapseTx ends requests that nobody decided in time: what they sealed goes.
func lapseTx(tx *db.Tx) (n int, err error) {
	due, err := db.Collect(tx, scanApproval, `SELECT `+approvalColumns+` FROM approvals a JOIN staff s ON s.id = a.requested_by
		WHERE a.status = 'pending' AND a.expires_at <= $1 ORDER BY a.expires_at LIMIT $2`, db.Millis(tx.Now()), lapsed)
	for _, a := range due {
		err := decideTx(tx, a, ApprovalExpired, id.ID{}, "")
		if errors.Is(err, errApprovalDecided) {
			continue
		}
		if err != nil {
			return n, err
		}
		if err := recordApprovalTx(tx, a, Maker{Actor: audit.System()}, "approval.expired", nil); err != nil {
			return n, err
		}
	}
	return len(due), err
}

// alertedTx notes that the outside channel was told; false if it had been.
func alertedTx(tx *db.Tx, a Approval, at time.Time) (bool, error) {
	changed, err := tx.Exec(`UPDATE approvals SET alerted_at = $1 WHERE id = $2 AND merchant_id = $3 AND alerted_at IS NULL`,
		db.Millis(at), a.ID, a.MerchantID)
	return changed == 1, err
}

func recordApprovalTx(tx *db.Tx, a Approval, by Maker, action string, more map[string]string) error {
	detail := map[string]string{"kind": a.Kind, "maker": a.RequestedBy.String(), "subject": a.SubjectID.String()}
	if a.Amount.Currency != "" {
		detail["amount"] = a.Amount.String()
	}
	for key, value := range more {
		detail[key] = value
	}
	return audit.RecordTx(tx, audit.Record{
		MerchantID: a.MerchantID, Actor: by.Actor, RequestID: by.RequestID, Action: action,
		SubjectKind: "approval", SubjectID: a.ID, Detail: detail,
	})
}
