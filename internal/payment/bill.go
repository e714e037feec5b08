package payment

import (
	"context"
	"iter"
	"time"

	"panshi/internal/errs"
	"panshi/internal/money"
)

// ErrBillNotReady says that the platform has not made a day's bill yet, or
// that the day had no trade; BillEmpty tells the second where a platform can.
var ErrBillNotReady = errs.New(errs.Unavailable, "bill_not_ready", "the platform has no bill of this day yet; ask again later")

// Biller is a Provider whose platform makes a bill of every day.
type Biller interface {
	// Bill fetches and checks the bill of a day (year, month and day of date
	// count, in the platform's zone). A bill whose digest or whose footer does
	// not fit its lines, or that is another merchant's, is an error, never a part
	// of a bill. ErrBillNotReady if there is none yet.
	Bill(ctx context.Context, date time.Time) (Bill, error)
}

// BillKind says what a line of a bill is about.
type BillKind string

// The kinds of lines.
const (
	BillPayment BillKind = "payment"
	BillRefund  BillKind = "refund"
)

// BillLine is one movement of money as the platform booked it. Amounts are
// positive for both kinds.
type BillLine struct {
	Kind          BillKind
	PaymentNo     string // our number of the payment
	TransactionID string // the platform's
	RefundNo      string // our number of the refund; "" for payments
	RefundID      string // the platform's, or ""
	Amount        money.Amount
	Fee           money.Amount // what the platform keeps; negative when it gives fee back
	State         string       // the platform's word
	At            time.Time
}

// Bill is a day of one account. Its sums and its count were compared with its
// lines. A bill may have 100,000 lines: they are kept as the platform packed
// them, and unpacked by whoever reads.
type Bill struct {
	Date    time.Time // midnight in the platform's zone
	Count   int64
	Paid    money.Amount // sum of the payments
	GivenUp money.Amount // sum of the refunds
	Fees    money.Amount
	Digest  string // SHA-256 of the table, hex: what was reconciled
	// Lines reads the lines in the platform's order, the same each time. An
	// error is the last that it gives. Nil if there are none.
	Lines iter.Seq2[BillLine, error]
}

// Add counts a line that belongs to the bill, without its fee: how fees are
// rounded is the platform's.
func (b *Bill) Add(l BillLine) {
	b.Count++
	if l.Kind == BillRefund {
		b.GivenUp.Minor += l.Amount.Minor
		return
	}
	b.Paid.Minor += l.Amount.Minor
}
