package access

import (
	"context"
	"errors"

	"panshi/internal/audit"
	"panshi/internal/db"
	"panshi/internal/errs"
	"panshi/internal/id"
)

// ErrNoSession says that a token opens nothing: it is wrong, too old, unused
// for too long, or was ended.
var ErrNoSession = errs.New(errs.Unauthenticated, "unauthenticated", "sign in first")

// openTx spends the proof and writes the new session.
func (s *Service) openTx(tx *db.Tx, at attempt, pr proof, rehashed, token, replaces string) (Session, error) {
	if err := spendTx(tx, at.account, pr); err != nil {
		return Session{}, err
	}
	if err := setSignedInTx(tx, at.account, rehashed); err != nil {
		return Session{}, err
	}
	if err := tidySessionsTx(tx, at.account, replaces); err != nil {
		return Session{}, err
	}
	p := Principal{
		StaffID: at.id, MerchantID: at.merchantID, SessionID: id.New(), Login: at.login,
		Role: at.role, Permissions: at.role.Permissions(),
	}
	expires := tx.Now().Add(sessionLife)
	if _, err := tx.Exec(`INSERT INTO staff_sessions (token_hash, id, merchant_id, staff_id, created_at, seen_at, expires_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7)`, hashToken(token), p.SessionID, p.MerchantID, p.StaffID,
		db.Millis(tx.Now()), db.Millis(tx.Now()), db.Millis(expires)); err != nil {
		return Session{}, err
	}
	action := at.what
	if pr.recovery != nil {
		action += "_by_recovery_code"
	}
	return Session{Token: token, ExpiresAt: expires, Principal: p}, recordTx(tx, at, action)
}

// setSignedInTx notes the sign-in, and a hash with today's parameters. If the
// password was changed since it was compared, there is no sign-in.
func setSignedInTx(tx *db.Tx, a account, rehashed string) error {
	hash := a.passwordHash
	if rehashed != "" {
		hash = rehashed
	}
	return one(tx.Exec(`UPDATE staff SET signed_in_at = $1, password_hash = $2 WHERE id = $3 AND merchant_id = $4
		AND password_hash = $5`, db.Millis(tx.Now()), hash, a.id, a.merchantID, a.passwordHash))
}

// tidySessionsTx drops a person's dead sessions and the one that is replaced.
func tidySessionsTx(tx *db.Tx, a account, replaces string) error {
	_, err := tx.Exec(`DELETE FROM staff_sessions WHERE staff_id = $1 AND merchant_id = $2
		AND (expires_at <= $3 OR seen_at <= $4 OR token_hash = $5)`,
		a.id, a.merchantID, db.Millis(tx.Now()), db.Millis(tx.Now().Add(-sessionIdle)), hashToken(replaces))
	return err
}

// Authenticate tells whose session a token is, or gives ErrNoSession.
func (s *Service) Authenticate(ctx context.Context, token string) (Principal, error) {
	var p Principal
	var role string
	var seen db.Time
	stale := false
	err := s.db.View(ctx, func(tx *db.Tx) error {
		err := tx.Get([]any{&p.SessionID, &p.MerchantID, &p.StaffID, &seen, &p.Login, &role},
			`SELECT s.id, s.merchant_id, s.staff_id, s.seen_at, a.login, a.role
			FROM staff_sessions s JOIN staff a ON a.id = s.staff_id AND a.merchant_id = s.merchant_id
			WHERE s.token_hash = $1 AND s.expires_at > $2 AND s.seen_at > $3 AND a.status = 'active'`,
			hashToken(token), db.Millis(tx.Now()), db.Millis(tx.Now().Add(-sessionIdle)))
		stale = tx.Now().Sub(seen.Time) >= seenInterval
		return err
	})
	if errors.Is(err, db.ErrNoRows) {
		return Principal{}, ErrNoSession
	}
	if err != nil {
		return Principal{}, err
	}
	p.Role = Role(role)
	p.Permissions = p.Role.Permissions()
	if stale {
		s.touch(ctx, p)
	}
	return p, nil
}

// touch notes a use. If it cannot, the session ends earlier than it might, and
// the request goes on.
func (s *Service) touch(ctx context.Context, p Principal) {
	_ = s.db.Update(ctx, func(tx *db.Tx) error {
		_, err := tx.Exec(`UPDATE staff_sessions SET seen_at = $1 WHERE id = $2 AND merchant_id = $3`,
			db.Millis(tx.Now()), p.SessionID, p.MerchantID)
		return err
	})
}

// SignOut ends the principal's session.
func (s *Service) SignOut(ctx context.Context, p Principal) error {
	_, request := audit.Origin(ctx)
	return s.db.Update(ctx, func(tx *db.Tx) error {
		if _, err := tx.Exec(`DELETE FROM staff_sessions WHERE id = $1 AND merchant_id = $2`, p.SessionID, p.MerchantID); err != nil {
			return err
		}
		return recordTx(tx, attempt{account: account{id: p.StaffID, merchantID: p.MerchantID}, request: request}, "staff.sign_out")
	})
}

// ChangePassword sets a new password for the principal, who proves the present
// one and a code again, and ends all sessions, this one too. Failures count
// like those of signing in.
func (s *Service) ChangePassword(ctx context.Context, p Principal, current, code, next string) error {
	if err := checkPassword("new_password", normalPassword(next), p.Login); err != nil {
		return err
	}
	at, hashed, err := s.examine(ctx, "staff.password_change", current, next, func(tx *db.Tx) (account, error) {
		a, err := byIDTx(tx, p.MerchantID, p.StaffID)
		if err == nil && !a.known() {
			return a, ErrNoSession // disabled this moment
		}
		return a, err
	})
	if err != nil {
		return err
	}
	pr, err := s.readCode(at.account, code)
	if err != nil {
		return s.failed(ctx, at, err)
	}
	err = s.db.Update(ctx, func(tx *db.Tx) error { return changePasswordTx(tx, at, pr, hashed) })
	if errs.CodeOf(err) == ErrSignIn.Code {
		return s.failed(ctx, at, err)
	}
	return err
}

func changePasswordTx(tx *db.Tx, at attempt, pr proof, hashed string) error {
	if err := spendTx(tx, at.account, pr); err != nil {
		return err
	}
	now := db.Millis(tx.Now())
	if err := one(tx.Exec(`UPDATE staff SET password_hash = $1, password_at = $2, updated_at = $3
		WHERE id = $4 AND merchant_id = $5 AND password_hash = $6`,
		hashed, now, now, at.id, at.merchantID, at.passwordHash)); err != nil {
		return err
	}
	if err := endSessionsTx(tx, at.merchantID, at.id); err != nil {
		return err
	}
	return recordTx(tx, at, at.what)
}

// endSessionsTx ends all sessions of a member of staff.
func endSessionsTx(tx *db.Tx, merchantID, staffID id.ID) error {
	_, err := tx.Exec(`DELETE FROM staff_sessions WHERE staff_id = $1 AND merchant_id = $2`, staffID, merchantID)
	return err
}
