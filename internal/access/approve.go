package access

import (
	"bytes"
	"context"
	"log/slog"
	"time"

	"panshi/internal/audit"
	"panshi/internal/db"
	"panshi/internal/errs"
	"panshi/internal/id"
	"panshi/internal/jobs"
	"panshi/internal/vault"
)

// AlertJob is the kind of job that tells an outside channel that the one person
// of a shop asked for something that only two should do.
const AlertJob = "approval.alert"

// Decision is an approved request, given to the effect of its kind.
type Decision struct {
	Approval Approval
	Exact    []byte // as it was asked
	By       Maker  // the checker
}

// Effect does what was approved, in the transaction that marks the request as
// approved: both happen or neither. An error leaves the request waiting.
type Effect func(tx *db.Tx, d Decision) error

// Alert tells an outside channel of a request; an error makes the job try again.
type Alert func(ctx context.Context, a Approval) error

// LogAlert is the channel of a shop that has no other one: the log.
func LogAlert(log *slog.Logger) Alert {
	return func(ctx context.Context, a Approval) error {
		log.WarnContext(ctx, "one person asks for what two should do", "approval", a.ID.String(), "kind", a.Kind,
			"maker", a.Maker, "amount", a.Amount.String(), "decidable_from", a.AloneFrom)
		return nil
	}
}

// Approvals shows requests and decides them. It is safe for concurrent use.
type Approvals struct {
	staff   *Service
	effects map[string]Effect
	alert   Alert
}

// NewApprovals returns Approvals of the staff of s; effects are by kind.
func NewApprovals(s *Service, effects map[string]Effect, alert Alert) *Approvals {
	return &Approvals{staff: s, effects: effects, alert: alert}
}

// ApprovalFilter chooses requests.
type ApprovalFilter struct {
	Status ApprovalStatus // "" for all
	Before id.ID          // page: requests older than this one
	Limit  int
}

// List returns a merchant's requests, the newest first.
func (s *Approvals) List(ctx context.Context, merchantID id.ID, f ApprovalFilter) (list []Approval, err error) {
	err = s.staff.db.View(ctx, func(tx *db.Tx) error {
		list, err = approvalsTx(tx, merchantID, f)
		return err
	})
	return list, err
}

// Get returns one request, or ErrApprovalUnknown.
func (s *Approvals) Get(ctx context.Context, merchantID, approvalID id.ID) (a Approval, err error) {
	err = s.staff.db.View(ctx, func(tx *db.Tx) error {
		a, err = approvalTx(tx, merchantID, approvalID)
		return err
	})
	return a, err
}

// Approve has a request's effect, once. The checker proves a code of the second
// factor that was not used yet, and names the digest of what was shown. The
// maker may decide only in a shop of one person, after the delay and the alert.
func (s *Approvals) Approve(ctx context.Context, p Principal, approvalID id.ID, code string, digest []byte) (Approval, error) {
	if _, err := s.Get(ctx, p.MerchantID, approvalID); err != nil {
		return Approval{}, err // costs no code
	}
	at, pr, err := s.prove(ctx, p, code)
	if err != nil {
		return Approval{}, err
	}
	var a Approval
	err = s.staff.db.Update(ctx, func(tx *db.Tx) error {
		if err := spendTx(tx, at.account, pr); err != nil {
			return err
		}
		if err := s.approveTx(tx, p, approvalID, digest, at.request); err != nil {
			return err
		}
		a, err = approvalTx(tx, p.MerchantID, approvalID)
		return err
	})
	if errs.CodeOf(err) == ErrSignIn.Code {
		return Approval{}, s.staff.failed(ctx, at, err)
	}
	if err != nil {
		return Approval{}, s.excuse(ctx, at, err)
	}
	return a, nil
}

// prove charges the principal's account, as a sign-in does, and reads the code.
func (s *Approvals) prove(ctx context.Context, p Principal, code string) (attempt, proof, error) {
	at, err := s.staff.charge(ctx, "staff.approval", func(tx *db.Tx) (account, error) {
		a, err := byIDTx(tx, p.MerchantID, p.StaffID)
		if err == nil && !a.known() {
			return a, ErrNoSession // disabled this moment
		}
		return a, err
	})
	if err != nil {
		return at, proof{}, err
	}
	pr, err := s.staff.readCode(at.account, code)
	if err != nil {
		return at, pr, s.staff.failed(ctx, at, err)
	}
	return at, pr, nil
}

// excuse takes the charge of an attempt back that failed for another reason
// than its code, and gives that reason.
func (s *Approvals) excuse(ctx context.Context, at attempt, cause error) error {
	_ = s.staff.db.Update(context.WithoutCancel(ctx), func(tx *db.Tx) error { return takeBackTx(tx, at.account) })
	return cause
}

func (s *Approvals) approveTx(tx *db.Tx, p Principal, approvalID id.ID, digest []byte, request string) error {
	a, err := waitingTx(tx, p.MerchantID, approvalID)
	if err != nil {
		return err
	}
	if !bytes.Equal(digest, a.Digest) {
		return errApprovalChanged
	}
	if a.RequestedBy == p.StaffID {
		if err := selfTx(tx, a); err != nil {
			return err
		}
	}
	exact, effect, err := s.exactly(a)
	if err != nil {
		return err
	}
	if err := decideTx(tx, a, ApprovalApproved, p.StaffID, ""); err != nil {
		return err
	}
	by := Maker{Actor: audit.Actor{Kind: "staff", ID: p.StaffID.String()}, RequestID: request}
	if err := recordApprovalTx(tx, a, by, "approval.approved", nil); err != nil {
		return err
	}
	return effect(tx, Decision{Approval: a, Exact: exact, By: by})
}

// selfTx lets a maker decide who is alone, has waited, and was reported.
func selfTx(tx *db.Tx, a Approval) error {
	alone, err := aloneTx(tx, a.MerchantID, a.RequestedBy)
	switch {
	case err != nil:
		return err
	case !alone || a.AloneFrom.IsZero():
		return errApprovalSelf
	case tx.Now().Before(a.AloneFrom) || a.AlertedAt.IsZero():
		return errApprovalEarly.With("from", a.AloneFrom.UTC().Format(time.RFC3339))
	}
	return nil
}

// exactly opens what was asked and proves that it is that.
func (s *Approvals) exactly(a Approval) ([]byte, Effect, error) {
	exact, err := s.staff.vault.Unseal(vault.Payment, approvalCell(a.ID), a.sealed)
	if err != nil {
		return nil, nil, err
	}
	digest, err := a.digestOf(exact)
	if err != nil {
		return nil, nil, err
	}
	effect, known := s.effects[a.Kind]
	if !known || !bytes.Equal(digest, a.Digest) {
		return nil, nil, errApprovalBroken
	}
	return exact, effect, nil
}

// Reject ends a request of somebody else without effect.
func (s *Approvals) Reject(ctx context.Context, p Principal, approvalID id.ID, note string) (Approval, error) {
	return s.end(ctx, p, approvalID, ApprovalRejected, note)
}

// Withdraw ends a request of the principal's own.
func (s *Approvals) Withdraw(ctx context.Context, p Principal, approvalID id.ID) (Approval, error) {
	return s.end(ctx, p, approvalID, ApprovalWithdrawn, "")
}

var errNotMaker = errs.New(errs.Forbidden, "approval_not_maker", "only who asked can withdraw; you can reject it")

func (s *Approvals) end(ctx context.Context, p Principal, approvalID id.ID, to ApprovalStatus, note string) (a Approval, err error) {
	if err := checkWords("note", note, 0); err != nil {
		return Approval{}, err
	}
	actor, request := audit.Origin(ctx)
	err = s.staff.db.Update(ctx, func(tx *db.Tx) error {
		if a, err = waitingTx(tx, p.MerchantID, approvalID); err != nil {
			return err
		}
		switch own := a.RequestedBy == p.StaffID; {
		case own && to == ApprovalRejected:
			return errApprovalSelf
		case !own && to == ApprovalWithdrawn:
			return errNotMaker
		}
		if err := decideTx(tx, a, to, p.StaffID, note); err != nil {
			return err
		}
		if err := recordApprovalTx(tx, a, Maker{actor, request}, "approval."+string(to), map[string]string{"note": note}); err != nil {
			return err
		}
		a, err = approvalTx(tx, p.MerchantID, approvalID)
		return err
	})
	return a, err
}

// Handlers are the side effects that this package queues.
func (s *Approvals) Handlers() map[string]jobs.Handler {
	return map[string]jobs.Handler{AlertJob: s.SendAlert}
}

// SendAlert tells the outside channel of a request, and notes that it did. After
// a crash in between it tells again.
func (s *Approvals) SendAlert(ctx context.Context, j jobs.Job) error {
	a, err := s.Get(ctx, j.MerchantID, j.SubjectID)
	if err != nil || !a.AlertedAt.IsZero() {
		return err
	}
	if err := s.alert(ctx, a); err != nil {
		return err
	}
	return s.staff.db.Update(ctx, func(tx *db.Tx) error {
		first, err := alertedTx(tx, a, tx.Now())
		if err != nil || !first {
			return err
		}
		return recordApprovalTx(tx, a, Maker{Actor: audit.System()}, "approval.alerted", nil)
	})
}

// Sweeps ends requests that nobody decided in time.
func (s *Approvals) Sweeps() []jobs.Sweep {
	return []jobs.Sweep{{Name: "approvals.expire", Every: time.Minute, Run: s.expire}}
}

func (s *Approvals) expire(ctx context.Context) (more bool, err error) {
	err = s.staff.db.Update(ctx, func(tx *db.Tx) error {
		n, err := lapseTx(tx)
		more = n == lapsed
		return err
	})
	return more, err
}
