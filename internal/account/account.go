package account

import (
	"slices"
	"strconv"
	"time"

	"panshi/internal/errs"
	"panshi/internal/id"
	"panshi/internal/money"
	"panshi/internal/vault"
)

// State is where a credit account stands.
type State string

// The states of the diagram in doc.go.
const (
	Open   State = "open"
	Frozen State = "frozen"
	Closed State = "closed"
)

// Kind is why a balance changed.
type Kind string

// The kinds of movement.
const (
	Granted   Kind = "granted"    // staff gave it
	TakenBack Kind = "taken_back" // staff took it, with an approval
	Spent     Kind = "spent"      // it paid an order
	Returned  Kind = "returned"   // an order's money came back as credit
)

// Credit is one account of store credit.
type Credit struct {
	ID            id.ID
	MerchantID    id.ID
	Number        string // public; opens nothing without a code
	ContactKind   string // "email" or "phone"
	ContactSealed []byte
	ContactIndex  []byte
	Balance       money.Amount
	State         State
	CodeVersion   int64
	CreatedAt     time.Time
}

// Movement is one change of a balance.
type Movement struct {
	ID         id.ID
	CreditID   id.ID
	Kind       Kind
	Amount     money.Amount // below zero: it went out
	Balance    money.Amount // afterwards
	SubjectID  id.ID        // the payment, the refund, or the grant
	OrderNo    string       // "" if no order is behind it
	ApprovalID id.ID        // zero: one person decided
	At         time.Time
}

// Errors of this package.
var (
	// ErrUnknown is for staff.
	ErrUnknown = errs.New(errs.NotFound, "credit_unknown", "there is no such credit account")
	// ErrInsufficient says that more was asked for than there is; see Insufficient.
	ErrInsufficient = errs.New(errs.Conflict, "credit_insufficient", "the balance of this store credit is too small")
	// ErrState says that the account's state does not allow it.
	ErrState = errs.New(errs.Conflict, "credit_state", "the state of this credit account does not allow this")
	// ErrTooMuch says that a balance would grow beyond what is kept.
	ErrTooMuch = errs.Field("amount", "out_of_range", "a balance is at most 1,000,000,000,000 minor units")
)

// Insufficient is ErrInsufficient with what is missing: for people in
// "missing", for programs in "missing_minor".
func Insufficient(missing money.Amount) error {
	return ErrInsufficient.With("missing", missing.String()).With("missing_minor", strconv.FormatInt(missing.Minor, 10))
}

// MaxBalance bounds a balance, in minor units.
const MaxBalance = 1_000_000_000_000

// moves is the state machine.
func moves(from State) []State {
	switch from {
	case Open:
		return []State{Frozen, Closed}
	case Frozen:
		return []State{Open, Closed}
	case Closed:
		return []State{Open}
	}
	return nil
}

// CanMove tells whether the state machine has a move.
func CanMove(from, to State) bool { return slices.Contains(moves(from), to) }

// takes are the states in which an account takes a kind of movement.
func takes(k Kind) [3]State {
	switch k {
	case Spent:
		return [3]State{Open, Open, Open}
	case Granted:
		return [3]State{Open, Frozen, Frozen}
	case TakenBack, Returned:
	}
	return [3]State{Open, Frozen, Closed}
}

// ContactIndexPurpose names the blind index over contacts.
const ContactIndexPurpose = "credit_accounts.contact"

// ContactCell is the place that an account's sealed contact is bound to.
func ContactCell(creditID id.ID) vault.Cell {
	return vault.Cell{Table: "credit_accounts", Column: "contact_sealed", Row: creditID}
}

// CodePurpose names the PRF that makes the access code of a version.
func CodePurpose(version int64) string { return "credit.access/" + strconv.FormatInt(version, 10) }

// NumberEnd is what lists show of the number.
func (c Credit) NumberEnd() string { return c.Number[max(0, len(c.Number)-4):] }

// Book is the ledger's account of a credit account: what the shop owes its
// buyer is a credit there.
func (c Credit) Book() string { return "credit/" + c.Number }
