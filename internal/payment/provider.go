package payment

import (
	"context"
	"time"

	"panshi/internal/errs"
	"panshi/internal/money"
)

// Errors that a Provider returns, whatever the platform calls them. Any other
// error means "unknown": the request may or may not have had its effect.
var (
	ErrAlreadyPaid  = errs.New(errs.Conflict, "already_paid", "the payment is paid already")
	ErrNotFound     = errs.New(errs.NotFound, "payment_not_found", "the platform does not know this payment")
	ErrRejected     = errs.New(errs.Conflict, "payment_rejected", "the platform refused the request; repeating it will not help")
	ErrProviderBusy = errs.New(errs.Unavailable, "payment_busy", "payment is busy; your order is kept and you have not been charged")
)

// Provider is one account at a payment platform. Every method may be repeated
// with the same numbers: the platform's idempotency keys are PaymentNo
// (out_trade_no) and RefundNo (out_refund_no). Implementations verify the
// signature of every answer before they believe it, hold no lock while they
// wait, time out in 5 s, and never log secrets or bodies.
type Provider interface {
	// Create registers a payment and returns what the buyer needs to pay it.
	Create(ctx context.Context, r Request) (Instruction, error)
	// Query asks for the platform's truth; ErrNotFound if it has none.
	Query(ctx context.Context, paymentNo string) (Report, error)
	// Close makes the payment unpayable; ErrAlreadyPaid if the buyer was
	// faster. Closing a closed or unknown payment succeeds.
	Close(ctx context.Context, paymentNo string) error
	// Refund gives money back; the first answer is mostly RefundProcessing.
	Refund(ctx context.Context, r RefundRequest) (RefundReport, error)
	// QueryRefund asks how far a payment's refund is; ErrNotFound if unknown.
	QueryRefund(ctx context.Context, paymentNo, refundNo string) (RefundReport, error)
}

// Request asks a platform to take money.
type Request struct {
	PaymentNo   string // at most 32 of [0-9A-Za-z]
	Method      string // "native", "jsapi", "h5" (WeChat Pay); "precreate", "wap", "page" (Alipay)
	Description string // what the buyer reads on the phone, at most 127 bytes are used
	Amount      money.Amount
	NotifyURL   string
	ReturnURL   string // where a browser comes back to; proves nothing
	ExpiresAt   time.Time
	ClientIP    string
	PayerID     string // "jsapi": the payer's openid under the account's application
}

// Instruction is what the buyer's client does to pay.
type Instruction struct {
	Kind    string // "qr", "redirect", "jsapi", "text"
	CodeURL string // for "qr": the text of the QR code
	URL     string // for "redirect"
	Text    string // for "text": words for the buyer that say where to pay
	// Params are for "jsapi": what the page or mini program hands to the app,
	// signed, by the app's own names.
	Params map[string]string
}

// State is the platform's truth about a payment.
type State string

// States of a payment at the platform.
const (
	StateOpen     State = "open"     // not paid yet (also: the buyer is entering a password)
	StatePaid     State = "paid"     // SUCCESS, or paid and then refunded wholly or partly
	StateClosed   State = "closed"   // unpayable, never paid
	StateFailed   State = "failed"   // this attempt failed; may still be paid until closed
	StateReversed State = "reversed" // revoked by the platform
)

// Report is the platform's verified word about one payment, from a callback,
// a query or a bill. All fields are the platform's, none ours.
type Report struct {
	State         State
	PaymentNo     string
	TransactionID string       // the platform's number, unique for ever within an account
	Amount        money.Amount // the order's total at the platform
	MerchantRef   string       // mchid (WeChat Pay), seller_id (Alipay)
	AppID         string
	PaidAt        time.Time
	GivenBack     bool // paid, and some or all of it went back since, whoever did that
}

// RefundRequest asks to give back part or all of a payment.
type RefundRequest struct {
	RefundNo  string // at most 64 of [0-9A-Za-z]; the idempotency key
	PaymentNo string
	Amount    money.Amount
	Total     money.Amount // of the payment
	Reason    string
	NotifyURL string
}

// RefundState is the platform's truth about a refund.
type RefundState string

// States of a refund at the platform.
const (
	RefundProcessing RefundState = "processing"
	RefundSucceeded  RefundState = "succeeded"
	RefundFailed     RefundState = "failed" // closed or abnormal: money did not move, a person must look
)

// RefundReport is the platform's verified word about one refund.
type RefundReport struct {
	State    RefundState
	RefundNo string
	RefundID string
	Amount   money.Amount
	DoneAt   time.Time
}

// Notification is a verified callback. At most one of the reports is set; an
// event that is about neither a payment nor a refund has none.
type Notification struct {
	ID       string // the platform's; the same comes again with every retry
	Payment  *Report
	Refund   *RefundReport
	RefundNo string // of a refund that has news which the callback does not tell: ask
}
