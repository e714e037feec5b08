package wechatpay

import (
	"context"
	"errors"
	"fmt"

	"panshi/internal/errs"
	"panshi/internal/payment"
	"panshi/internal/payment/wire"
)

var (
	errAnswer    = errors.New("the answer is not what the protocol promises")
	errTransport = errors.New("the connection broke or did not speak HTTP")
)

// platformError is a refusal in the platform's own words: its code, and the
// request id that its support asks for. Its message is left out, for it may
// quote the request.
type platformError struct {
	status    int
	code      string
	requestID string
}

func (e *platformError) Error() string {
	return fmt.Sprintf("wechatpay: HTTP %d, code %q, request id %q", e.status, e.code, e.requestID)
}

// because returns one of payment's errors with its cause.
func because(what *errs.Error, cause error) error {
	e := *what
	e.Err = cause
	return &e
}

func busy(cause error) error { return because(payment.ErrProviderBusy, cause) }

// meaning maps the platform's code of a 4xx to one of payment's errors.
func meaning(code string) *errs.Error {
	switch canonical(code) {
	case "ORDERPAID":
		return payment.ErrAlreadyPaid
	case "ORDERNOTEXIST", "ORDERNOTEXISTS", "RESOURCENOTEXIST", "RESOURCENOTEXISTS", "REFUNDNOTEXIST", "REFUNDNOTEXISTS":
		return payment.ErrNotFound
	case "SYSTEMERROR", "BANKERROR", "USERPAYING", "FREQUENCYLIMITED", "FREQUENCYLIMIT",
		"FREQUENCYLIMITEXCEED", "RATELIMITEXCEED", "RATELIMITEXCEEDED":
		return payment.ErrProviderBusy
	}
	return payment.ErrRejected
}

func isOrderClosed(err error) bool {
	var e *platformError
	return errors.Is(err, payment.ErrRejected) && errors.As(err, &e) && canonical(e.code) == "ORDERCLOSED"
}

// networkCause drops what net/http quotes of a garbled answer.
func networkCause(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, context.DeadlineExceeded): // the client's own time-out
		return context.DeadlineExceeded
	}
	return wire.NetworkCause(err, errTransport)
}
