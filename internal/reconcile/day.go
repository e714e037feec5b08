package reconcile

import (
	"time"

	"panshi/internal/errs"
	"panshi/internal/id"
	"panshi/internal/payment"
	"panshi/internal/payment/wire"
)

// Day is one day of one account. Sums are minor units.
type Day struct {
	ID           id.ID     `json:"id"`
	MerchantID   id.ID     `json:"merchant_id"`
	AccountID    id.ID     `json:"account_id"`
	Date         string    `json:"date"` // 2026-05-03, in the platform's zone
	Currency     string    `json:"currency"`
	State        State     `json:"state"`
	BillCount    int64     `json:"bill_count"`
	BillPaid     int64     `json:"bill_paid"`
	BillRefunded int64     `json:"bill_refunded"`
	Fees         int64     `json:"fees"` // what the platform keeps; negative if it gave more back
	OurCount     int64     `json:"our_count"`
	OurPaid      int64     `json:"our_paid"`
	OurRefunded  int64     `json:"our_refunded"`
	LedgerNet    int64     `json:"ledger_net"` // what the books gained at the platform, before fees
	Decided      Decided   `json:"decided"`
	Digest       string    `json:"digest"`            // SHA-256 of the bill; "" if there was none
	Problem      string    `json:"problem,omitempty"` // the code of what ended the last run early
	FetchedAt    time.Time `json:"fetched_at,omitzero"`
	ClosedAt     time.Time `json:"closed_at,omitzero"`

	run    int64 // of those who write, only the latest run may
	stored int64 // lines of the bill that are in the database
}

// Decided is what people decided about a day's cases: what they took over from
// the bill, or took back, and what they booked for it. Minor units.
type Decided struct {
	Count    int64 `json:"count"` // movements
	Paid     int64 `json:"paid"`
	Refunded int64 `json:"refunded"`
	Net      int64 `json:"net"` // what their postings moved at the platform
}

// Difference is the platform's net less ours and what people decided.
func (d Day) Difference() int64 {
	return (d.BillPaid - d.BillRefunded) - (d.OurPaid + d.Decided.Paid - d.OurRefunded - d.Decided.Refunded)
}

// agrees tells whether bill, payments and books have the same sums, decisions
// included.
func (d Day) agrees() bool {
	return d.BillCount == d.OurCount+d.Decided.Count && d.BillPaid == d.OurPaid+d.Decided.Paid &&
		d.BillRefunded == d.OurRefunded+d.Decided.Refunded && d.LedgerNet+d.Decided.Net == d.BillPaid-d.BillRefunded
}

// Kind is what does not agree.
type Kind string

// The kinds of differences.
const (
	OursOnly   Kind = "ours_only"
	TheirsOnly Kind = "theirs_only"
	Amount     Kind = "amount"
	Status     Kind = "state"
	Fee        Kind = "fee"
	Books      Kind = "ledger" // the payment fits the bill, the books do not
)

// Remedy names what a person should do; pages and commands have texts for it.
type Remedy string

// The remedies.
const (
	AskAgain      Remedy = "ask_again"      // the platform could not be asked; the next run asks
	SeeHoldDesk   Remedy = "hold_desk"      // its money fits no payment of ours; decide on the hold desk
	CheckPlatform Remedy = "check_platform" // see at the platform whether the money came; deliver nothing before
	RecordRefund  Remedy = "record_refund"  // was given back at the platform, not here
	CheckAmount   Remedy = "check_amount"
	AwaitRefund   Remedy = "await_refund" // one side has not finished the refund
	CheckFee      Remedy = "check_fee"    // compare with the contract
	CheckLedger   Remedy = "check_ledger" // run `panshi check`
)

// Case is one difference. Amounts are minor units, 0 on the side that has
// nothing.
type Case struct {
	ID            id.ID            `json:"id"`
	DayID         id.ID            `json:"day_id"`
	Kind          Kind             `json:"kind"`
	LineKind      payment.BillKind `json:"line_kind"`
	TransactionID string           `json:"transaction_id"`
	Number        string           `json:"number"` // our payment or refund number
	BillAmount    int64            `json:"bill_amount"`
	OurAmount     int64            `json:"our_amount"`
	LedgerAmount  int64            `json:"ledger_amount"` // what the books have of it
	Currency      string           `json:"currency"`
	Remedy        Remedy           `json:"remedy"`
	CreatedAt     time.Time        `json:"created_at"`
	ResolvedAt    time.Time        `json:"resolved_at,omitzero"`
	ResolvedBy    string           `json:"resolved_by,omitempty"` // a staff id; "system" if it agrees by now
	Reason        string           `json:"reason,omitempty"`
	Decision      Decision         `json:"decision,omitempty"`
	Adjusted      int64            `json:"adjusted,omitempty"` // what the decision's posting moved at the platform

	account id.ID // whose books have it
	posted  int64 // postings that there ever were
}

// Errors of this package.
var (
	ErrDayUnknown  = errs.New(errs.NotFound, "reconcile_day_unknown", "there is no such day")
	ErrCaseUnknown = errs.New(errs.NotFound, "reconcile_case_unknown", "there is no such open case")
	ErrDayNotOver  = errs.Field("date", "reconcile_day_not_over", "this day is not over yet at the platform")
	ErrDate        = errs.Field("date", "reconcile_date", "a date is written like 2026-05-03")

	ErrDecision    = errs.Field("decision", "reconcile_decision", "this decision does not fit what differs")
	ErrStillMoving = errs.New(errs.Conflict, "reconcile_still_moving", "the shop has not finished this refund; it may still come to agree")
	ErrCaseChanged = errs.New(errs.Conflict, "reconcile_case_changed", "the case is not what you were shown; look again")
	errOvertaken   = errs.New(errs.Conflict, "reconcile_overtaken", "another run of this day began meanwhile")
	errRepeated    = errs.New(errs.Integrity, "reconcile_line_repeated", "the bill has the same movement twice")
	errNoBill      = errs.New(errs.Conflict, "reconcile_no_bills", "this platform makes no bills")
	errNoAccount   = errs.Field("account", "reconcile_no_account", "there is no such payment account")
)

// Zone is that of the platforms' days.
func Zone() *time.Location { return wire.Beijing() }

// readyAfter is when the bill of the day before is there; until emptyAfter a
// platform without one may be late, after that the day had no trade.
const (
	readyAfter = 10 * time.Hour
	emptyAfter = 12 * time.Hour
)

// ParseDate reads a date as midnight in the platforms' zone.
func ParseDate(text string) (time.Time, error) {
	t, err := time.ParseInLocation(time.DateOnly, text, Zone())
	if err != nil {
		return t, ErrDate
	}
	return t, nil
}
