package stock

import (
	"panshi/internal/errs"
	"panshi/internal/id"
)

// Mode says what a SKU's availability means.
type Mode string

// The modes.
const (
	Cards     Mode = "cards"     // one card key an item, each sold once
	Counted   Mode = "counted"   // a number that staff sets
	Unlimited Mode = "unlimited" // shared text, manual work without a limit
)

// UnlimitedShown is the availability that lists show for an unlimited SKU.
const UnlimitedShown = 9999

// ErrSoldOut says that fewer items are available than were asked for. The
// caller must roll back what it wrote for the order.
var ErrSoldOut = errs.New(errs.Conflict, "sold_out", "not enough stock is left")

// ErrCardsBusy says that a counter tells of enough cards, but others are just
// taking them or putting them back. The caller rolls back, so that it stands in
// nobody's way, and looks again: only a counter says that a SKU is sold out.
var ErrCardsBusy = errs.New(errs.Unavailable, "stock_busy", "others are buying the last ones; try again")

// Claim is a number of items of a SKU for an order.
type Claim struct {
	SKUID    id.ID
	Mode     Mode
	Quantity int
}

// Level is a SKU's kept counters.
type Level struct {
	SKUID     id.ID
	Mode      Mode
	Available int64
	Held      int64
	Sold      int64
}

// SealedCard is one card key as it is stored: sealed content and blind index.
type SealedCard struct {
	ID      id.ID
	Content []byte // sealed by the vault for Cell(ID)
	Index   []byte // fingerprint, unique within a merchant
}

// SoldCard is a card key that belongs to an order.
type SoldCard struct {
	ID    id.ID
	SKUID id.ID
}
