package order

import (
	"slices"
	"time"

	"panshi/internal/errs"
	"panshi/internal/id"
	"panshi/internal/money"
	"panshi/internal/vault"
)

// Status is where an order stands.
type Status string

// The states of DESIGN.md's contract.
const (
	Pending   Status = "pending"
	Paid      Status = "paid" // paid, something is still to be delivered by hand
	Delivered Status = "delivered"
	Completed Status = "completed"
	Closed    Status = "closed"
	Refunding Status = "refunding"
	Refunded  Status = "refunded"
	Held      Status = "held"
)

// moves is the state machine; what is not here cannot happen.
func moves(from Status) []Status {
	switch from {
	case Pending:
		return []Status{Paid, Delivered, Closed, Held}
	case Paid:
		return []Status{Delivered, Refunding}
	case Delivered:
		return []Status{Completed, Refunding}
	case Completed:
		return []Status{Refunding}
	case Closed:
		return []Status{Paid, Delivered, Refunding}
	case Refunding:
		return []Status{Refunded, Held}
	case Held:
		return []Status{Paid, Delivered, Refunding, Closed}
	case Refunded:
		return nil
	}
	return nil
}

// CanMove tells whether the state machine has a move.
func CanMove(from, to Status) bool { return slices.Contains(moves(from), to) }

// Limits of one order (DESIGN.md, "Bad input").
const (
	MaxLines    = 50
	MaxQuantity = 999
	MaxCards    = 200 // card keys: selling one writes two rows, and a transaction has db.MaxRows
)

// Errors of this package.
var (
	ErrNotFound = errs.New(errs.NotFound, "order_not_found", "there is no such order")
	ErrMove     = errs.New(errs.Conflict, "order_state", "the order's state does not allow this")

	// ErrContactLimit says that a contact bought as much of a product as allowed.
	ErrContactLimit = errs.New(errs.Conflict, "contact_limit", "this contact bought as many of this product as one may")
)

// Order is one purchase. Contact is sealed; nothing here is in clear that must
// not be.
type Order struct {
	ID            id.ID
	MerchantID    id.ID
	No            string
	Status        Status
	Total         money.Amount
	ContactKind   ContactKind
	ContactSealed []byte
	ContactIndex  []byte
	Lang          string
	HoldReason    string
	ExpiresAt     time.Time // when an unpaid order closes
	DueAt         time.Time // when a sweep should look at it next; zero: never
	CreatedAt     time.Time
	PaidAt        time.Time
	DeliveredAt   time.Time
	ClosedAt      time.Time
	Archived      bool // read from the archive; what changes it brings it back first
}

// Line is one SKU of an order, with the price it was sold at.
type Line struct {
	No        int
	ProductID id.ID
	SKUID     id.ID
	Kind      string // catalog kind: card, text, manual
	Title     string // as the buyer read it
	Quantity  int
	UnitPrice money.Amount
	Amount    money.Amount
	StockMode string // how its items were reserved: cards, counted, unlimited
	Limited   bool   // counts towards its contact's limit while reserved or sold
}

// TokenPurpose names the PRF that makes an order's access token.
const TokenPurpose = "order.access"

// ContactCell is the place that an order's sealed contact is bound to.
func ContactCell(orderID id.ID) vault.Cell {
	return vault.Cell{Table: "orders", Column: "contact_sealed", Row: orderID}
}
