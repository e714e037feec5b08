package alipay

import (
	"errors"
	"fmt"
	"strings"

	"panshi/internal/errs"
	"panshi/internal/payment"
)

var (
	errAnswer    = errors.New("the answer is not what the protocol promises")
	errTransport = errors.New("the connection broke or did not speak HTTP")
	errUnsigned  = errors.New("the answer is not signed by the platform's key")
	errState     = errors.New("a state that the protocol does not name")
	errMissing   = errors.New("a number that must be there is missing or not printable")
	errAmount    = errors.New("an amount that is not yuan with at most two decimals")
	errTime      = errors.New("a time that is not spelled as the platform does")
)

// platformError is a refusal in the platform's own words: code and sub code.
// Its messages are left out, for they may quote the request.
type platformError struct {
	code, sub string
}

func (e *platformError) Error() string {
	return fmt.Sprintf("alipay: code %q, sub code %q", e.code, e.sub)
}

// because returns one of payment's errors with its cause.
func because(what *errs.Error, cause error) error {
	e := *what
	e.Err = cause
	return &e
}

func busy(cause error) error { return because(payment.ErrProviderBusy, cause) }

// meaning maps a verified refusal to one of payment's errors. Code 20000 is
// trouble at the platform, 10003 an answer that is still being made, and 40004
// a refusal of the business whose sub code says why.
func meaning(e *platformError) error {
	sub := strings.TrimPrefix(strings.TrimPrefix(e.sub, "aop."), "ACQ.")
	switch {
	case e.code == "20000" || e.code == "10003":
		return busy(e)
	case sub == "TRADE_HAS_SUCCESS" || sub == "TRADE_HAS_FINISHED":
		return because(payment.ErrAlreadyPaid, e)
	case sub == "TRADE_NOT_EXIST":
		return because(payment.ErrNotFound, e)
	case sub == "SYSTEM_ERROR" || strings.HasSuffix(sub, "unknow-error") || strings.HasSuffix(sub, "call-limited"):
		return busy(e)
	}
	return because(payment.ErrRejected, e)
}

func isTradeClosed(err error) bool {
	var e *platformError
	return errors.Is(err, payment.ErrRejected) && errors.As(err, &e) && e.sub == "ACQ.TRADE_HAS_CLOSE"
}
