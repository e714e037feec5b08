package access

import (
	"context"
	"encoding/json"

	"panshi/internal/audit"
	"panshi/internal/db"
	"panshi/internal/errs"
	"panshi/internal/id"
)

// ApproveInvite is the kind of request that lets somebody new in: whoever comes
// may approve what others ask, so that it takes two to bring a second one, or in
// a shop of one person the delay and the alert.
const ApproveInvite = "staff_invite"

// mostMembers is how many members of staff are listed.
const mostMembers = 200

// Errors of members of staff.
var (
	ErrStaffUnknown = errs.New(errs.NotFound, "staff_unknown", "there is no such member of staff")

	errStaffSelf  = errs.New(errs.Conflict, "staff_self", "nobody can shut themselves out")
	errInviteRole = errs.Field("role", "invalid_choice", "owners are let in by a command on the server")
)

// Member is a member of staff as others see them.
type Member struct {
	ID         id.ID
	Login      string
	Role       Role
	Active     bool
	CreatedAt  db.Time
	SignedInAt db.Time // zero: never
}

// Members lists a merchant's staff, the oldest first, 200 at most.
func (s *Service) Members(ctx context.Context, merchantID id.ID) (list []Member, err error) {
	err = s.db.View(ctx, func(tx *db.Tx) error {
		list, err = db.Collect(tx, scanMember, `SELECT id, login, role, status, created_at, signed_in_at FROM staff
			WHERE merchant_id = $1 ORDER BY id LIMIT $2`, merchantID, mostMembers)
		return err
	})
	return list, err
}

func scanMember(rows db.Rows) (Member, error) {
	var m Member
	var role, status string
	err := rows.Scan(&m.ID, &m.Login, &role, &status, &m.CreatedAt, &m.SignedInAt)
	m.Role, m.Active = Role(role), status == "active"
	return m, err
}

// exactInvite is the effect of ApproveInvite.
type exactInvite struct {
	TokenHash []byte `json:"token_hash"`
	Role      Role   `json:"role"`
}

// Effects are what approvals of this package's kinds do.
func (s *Service) Effects() map[string]Effect {
	return map[string]Effect{ApproveInvite: invitedTx}
}

// Invite asks that somebody new be let in. The token, for a set-up link, is
// told now and opens nothing until the request is approved; from then on it is
// good for 24 hours and one use.
func (s *Service) Invite(ctx context.Context, p Principal, role Role, reason string) (token string, a Approval, err error) {
	if role == Owner || role.Permissions() == nil {
		return "", Approval{}, errInviteRole
	}
	token = newToken()
	err = s.db.Update(ctx, func(tx *db.Tx) error {
		a, err = AskApprovalTx(ctx, tx, s.vault, ApprovalRequest{
			MerchantID: p.MerchantID, Kind: ApproveInvite, SubjectKind: "staff", SubjectID: id.New(), Reason: reason,
			Detail: map[string]string{"role": string(role)},
		}, exactInvite{TokenHash: hashToken(token), Role: role})
		return err
	})
	if err != nil {
		return "", Approval{}, err
	}
	return token, a, nil
}

// invitedTx opens the link of an approved invitation, and clears away those
// that nobody took in time.
func invitedTx(tx *db.Tx, d Decision) error {
	var exact exactInvite
	if err := json.Unmarshal(d.Exact, &exact); err != nil {
		return err
	}
	now, a := db.Millis(tx.Now()), d.Approval
	if _, err := tx.Exec(`DELETE FROM staff_setup_links
		WHERE merchant_id = $1 AND used_at IS NULL AND role <> 'owner' AND expires_at <= $2`, a.MerchantID, now); err != nil {
		return err
	}
	if _, err := tx.Exec(`INSERT INTO staff_setup_links (staff_id, merchant_id, token_hash, role, created_at, expires_at)
		VALUES ($1, $2, $3, $4, $5, $6)`, a.SubjectID, a.MerchantID, exact.TokenHash, string(exact.Role), now,
		db.Millis(tx.Now().Add(linkLife))); err != nil {
		return err
	}
	return audit.RecordTx(tx, audit.Record{
		MerchantID: a.MerchantID, Actor: d.By.Actor, Action: "staff.invited", SubjectKind: "staff", SubjectID: a.SubjectID,
		Detail: map[string]string{"role": string(exact.Role)}, RequestID: d.By.RequestID,
	})
}

// Disable shuts a member of staff out, from this moment on: their sessions end,
// and they cannot sign in. It may be urgent, so it needs no approval. Nobody can
// disable themselves: an owner always remains.
func (s *Service) Disable(ctx context.Context, p Principal, staffID id.ID) error {
	if staffID == p.StaffID {
		return errStaffSelf
	}
	actor, request := audit.Origin(ctx)
	return s.db.Update(ctx, func(tx *db.Tx) error {
		changed, err := tx.Exec(`UPDATE staff SET status = 'disabled', updated_at = $1
			WHERE id = $2 AND merchant_id = $3 AND status = 'active'`, db.Millis(tx.Now()), staffID, p.MerchantID)
		if err != nil {
			return err
		}
		if changed != 1 {
			return ErrStaffUnknown
		}
		if err := endSessionsTx(tx, p.MerchantID, staffID); err != nil {
			return err
		}
		return audit.RecordTx(tx, audit.Record{
			MerchantID: p.MerchantID, Actor: actor, Action: "staff.disabled", SubjectKind: "staff", SubjectID: staffID, RequestID: request,
		})
	})
}
