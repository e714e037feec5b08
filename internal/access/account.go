package access

import (
	"errors"
	"strconv"
	"time"

	"panshi/internal/db"
	"panshi/internal/id"
)

// account is what signing in needs to know of a member of staff. The zero id
// says that nobody has the login.
type account struct {
	id           id.ID
	merchantID   id.ID
	login        string
	role         Role
	passwordHash string
	totpSealed   []byte
	totpStep     int64
	failures     int
	retryAt      time.Time
	bucket       int64 // of an unknown login
}

func (a account) known() bool { return !a.id.IsZero() }

const accountColumns = `id, merchant_id, login, role, password_hash, totp_sealed, totp_step, failures, retry_at`

func scanAccount(rows db.Rows) (account, error) {
	var a account
	var role string
	var retry db.Time
	err := rows.Scan(&a.id, &a.merchantID, &a.login, &role, &a.passwordHash, &a.totpSealed, &a.totpStep, &a.failures, &retry)
	a.role, a.retryAt = Role(role), retry.Time
	return a, err
}

// byLoginTx reads the active account with a login; the zero account if none.
// lock is tx.ForUpdate or "".
func byLoginTx(tx *db.Tx, login, lock string) (account, error) {
	return firstAccount(db.Collect(tx, scanAccount, `SELECT `+accountColumns+` FROM staff
		WHERE login = $1 AND status = 'active'`+lock, login))
}

// byIDTx reads an active account to change it; the zero account if none.
func byIDTx(tx *db.Tx, merchantID, staffID id.ID) (account, error) {
	return firstAccount(db.Collect(tx, scanAccount, `SELECT `+accountColumns+` FROM staff
		WHERE id = $1 AND merchant_id = $2 AND status = 'active'`+tx.ForUpdate(), staffID, merchantID))
}

func firstAccount(found []account, err error) (account, error) {
	if err != nil || len(found) == 0 {
		return account{}, err
	}
	return found[0], nil
}

// unknownTx reads how often logins of a bucket failed, to change it.
func unknownTx(tx *db.Tx, bucket int64) (account, error) {
	a := account{bucket: bucket}
	if err := tx.Alone("access/unknown login " + strconv.FormatInt(bucket, 10)); err != nil {
		return a, err
	}
	var retry db.Time
	err := tx.Get([]any{&a.failures, &retry}, `SELECT failures, retry_at FROM staff_unknown_logins WHERE bucket = $1`, bucket)
	if errors.Is(err, db.ErrNoRows) {
		return a, nil
	}
	a.retryAt = retry.Time
	return a, err
}

// setDelayTx notes failures and the time before which nothing is examined.
func setDelayTx(tx *db.Tx, a account, failures int, retryAt time.Time) error {
	if a.known() {
		_, err := tx.Exec(`UPDATE staff SET failures = $1, retry_at = $2 WHERE id = $3 AND merchant_id = $4`,
			failures, db.Millis(retryAt), a.id, a.merchantID)
		return err
	}
	_, err := tx.Exec(`INSERT INTO staff_unknown_logins (bucket, failures, retry_at) VALUES ($1, $2, $3)
		ON CONFLICT (bucket) DO UPDATE SET failures = excluded.failures, retry_at = excluded.retry_at`,
		a.bucket, failures, db.Millis(retryAt))
	return err
}

// takeBackTx takes the charge of an attempt back. If the account was charged
// again since it was read, all charges stay.
func takeBackTx(tx *db.Tx, a account) error {
	_, err := tx.Exec(`UPDATE staff SET failures = $1, retry_at = NULL WHERE id = $2 AND merchant_id = $3 AND failures = $4`,
		a.failures, a.id, a.merchantID, charged(a.failures))
	return err
}

// charged is the number of failures after one more.
func charged(failures int) int { return min(failures+1, 1_000_000) }

// delays of failed attempts.
const (
	firstDelay = time.Second
	maxDelay   = 15 * time.Minute
)

// delayAfter is how long an account waits after its n-th failure in a row.
func delayAfter(failures int) time.Duration {
	if failures < 1 {
		return 0
	}
	return min(maxDelay, firstDelay<<min(failures-1, 20))
}

// ownersTx counts a merchant's active owners.
func ownersTx(tx *db.Tx, merchantID id.ID) (n int, err error) {
	err = tx.Get([]any{&n}, `SELECT COUNT(*) FROM staff
		WHERE merchant_id = $1 AND role = 'owner' AND status = 'active'`, merchantID)
	return n, err
}

func insertStaffTx(tx *db.Tx, a account) error {
	now := db.Millis(tx.Now())
	_, err := tx.Exec(`INSERT INTO staff (id, merchant_id, login, role, status, password_hash, password_at, totp_sealed,
		totp_step, created_at, updated_at) VALUES ($1, $2, $3, $4, 'active', $5, $6, $7, $8, $9, $10)`,
		a.id, a.merchantID, a.login, string(a.role), a.passwordHash, now, a.totpSealed, a.totpStep, now, now)
	return err
}

// replaceStaffTx gives an account that exists new proofs, all at once, and
// ends its sessions.
func replaceStaffTx(tx *db.Tx, a account) error {
	now := db.Millis(tx.Now())
	changed, err := tx.Exec(`UPDATE staff SET password_hash = $1, password_at = $2, totp_sealed = $3, totp_step = $4,
		failures = 0, retry_at = NULL, updated_at = $5
		WHERE id = $6 AND merchant_id = $7 AND login = $8 AND status = 'active'`,
		a.passwordHash, now, a.totpSealed, a.totpStep, now, a.id, a.merchantID, a.login)
	if err != nil {
		return err
	}
	if changed != 1 {
		return errLinkInvalid
	}
	if _, err := tx.Exec(`DELETE FROM staff_recovery_codes WHERE staff_id = $1 AND merchant_id = $2`, a.id, a.merchantID); err != nil {
		return err
	}
	return endSessionsTx(tx, a.merchantID, a.id)
}

func addRecoveryTx(tx *db.Tx, a account, codes []string) error {
	for _, code := range codes {
		if _, err := tx.Exec(`INSERT INTO staff_recovery_codes (staff_id, code_hash, merchant_id) VALUES ($1, $2, $3)`,
			a.id, hashRecovery(code), a.merchantID); err != nil {
			return err
		}
	}
	return nil
}
