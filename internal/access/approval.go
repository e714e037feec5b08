package access

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"strings"
	"time"
	"unicode/utf8"

	"panshi/internal/audit"
	"panshi/internal/db"
	"panshi/internal/errs"
	"panshi/internal/id"
	"panshi/internal/money"
	"panshi/internal/vault"
)

// Times of approvals (DESIGN.md, "Protection").
const (
	approvalLife = 24 * time.Hour
	aloneDelay   = 10 * time.Minute // of a shop of one person
)

// maxReason is how long the words of a request and of a decision may be.
const maxReason = 500

// ApprovalStatus is where a request stands.
type ApprovalStatus string

// The states of a request. All but the first are final.
const (
	ApprovalPending   ApprovalStatus = "pending"
	ApprovalApproved  ApprovalStatus = "approved"
	ApprovalRejected  ApprovalStatus = "rejected"
	ApprovalWithdrawn ApprovalStatus = "withdrawn"
	ApprovalExpired   ApprovalStatus = "expired"
)

// Errors of approvals.
var (
	ErrApprovalUnknown = errs.New(errs.NotFound, "approval_not_found", "there is no such request for approval")

	// ErrStale is of an effect that finds what it was asked for changed.
	ErrStale = errs.New(errs.Conflict, "approval_stale", "things changed since this was asked; withdraw it and ask again")

	errApprovalPending = errs.New(errs.Conflict, "approval_pending", "the same is waiting for approval already")
	errApprovalDecided = errs.New(errs.Conflict, "approval_decided", "this request was decided already")
	errApprovalExpired = errs.New(errs.Conflict, "approval_expired", "this request is too old; ask again")
	errApprovalChanged = errs.New(errs.Conflict, "approval_changed", "this is not the request that you were shown; look again")
	errApprovalSelf    = errs.New(errs.Forbidden, "approval_self", "somebody else must decide what you asked for")
	errApprovalEarly   = errs.New(errs.Conflict, "approval_early", "this shop has one person: wait until the delay is over and the alert was sent")
	errApprovalStaff   = errs.New(errs.Forbidden, "approval_staff_only", "only a member of staff can ask for approval")
	errApprovalBroken  = errs.New(errs.Integrity, "approval_broken", "what would be done is not what was asked for")
)

// Approval is what one member of staff asks and another allows.
type Approval struct {
	ID          id.ID
	MerchantID  id.ID
	Kind        string // "refund", "offline_payment", …
	SubjectKind string // "order", "payment", "payment_account", "merchant"
	SubjectID   id.ID
	Amount      money.Amount // zero without a currency: not about money
	Reason      string
	Detail      map[string]string // what the checker needs to see; nothing secret or personal
	Digest      []byte            // SHA-256 of all above and of the exact effect
	Status      ApprovalStatus
	RequestedBy id.ID
	Maker       string // login of who asked
	RequestedAt time.Time
	ExpiresAt   time.Time
	AloneFrom   time.Time // a shop of one person: when the maker may decide; zero: never
	AlertedAt   time.Time // when the outside channel was told; zero: not yet
	DecidedBy   id.ID
	DecidedAt   time.Time
	Note        string

	sealed []byte // the exact effect, while it waits
}

// Maker is who asks, and under which request.
type Maker struct {
	Actor     audit.Actor
	RequestID string
}

// ApprovalRequest asks for an approval. Exact is what the effect will be given,
// and nothing else decides what it does.
type ApprovalRequest struct {
	MerchantID  id.ID
	Kind        string
	SubjectKind string
	SubjectID   id.ID
	Amount      money.Amount
	Reason      string
	Detail      map[string]string
	Exact       []byte
}

// Validate refuses a reason that is missing, too long or not text.
func (r ApprovalRequest) validate() error {
	return checkWords("reason", r.Reason, 1)
}

func checkWords(field, text string, least int) error {
	switch {
	case !utf8.ValidString(text) || strings.ContainsRune(text, 0):
		return errs.Field(field, "invalid_utf8", "the text is not valid UTF-8")
	case len(strings.TrimSpace(text)) < least:
		return errs.Field(field, "required", "this field is needed")
	case len(text) > maxReason:
		return errs.Field(field, "too_long", "the text is too long")
	}
	return nil
}

// AskApprovalTx is RequestApprovalTx for who makes the present request, of an
// effect that is kept as JSON (r.Exact).
func AskApprovalTx(ctx context.Context, tx *db.Tx, v *vault.Vault, r ApprovalRequest, exact any) (a Approval, err error) {
	if r.Exact, err = json.Marshal(exact); err != nil {
		return a, err
	}
	actor, request := audit.Origin(ctx)
	return RequestApprovalTx(tx, v, Maker{Actor: actor, RequestID: request}, r)
}

// RequestApprovalTx writes a request in the caller's transaction. One that
// waits for the same kind and subject is approval_pending. In a shop of one
// person it queues the alert, and notes when the maker may decide.
func RequestApprovalTx(tx *db.Tx, v *vault.Vault, by Maker, r ApprovalRequest) (Approval, error) {
	if err := r.validate(); err != nil {
		return Approval{}, err
	}
	staffID, err := id.Parse(by.Actor.ID)
	if err != nil || by.Actor.Kind != "staff" {
		return Approval{}, errApprovalStaff
	}
	alone, err := aloneTx(tx, r.MerchantID, staffID)
	if err != nil {
		return Approval{}, err
	}
	a := Approval{
		ID: id.New(), MerchantID: r.MerchantID, Kind: r.Kind, SubjectKind: r.SubjectKind, SubjectID: r.SubjectID,
		Amount: r.Amount, Reason: strings.TrimSpace(r.Reason), Detail: r.Detail, Status: ApprovalPending,
		RequestedBy: staffID, RequestedAt: tx.Now(), ExpiresAt: tx.Now().Add(approvalLife),
	}
	if a.Digest, err = a.digestOf(r.Exact); err != nil {
		return Approval{}, err
	}
	if a.sealed, err = v.Seal(vault.Payment, approvalCell(a.ID), r.Exact); err != nil {
		return Approval{}, err
	}
	if alone {
		a.AloneFrom = tx.Now().Add(aloneDelay)
	}
	return a, storeApprovalTx(tx, a, by)
}

// approvalCell is where the exact effect is bound to.
func approvalCell(approvalID id.ID) vault.Cell {
	return vault.Cell{Table: "approvals", Column: "effect_sealed", Row: approvalID}
}

// digestOf sums up what is asked: every part with its length before it, so
// that no two requests read alike.
func (a Approval) digestOf(exact []byte) ([]byte, error) {
	detail, err := json.Marshal(a.Detail) // keys in order
	if err != nil {
		return nil, err
	}
	sum := sha256.New()
	amount := binary.BigEndian.AppendUint64(nil, uint64(a.Amount.Minor))
	for _, part := range [][]byte{
		a.ID[:], a.MerchantID[:], []byte(a.Kind), []byte(a.SubjectKind), a.SubjectID[:], amount,
		[]byte(a.Amount.Currency), []byte(a.Reason), detail, a.RequestedBy[:], exact,
	} {
		_ = binary.Write(sum, binary.BigEndian, uint64(len(part)))
		_, _ = sum.Write(part) // a hash takes everything
	}
	return sum.Sum(nil), nil
}
