package platforms_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/checkout"
	"panshi/internal/errs"
	"panshi/internal/order"
	"panshi/internal/payment"
	"panshi/internal/payment/routing"
	"panshi/sandbox"
)

// inside answers requests by a handler without a network, so that all happens
// in a bubble whose time is its own.
type inside struct{ handler http.Handler }

// RoundTrip implements http.RoundTripper.
func (i inside) RoundTrip(r *http.Request) (*http.Response, error) {
	body := r.Body
	if body == nil {
		body = http.NoBody
	}
	req := httptest.NewRequestWithContext(r.Context(), r.Method, r.URL.String(), body)
	req.Header, req.ContentLength = r.Header, r.ContentLength
	w := httptest.NewRecorder()
	i.handler.ServeHTTP(w, req)
	return w.Result(), nil
}

// sick is a way to a platform whose answers suffer from a fault.
type sick struct {
	inside
	fault atomic.Value // string, one of faultNames or "hang"; "" for none
}

// RoundTrip implements http.RoundTripper.
func (s *sick) RoundTrip(r *http.Request) (*http.Response, error) {
	fault := s.fault.Load()
	if fault == "hang" {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	resp, err := s.inside.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	switch fault {
	case "late":
		return nil, context.DeadlineExceeded
	case "reset":
		return nil, syscall.ECONNRESET
	case "5xx":
		resp.StatusCode, resp.Body = http.StatusBadGateway, io.NopCloser(strings.NewReader("<html>502 Bad Gateway</html>"))
	case "garbage":
		resp.Body = io.NopCloser(strings.NewReader("\x00\x01 not what was promised"))
	case "half":
		resp.Body = io.NopCloser(io.MultiReader(io.LimitReader(resp.Body, 20), cutOff{}))
	}
	return resp, nil
}

// cutOff is where an answer breaks off.
type cutOff struct{}

// Read implements io.Reader.
func (cutOff) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

const bubbleURL = "http://sandbox.test"

// boxOn is a sandbox on a state, without a network, and what asks it.
func boxOn(t *testing.T, state string) (*sandbox.Sandbox, *rig) {
	t.Helper()
	box, err := sandbox.New(sandbox.Config{StateFile: state, BaseURL: bubbleURL, RefundDelay: time.Millisecond})
	require.NoError(t, err)
	client := &http.Client{Transport: inside{box.Handler()}}
	return box, &rig{t: t, url: bubbleURL, client: client, notify: "http://shop.test/notify"}
}

// enlisted is a sandbox's state in which the tills' merchants have their keys,
// which take long to make.
func enlisted(t *testing.T) []byte {
	path := filepath.Join(t.TempDir(), "state")
	box, r := boxOn(t, path)
	r.post("/simulate/merchants", `{"name":"first"}`)
	r.post("/simulate/merchants", `{"name":"next","app_of":"first"}`)
	require.NoError(t, box.Close())
	state, err := os.ReadFile(path)
	require.NoError(t, err)
	return state
}

// newBubbleTill is a shop and a sandbox inside a bubble.
func newBubbleTill(t *testing.T, w way, state []byte) *till {
	path := filepath.Join(t.TempDir(), "state")
	require.NoError(t, os.WriteFile(path, state, 0o600))
	box, r := boxOn(t, path)
	t.Cleanup(func() { require.NoError(t, box.Close()) })
	broken := &sick{inside: inside{box.Handler()}}
	broken.fault.Store("")
	return openTill(r, w, "http://front.test", &http.Client{Transport: broken}, &broken.fault)
}

// TestBreakerOfEveryChannel: by each way to pay and with each fault, no buyer
// waits 3 s for a platform, the other account has the new payments, five
// failures open the breaker, after which the platform is not asked, a question
// closes it once the platform is well, and the account gets new payments again.
// The time is the bubble's. (P106, P110)
func TestBreakerOfEveryChannel(t *testing.T) {
	state := enlisted(t)
	for _, w := range ways() {
		for _, fault := range append(faultNames(), "hang") {
			t.Run(w.String()+" "+fault, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					s := newBubbleTill(t, w, state)
					begun, err := s.start(s.order())
					require.NoError(t, err)
					require.Equal(t, s.first.ID, begun.AccountID)
					s.approach(begun)
					s.breaks(fault)
					s.heals(begun)
				})
			})
		}
	}
}

// leftAlone is longer than a breaker stays open, and than one that hung is not
// asked.
const leftAlone = 11 * time.Second

// breaks has the first account's platform fail until it is not asked any more.
func (s *till) breaks(fault string) {
	s.fault.Store(fault)
	o := s.order()
	pay := s.startsInTime(o, true)
	if s.asks() {
		require.Equal(s.t, s.next.ID, pay.AccountID, "the other account has it")
	}
	health := func() routing.Health { return s.router.Health(s.first.ID) }
	for range 5 {
		if health().Breaker == "open" {
			break
		}
		time.Sleep(leftAlone)
		s.ask() // about what was begun before
	}
	require.Equal(s.t, "open", health().Breaker)
	require.Contains(s.t, []int64{5, 6}, health().Failures, "two questions may be on their way")
	calls := health().Calls
	at := time.Now()
	pay = s.startsInTime(s.order(), true)
	require.Equal(s.t, s.next.ID, pay.AccountID)
	require.Zero(s.t, time.Since(at), "an open breaker does not wait")
	s.off(s.next, true)
	if s.asks() {
		s.startsInTime(s.order(), false)
	}
	require.Equal(s.t, calls, health().Calls)
	s.off(s.next, false)
}

// startsInTime starts a payment within 3 s: it is there, or its buyer reads of
// no technical thing.
func (s *till) startsInTime(o checkout.Placed, works bool) payment.Payment {
	s.t.Helper()
	at := time.Now()
	pay, err := s.start(o)
	require.LessOrEqual(s.t, time.Since(at), 3*time.Second)
	s.want(o, order.Pending)
	if works {
		require.NoError(s.t, err)
		require.Equal(s.t, payment.Open, pay.Status)
		return pay
	}
	require.Equal(s.t, "payment_busy", errs.CodeOf(err))
	require.Regexp(s.t, kept, s.reads(err))
	return pay
}

// heals has the platform answer again.
func (s *till) heals(begun payment.Payment) {
	s.fault.Store("")
	time.Sleep(leftAlone)
	s.ask()
	require.Equal(s.t, "closed", s.router.Health(s.first.ID).Breaker)
	time.Sleep(10 * time.Minute)
	pay, err := s.start(s.order())
	require.NoError(s.t, err)
	require.Equal(s.t, s.first.ID, pay.AccountID, "what was is forgotten")
	s.pay(begun)
	s.ask()
	s.sound()
}
