package access

import (
	"context"
	"errors"
	"time"

	"panshi/internal/audit"
	"panshi/internal/db"
	"panshi/internal/errs"
	"panshi/internal/id"
	"panshi/internal/vault"
)

// Errors of setting an account up.
var (
	errNoMerchant  = errs.New(errs.NotFound, "merchant_not_found", "there is no such shop")
	errLinkInvalid = errs.New(errs.Forbidden, "setup_link_invalid", "this set-up link was used, has expired or never existed; make a new one")
	errLoginTaken  = errs.Field("login", "login_taken", "somebody has this login already")
	errCodeWrong   = errs.Field("code", "totp_wrong", "this code is not right; wait for the next one and check the phone's clock")

	// ErrOwnerExists says that the shop has an owner: only a command may let
	// another one in.
	ErrOwnerExists = errs.New(errs.Conflict, "owner_exists", "this shop has an owner already; reissue the link by the command to get in again")
)

// link is a set-up link as stored.
type link struct {
	staffID    id.ID
	merchantID id.ID
	tokenHash  []byte
	reissued   bool
	role       Role // what who completes it will be
	totpSealed []byte
	shop       string // the merchant's slug
}

// CreateSetupLink makes the one-time link by which a merchant's owner gets in:
// the token, 43 characters, good for 24 hours and one use. Earlier links of
// the merchant end. It fails with ErrOwnerExists if there is an owner.
func (s *Service) CreateSetupLink(ctx context.Context, merchantID id.ID) (token string, err error) {
	return s.makeLink(ctx, merchantID, false)
}

// ReissueSetupLink makes a link although there is an owner: the way back in
// for somebody who lost password, phone and recovery codes. Who completes it
// under a login of the merchant's that exists gets that account with new
// proofs, and all its sessions end; under a new login becomes one more owner.
// Only a command on the machine may call it.
func (s *Service) ReissueSetupLink(ctx context.Context, merchantID id.ID) (token string, err error) {
	return s.makeLink(ctx, merchantID, true)
}

func (s *Service) makeLink(ctx context.Context, merchantID id.ID, reissued bool) (string, error) {
	token, staffID := newToken(), id.New()
	actor, request := audit.Origin(ctx)
	err := s.db.Update(ctx, func(tx *db.Tx) error {
		if err := mayLinkTx(tx, merchantID, reissued); err != nil {
			return err
		}
		if _, err := tx.Exec(`DELETE FROM staff_setup_links
			WHERE merchant_id = $1 AND used_at IS NULL AND role = 'owner'`, merchantID); err != nil {
			return err
		}
		if _, err := tx.Exec(`INSERT INTO staff_setup_links (staff_id, merchant_id, token_hash, reissued, created_at, expires_at)
			VALUES ($1, $2, $3, $4, $5, $6)`, staffID, merchantID, hashToken(token), flag(reissued),
			db.Millis(tx.Now()), db.Millis(tx.Now().Add(linkLife))); err != nil {
			return err
		}
		action := "staff.setup_link_created"
		if reissued {
			action = "staff.setup_link_reissued"
		}
		return audit.RecordTx(tx, audit.Record{
			MerchantID: merchantID, Actor: actor, Action: action, SubjectKind: "staff", SubjectID: staffID, RequestID: request,
		})
	})
	if err != nil {
		return "", err
	}
	return token, nil
}

// ownersAloneTx lets one transaction at a time decide by a merchant's owners
// and open link.
func ownersAloneTx(tx *db.Tx, merchantID id.ID) error {
	return tx.Alone("access/owners " + merchantID.String())
}

func mayLinkTx(tx *db.Tx, merchantID id.ID, reissued bool) error {
	if err := ownersAloneTx(tx, merchantID); err != nil {
		return err
	}
	var n int
	if err := tx.Get([]any{&n}, `SELECT COUNT(*) FROM merchants WHERE id = $1`, merchantID); err != nil {
		return err
	}
	if n == 0 {
		return errNoMerchant
	}
	owners, err := ownersTx(tx, merchantID)
	if err == nil && owners > 0 && !reissued {
		return ErrOwnerExists
	}
	return err
}

func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}

// openLinkTx reads a link that still works.
func openLinkTx(tx *db.Tx, token string) (link, error) {
	l := link{tokenHash: hashToken(token)}
	var reissued int
	var role string
	err := tx.Get([]any{&l.staffID, &l.merchantID, &reissued, &role, &l.totpSealed, &l.shop},
		`SELECT l.staff_id, l.merchant_id, l.reissued, l.role, l.totp_sealed, m.slug
		FROM staff_setup_links l JOIN merchants m ON m.id = l.merchant_id
		WHERE l.token_hash = $1 AND l.used_at IS NULL AND l.expires_at > $2`, l.tokenHash, db.Millis(tx.Now()))
	if errors.Is(err, db.ErrNoRows) {
		return link{}, errLinkInvalid
	}
	l.reissued, l.role = reissued == 1, Role(role)
	return l, err
}

func (s *Service) openLink(ctx context.Context, token string) (l link, err error) {
	err = s.db.View(ctx, func(tx *db.Tx) (err error) {
		l, err = openLinkTx(tx, token)
		return err
	})
	return l, err
}

// Enrolment is a second factor to be confirmed. It is shown once.
type Enrolment struct {
	URL    string // otpauth://, for the authenticator app
	Secret string // the same secret in base32, to type
	Handle string // gives it back to CompleteSetup
}

// BeginSetup makes a second-factor secret for the holder of a link. Beginning
// again makes a new one, and the earlier handle ends.
func (s *Service) BeginSetup(ctx context.Context, token string) (Enrolment, error) {
	l, err := s.openLink(ctx, token)
	if err != nil {
		return Enrolment{}, err
	}
	e := Enrolment{Handle: newToken()}
	if e.Secret, e.URL, err = newSecret(l.shop); err != nil {
		return Enrolment{}, err
	}
	sealed, err := s.vault.Seal(vault.Staff, linkCell(l.staffID), []byte(e.Secret))
	if err != nil {
		return Enrolment{}, err
	}
	err = s.db.Update(ctx, func(tx *db.Tx) error {
		changed, err := tx.Exec(`UPDATE staff_setup_links SET totp_sealed = $1, handle_hash = $2
			WHERE token_hash = $3 AND merchant_id = $4 AND used_at IS NULL AND expires_at > $5`,
			sealed, hashToken(e.Handle), l.tokenHash, l.merchantID, db.Millis(tx.Now()))
		if err == nil && changed != 1 {
			return errLinkInvalid
		}
		return err
	})
	if err != nil {
		return Enrolment{}, err
	}
	return e, nil
}

// SetupRequest completes a set-up.
type SetupRequest struct {
	Token    string
	Handle   string // of BeginSetup
	Login    string
	Password string
	Code     string // of the app, for the enrolled secret
}

// SetUp is an owner who may sign in now, with a code later than the one that
// confirmed the second factor.
type SetUp struct {
	Login         string
	RecoveryCodes []string // ten, each good once; shown once
}

// CompleteSetup makes the owner, or who was invited. Codes: setup_link_invalid, invalid_login,
// login_taken, password_too_short, password_too_long, password_common,
// totp_wrong, owner_exists. A refused input leaves the link usable.
func (s *Service) CompleteSetup(ctx context.Context, r SetupRequest) (SetUp, error) {
	login, err := normalLogin(r.Login)
	password := normalPassword(r.Password)
	if err := errors.Join(err, checkPassword("password", password, login)); err != nil {
		return SetUp{}, err
	}
	l, err := s.openLink(ctx, r.Token)
	if err != nil {
		return SetUp{}, err
	}
	a, replace, err := s.ownerToBe(ctx, l, login)
	if err != nil {
		return SetUp{}, err
	}
	if a.totpSealed, a.totpStep, err = s.confirm(l, a.id, r.Code, s.clock.Now()); err != nil {
		return SetUp{}, err
	}
	leave, err := s.hasher.enter(ctx)
	if err != nil {
		return SetUp{}, err
	}
	a.passwordHash = s.hasher.hash(password)
	leave()
	codes := newRecoveryCodes()
	_, request := audit.Origin(ctx)
	err = s.db.Update(ctx, func(tx *db.Tx) error {
		if err := useLinkTx(tx, l, r.Handle); err != nil {
			return err
		}
		return completeTx(tx, attempt{account: a, request: request}, replace, codes)
	})
	if err != nil {
		return SetUp{}, err
	}
	return SetUp{Login: login, RecoveryCodes: codes}, nil
}

// ownerToBe is the account that a link leads to: a new one, or for a reissued
// link the merchant's with this login.
func (s *Service) ownerToBe(ctx context.Context, l link, login string) (a account, replace bool, err error) {
	err = s.db.View(ctx, func(tx *db.Tx) error {
		a, err = byLoginTx(tx, login, "")
		return err
	})
	switch {
	case err != nil:
		return account{}, false, err
	case !a.known():
		return account{id: l.staffID, merchantID: l.merchantID, login: login, role: l.role}, false, nil
	case !l.reissued || a.merchantID != l.merchantID || a.role != Owner:
		return account{}, false, errLoginTaken
	}
	return a, true, nil
}

// confirm checks the first code of the enrolled secret and seals the secret
// for its account.
func (s *Service) confirm(l link, staffID id.ID, code string, now time.Time) (sealed []byte, step int64, err error) {
	if l.totpSealed == nil {
		return nil, 0, errLinkInvalid // nothing was enrolled yet
	}
	secret, err := s.vault.Unseal(vault.Staff, linkCell(l.staffID), l.totpSealed)
	if err != nil {
		return nil, 0, err
	}
	step, ok, err := matchStep(string(secret), code, now)
	if err != nil {
		return nil, 0, err
	}
	if !ok {
		return nil, 0, errCodeWrong
	}
	sealed, err = s.vault.Seal(vault.Staff, staffCell(staffID), secret)
	return sealed, step, err
}

// useLinkTx ends a link; of many who try, one succeeds. The secret that was
// confirmed must still be the enrolled one.
func useLinkTx(tx *db.Tx, l link, handle string) error {
	if err := ownersAloneTx(tx, l.merchantID); err != nil {
		return err
	}
	now := db.Millis(tx.Now())
	changed, err := tx.Exec(`UPDATE staff_setup_links SET used_at = $1, totp_sealed = NULL, handle_hash = NULL
		WHERE token_hash = $2 AND merchant_id = $3 AND used_at IS NULL AND expires_at > $4
		AND handle_hash = $5 AND totp_sealed = $6`, now, l.tokenHash, l.merchantID, now, hashToken(handle), l.totpSealed)
	if err != nil {
		return err
	}
	if changed != 1 {
		return errLinkInvalid
	}
	if l.reissued || l.role != Owner {
		return nil
	}
	owners, err := ownersTx(tx, l.merchantID)
	if err == nil && owners > 0 {
		return ErrOwnerExists
	}
	return err
}

func completeTx(tx *db.Tx, at attempt, replace bool, codes []string) error {
	store, action := insertStaffTx, "staff.set_up"
	if replace {
		store, action = replaceStaffTx, "staff.proofs_replaced"
	}
	if err := store(tx, at.account); err != nil {
		if errors.Is(err, db.ErrUnique) {
			return errLoginTaken
		}
		return err
	}
	if err := addRecoveryTx(tx, at.account, codes); err != nil {
		return err
	}
	return recordTx(tx, at, action)
}
