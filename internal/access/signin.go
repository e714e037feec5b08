package access

import (
	"context"
	"encoding/binary"
	"strconv"
	"time"

	"panshi/internal/audit"
	"panshi/internal/db"
	"panshi/internal/errs"
	"panshi/internal/id"
	"panshi/internal/vault"
)

// Errors of signing in. They do not tell a wrong login from a wrong password
// or a wrong code.
var (
	ErrSignIn       = errs.New(errs.Unauthenticated, "sign_in_failed", "login, password or code is wrong")
	ErrSecondFactor = errs.New(errs.Unauthenticated, "second_factor_required", "the code of the authenticator app is needed")
	ErrDelayed      = errs.New(errs.TooMany, "sign_in_delayed", "too many failures; wait before the next attempt")
)

// SignInRequest is what somebody shows to get a session. Without a code a
// right password is answered by ErrSecondFactor, so that a page may ask in two
// steps.
type SignInRequest struct {
	Login    string
	Password string
	Code     string // six digits of the app, or a recovery code
	Replaces string // the token of a session of the same person that ends with this sign-in; "" for none
}

// Session is a new session. Token is shown once and stored nowhere.
type Session struct {
	Token     string
	ExpiresAt time.Time // at the latest; 30 minutes without use end it earlier
	Principal Principal
}

// attempt is one try to prove oneself; the account was charged for it.
type attempt struct {
	account
	what    string // for the trail: "staff.sign_in", "staff.password_change"
	request string // request id
}

// proof is what a code turned out to be.
type proof struct {
	step     int64  // of the app, if recovery is nil
	recovery []byte // hash of a recovery code
}

// SignIn opens a session. Codes: sign_in_failed, second_factor_required,
// sign_in_delayed (with retry_after), overloaded.
func (s *Service) SignIn(ctx context.Context, r SignInRequest) (Session, error) {
	login, err := normalLogin(r.Login)
	if err != nil {
		login = "-" // nobody has it, and it costs the same
	}
	at, rehashed, err := s.examine(ctx, "staff.sign_in", r.Password, "", func(tx *db.Tx) (account, error) {
		a, err := byLoginTx(tx, login, tx.ForUpdate())
		if err != nil || a.known() {
			return a, err
		}
		return unknownTx(tx, s.bucketOf(login))
	})
	if err != nil {
		return Session{}, err
	}
	if r.Code == "" {
		return Session{}, s.forgive(ctx, at)
	}
	pr, err := s.readCode(at.account, r.Code)
	if err != nil {
		return Session{}, s.failed(ctx, at, err)
	}
	token := newToken()
	var session Session
	err = s.db.Update(ctx, func(tx *db.Tx) (err error) {
		session, err = s.openTx(tx, at, pr, rehashed, token, r.Replaces)
		return err
	})
	if errs.CodeOf(err) == ErrSignIn.Code {
		return Session{}, s.failed(ctx, at, err)
	}
	return session, err
}

// bucketOf spreads unknown logins; nobody outside can tell which share one.
func (s *Service) bucketOf(login string) int64 {
	mark := s.vault.Fingerprint(vault.Staff, id.ID{}, "access.unknown_login", []byte(login))
	return int64(binary.BigEndian.Uint16(mark) & 0x0fff)
}

// examine charges the account that find gives and compares the password. With
// next, the hash of a new password is made under the same slot; without, a
// hash of the same password if the stored one has old parameters.
func (s *Service) examine(ctx context.Context, what, password, next string,
	find func(*db.Tx) (account, error),
) (at attempt, hashed string, err error) {
	leave, err := s.hasher.enter(ctx)
	if err != nil {
		return attempt{}, "", err
	}
	defer leave()
	if at, err = s.charge(ctx, what, find); err != nil {
		return at, "", err
	}
	password = normalPassword(password)
	if !at.known() {
		s.hasher.burn(password)
		return at, "", s.failed(ctx, at, ErrSignIn)
	}
	ok, outdated := s.hasher.verify(at.passwordHash, password)
	switch {
	case !ok:
		return at, "", s.failed(ctx, at, ErrSignIn)
	case next != "":
		hashed = s.hasher.hash(normalPassword(next))
	case outdated:
		hashed = s.hasher.hash(password)
	}
	return at, hashed, nil
}

// charge counts the attempt as failed before it is examined. find locks what
// it reads: of many attempts at once one is examined, and the others find its
// delay.
func (s *Service) charge(ctx context.Context, what string, find func(*db.Tx) (account, error)) (attempt, error) {
	_, request := audit.Origin(ctx)
	at := attempt{what: what, request: request}
	err := s.db.Update(ctx, func(tx *db.Tx) error {
		a, err := find(tx)
		if err != nil {
			return err
		}
		// A longer wait was never given: the clock was ahead when it was noted.
		if wait := a.retryAt.Sub(tx.Now()); wait > 0 && wait <= maxDelay {
			seconds := int64((wait + time.Second - 1) / time.Second)
			return ErrDelayed.With("retry_after", strconv.FormatInt(seconds, 10))
		}
		at.account = a
		failures := charged(a.failures)
		return setDelayTx(tx, a, failures, tx.Now().Add(delayAfter(failures)))
	})
	return at, err
}

// failed leaves a trace of a failure and returns err. The charge stays.
func (s *Service) failed(ctx context.Context, at attempt, err error) error {
	// The caller may have gone: the trace is left all the same.
	return firstError(s.db.Update(context.WithoutCancel(ctx), func(tx *db.Tx) error {
		if !at.known() { // the same work: a write and a commit
			_, err := tx.Exec(`UPDATE staff_unknown_logins SET merchant_id = NULL WHERE bucket = $1`, at.bucket)
			return err
		}
		return recordTx(tx, at, at.what+"_failed")
	}), err)
}

func firstError(all ...error) error {
	for _, err := range all {
		if err != nil {
			return err
		}
	}
	return nil
}

// forgive takes back the charge of an attempt that asks for the second step;
// earlier failures stay counted, and so do those that came since.
func (s *Service) forgive(ctx context.Context, at attempt) error {
	return firstError(s.db.Update(ctx, func(tx *db.Tx) error {
		return takeBackTx(tx, at.account)
	}), ErrSecondFactor)
}

// readCode finds out which code this is. It is used up later, in the
// transaction that it pays for.
func (s *Service) readCode(a account, code string) (proof, error) {
	if !looksLikeTOTP(code) {
		return proof{recovery: hashRecovery(code)}, nil
	}
	secret, err := s.vault.Unseal(vault.Staff, staffCell(a.id), a.totpSealed)
	if err != nil {
		return proof{}, err
	}
	step, ok, err := matchStep(string(secret), code, s.clock.Now())
	if err != nil {
		return proof{}, err
	}
	if !ok {
		return proof{}, ErrSignIn
	}
	return proof{step: step}, nil
}

// spendTx uses a proof up, or gives ErrSignIn if it was used before, and
// forgives earlier failures.
func spendTx(tx *db.Tx, a account, p proof) error {
	if p.recovery != nil {
		return spendRecoveryTx(tx, a, p.recovery)
	}
	return one(tx.Exec(`UPDATE staff SET totp_step = $1, failures = 0, retry_at = NULL
		WHERE id = $2 AND merchant_id = $3 AND status = 'active' AND totp_step < $4`, p.step, a.id, a.merchantID, p.step))
}

func spendRecoveryTx(tx *db.Tx, a account, hash []byte) error {
	if err := one(tx.Exec(`UPDATE staff_recovery_codes SET used_at = $1
		WHERE staff_id = $2 AND code_hash = $3 AND merchant_id = $4 AND used_at IS NULL`,
		db.Millis(tx.Now()), a.id, hash, a.merchantID)); err != nil {
		return err
	}
	return one(tx.Exec(`UPDATE staff SET failures = 0, retry_at = NULL
		WHERE id = $1 AND merchant_id = $2 AND status = 'active'`, a.id, a.merchantID))
}

// one makes ErrSignIn of a change that found nothing to change.
func one(changed int64, err error) error {
	if err == nil && changed != 1 {
		return ErrSignIn
	}
	return err
}

// recordTx writes the trail of an attempt.
func recordTx(tx *db.Tx, at attempt, action string) error {
	return audit.RecordTx(tx, audit.Record{
		MerchantID: at.merchantID, Actor: audit.Actor{Kind: "staff", ID: at.id.String()}, Action: action,
		SubjectKind: "staff", SubjectID: at.id, RequestID: at.request,
	})
}
