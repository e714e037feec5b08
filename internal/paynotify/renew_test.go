package paynotify

import (
	"bytes"
	"context"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"panshi/internal/checkout"
	"panshi/internal/errs"
	"panshi/internal/money"
	"panshi/internal/payment"
)

// rotated is a provider whose platform has a new key, and tells of it if asked.
type rotated struct {
	payment.Provider
	tells bool
	asked *int
	reads *int
}

func (r rotated) ParseNotification(http.Header, []byte) (payment.Notification, error) {
	*r.reads++
	if r.tells && *r.asked > 0 {
		return payment.Notification{ID: "1", Payment: &payment.Report{State: payment.StatePaid, PaymentNo: "P1", Amount: money.Of(1, money.CNY)}}, nil
	}
	return payment.Notification{}, errs.New(errs.Unauthenticated, "signature_serial_unknown", "")
}

func (r rotated) RenewFor(_ context.Context, _ http.Header, err error) bool {
	*r.asked++
	return r.tells && errs.CodeOf(err) == "signature_serial_unknown"
}

func (rotated) Acknowledge() (contentType string, body []byte) {
	return "application/json", []byte(`{"code":"SUCCESS"}`)
}

// TestNewKeysAreAskedFor: the first callback under a new key is taken, and one
// under a key that the platform does not tell of is refused after one reading.
func TestNewKeysAreAskedFor(t *testing.T) {
	t.Parallel()
	for tells, want := range map[bool][]int{true: {http.StatusOK, 2, 1}, false: {http.StatusUnauthorized, 1, 0}} {
		var log bytes.Buffer
		var asked, reads int
		f := &fakeShop{provider: rotated{tells: tells, asked: &asked, reads: &reads}, outcome: checkout.Settled}
		w := send(server(t, f, openGate{}, &log), ownPath(), "{}", nil)
		require.Equal(t, want, []int{w.Code, reads, len(f.settled)})
		require.Equal(t, 1, asked)
	}
}
