package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestCallbackOfPaymentAndRefund(t *testing.T) {
	in := newInbox(t)
	r := newRig(t, func(c *Config) { c.RefundDelay = time.Millisecond })
	r.run()
	s := r.shop("demo")
	s.order("ORDER0001", map[string]any{"notify_url": in.url, "attach": "thing"})
	receipt := r.pay("ORDER0001")
	got, err := s.content(in.next(t))
	require.NoError(t, err)
	require.Equal(t, receipt["transaction_id"], got["transaction_id"])
	require.Equal(t, "SUCCESS", got["trade_state"])
	require.Equal(t, "thing", got["attach"])
	require.Equal(t, s.id.MchID, got["mchid"])
	require.EqualValues(t, 1234, got["amount"].(map[string]any)["total"])

	s.call("POST", "/v3/refund/domestic/refunds", `{"out_trade_no":"ORDER0001","out_refund_no":"R1","notify_url":"`+in.url+
		`","amount":{"refund":1000,"total":1234,"currency":"CNY"}}`)
	got, err = s.content(in.next(t))
	require.NoError(t, err)
	require.Equal(t, "SUCCESS", got["refund_status"])
	require.EqualValues(t, 1000, got["amount"].(map[string]any)["refund"])

	require.Eventually(t, func() bool {
		calls := r.dev("GET", "/simulate/trades/ORDER0001", "").body["callbacks"].([]any)
		for _, c := range calls {
			if c.(map[string]any)["delivered"] != true {
				return false
			}
		}
		return len(calls) == 2
	}, 30*time.Second, 10*time.Millisecond)
	again := r.dev("POST", "/simulate/callback", `{"out_trade_no":"ORDER0001","out_refund_no":"R1"}`)
	require.Equal(t, []any{204.0}, again.body["statuses"])
}

// TestForgeries sends every kind of defect, for a paid and for an unpaid order, and checks that the defect is there
// and that nothing else is wrong.
func TestForgeries(t *testing.T) {
	in := newInbox(t)
	r := newRig(t, nil)
	s := r.shop("demo")
	for _, no := range []string{"PAID0001", "OPEN0001"} {
		s.order(no, map[string]any{"notify_url": in.url})
	}
	r.pay("PAID0001")
	for _, no := range []string{"PAID0001", "OPEN0001"} {
		for _, kind := range forgeries() {
			t.Run(no+" "+kind, func(t *testing.T) {
				got := r.dev("POST", "/simulate/callback", `{"out_trade_no":"`+no+`","forge":"`+kind+`"}`)
				require.Equal(t, []any{204.0}, got.body["statuses"], "%s", got.raw)
				d := in.next(t)
				content, err := s.content(d)
				checkForged(t, s, kind, no, d, content, err)
			})
		}
	}
	require.Equal(t, "NOTPAY", s.state("OPEN0001"), "an attack is not a payment")
}

func checkForged(t *testing.T, s *shop, kind, no string, d delivery, content map[string]any, err error) {
	t.Helper()
	signature := d.header.Get("Wechatpay-Signature")
	signed := proves(s.plat, d.header, d.body) == nil
	amount, _ := content["amount"].(map[string]any)
	switch kind {
	case "signature":
		require.Error(t, err)
		require.False(t, signed)
		require.Len(t, signature, 344)
	case "signtest":
		require.True(t, strings.HasPrefix(signature, "WECHATPAY/SIGNTEST/"))
	case "unsigned":
		require.Empty(t, signature)
	case "serial":
		require.True(t, signed)
		require.ErrorContains(t, err, "serial")
	case "stale", "future":
		require.True(t, signed)
		require.ErrorContains(t, err, "stale")
	case "reserialized":
		require.False(t, signed)
		var v map[string]any
		require.NoError(t, json.Unmarshal(d.body, &v))
		d.body = encodeOriginal(t, d.body)
		require.NoError(t, proves(s.plat, d.header, d.body), "the signature is that of the compact body")
	case "ciphertext":
		require.True(t, signed)
		require.Error(t, err)
	case "amount":
		require.NoError(t, err)
		require.EqualValues(t, 1, amount["total"])
	case "currency":
		require.Equal(t, "JPY", amount["currency"])
	case "merchant":
		require.NotEqual(t, s.id.MchID, content["mchid"])
	case "appid":
		require.NotEqual(t, s.id.AppID, content["appid"])
	case "order":
		require.NoError(t, err)
		require.NotEqual(t, no, content["out_trade_no"])
	default:
		t.Fatalf("kind %s is not covered", kind)
	}
}

func encodeOriginal(t *testing.T, body []byte) []byte {
	var e envelope
	require.NoError(t, json.Unmarshal(body, &e))
	return encode(e)
}

func TestCallbackOnDemand(t *testing.T) {
	in := newInbox(t)
	r := newRig(t, nil)
	s := r.shop("demo")
	s.order("ORDER0001", map[string]any{"notify_url": in.url})
	refused := r.dev("POST", "/simulate/callback", `{"out_trade_no":"ORDER0001"}`)
	require.Equal(t, 409, refused.status)
	require.Equal(t, "NOT_PAID", refused.body["code"])
	r.pay("ORDER0001")
	in.answer = 500
	got := r.dev("POST", "/simulate/callback", `{"out_trade_no":"ORDER0001","times":3,"parallel":true}`)
	require.Equal(t, []any{500.0, 500.0, 500.0}, got.body["statuses"])
	require.Len(t, in.got, 3)

	r.shop("deaf").order("ORDER0009", map[string]any{"notify_url": "http://127.0.0.1:1/"})
	r.pay("ORDER0009")
	got = r.dev("POST", "/simulate/callback", `{"out_trade_no":"ORDER0009"}`)
	require.Equal(t, []any{0.0}, got.body["statuses"])
	require.Len(t, got.body["errors"], 1)
}

// transport is a callback receiver in memory, so that time may be faked.
type transport func(*http.Request) (int, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) {
	status, err := f(r)
	if err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader("")), Request: r}, nil
}

// inTime runs a sandbox in fake time, with one order placed.
func inTime(t *testing.T, receive transport, test func(box *Sandbox)) {
	path := filepath.Join(t.TempDir(), "state")
	seeded(t, path)
	synctest.Test(t, func(t *testing.T) {
		box, err := New(Config{StateFile: path, Client: &http.Client{Transport: receive, Timeout: callbackWait}})
		require.NoError(t, err)
		_, _, err = box.ensureMerchant("demo", "")
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- box.Run(ctx) }()
		test(box)
		cancel()
		require.NoError(t, <-done)
		require.NoError(t, box.Close())
	})
}

func payOne(t *testing.T, box *Sandbox, no string) {
	plant(t, box, no, "http://shop.invalid/notify")
	_, paid, err := box.pay(orderRef{OutTradeNo: no})
	require.NoError(t, err)
	require.True(t, paid)
}

func TestRetriesFollowTheSchedule(t *testing.T) {
	var mu sync.Mutex
	var at []time.Time
	refuse := func(*http.Request) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		at = append(at, time.Now())
		switch len(at) {
		case 1:
			return 500, nil
		case 2:
			return 302, nil
		}
		return 0, errors.New("connection refused")
	}
	inTime(t, refuse, func(box *Sandbox) {
		payOne(t, box, "ORDER0001")
		time.Sleep(30 * time.Hour)
		synctest.Wait()
		require.Len(t, at, 16, "one try and fifteen more")
		for i, wait := range wechatSchedule() {
			require.Equal(t, wait, at[i+1].Sub(at[i]).Truncate(time.Second), "wait %d", i)
		}
		require.Equal(t, 24*time.Hour+4*time.Minute, at[15].Sub(at[0]).Truncate(time.Second))
		box.view(func(st *state) {
			n := st.notes[0]
			require.True(t, n.Done)
			require.False(t, n.Delivered)
			require.Equal(t, 16, n.Tries)
			require.Equal(t, "connection refused", n.History[15].Error)
		})
	})
}

func TestHungShopIsAFailure(t *testing.T) {
	tries := 0
	hang := func(r *http.Request) (int, error) {
		if tries++; tries == 1 {
			<-r.Context().Done()
			return 0, r.Context().Err()
		}
		return 200, nil
	}
	inTime(t, hang, func(box *Sandbox) {
		payOne(t, box, "ORDER0001")
		time.Sleep(time.Minute)
		synctest.Wait()
		box.view(func(st *state) {
			n := st.notes[0]
			require.True(t, n.Delivered)
			require.Equal(t, 2, n.Tries)
			require.Equal(t, "no answer in time", n.History[0].Error)
			require.Equal(t, 200, n.History[1].Status)
		})
	})
}

func TestCallbackFaults(t *testing.T) {
	var mu sync.Mutex
	var numbers []string
	var s *shop
	receive := func(r *http.Request) (int, error) {
		body, _ := io.ReadAll(r.Body)
		got, err := s.content(delivery{header: r.Header, body: body})
		mu.Lock()
		defer mu.Unlock()
		numbers = append(numbers, fmt.Sprint(got["out_trade_no"], " ", err))
		return 200, nil
	}
	inTime(t, receive, func(box *Sandbox) {
		s = shopOf(t, box)
		box.faults.put(faults{Callbacks: callbackFaults{Drop: true}}, time.Now())
		payOne(t, box, "DROPPED1")
		time.Sleep(10 * time.Second)
		synctest.Wait()
		require.Empty(t, numbers)
		box.faults.put(faults{}, time.Now())
		time.Sleep(10 * time.Second)
		synctest.Wait()
		require.Equal(t, []string{"DROPPED1 <nil>"}, numbers, "comes with the first retry")

		numbers = nil
		box.faults.put(faults{Callbacks: callbackFaults{Repeat: 3, Parallel: true, DelayMS: 60_000}}, time.Now())
		payOne(t, box, "REPEAT1")
		time.Sleep(59 * time.Second)
		synctest.Wait()
		require.Empty(t, numbers)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		require.Len(t, numbers, 3)

		numbers = nil
		box.faults.put(faults{Callbacks: callbackFaults{Forge: "signature"}}, time.Now())
		payOne(t, box, "FORGED1")
		synctest.Wait()
		time.Sleep(time.Second)
		require.Len(t, numbers, 1)
		require.Contains(t, numbers[0], "verification error")
	})
}

// TestReorder looks at the order in which callbacks come up, newest first.
func TestReorder(t *testing.T) {
	box, err := New(Config{StateFile: filepath.Join(t.TempDir(), "state"), Now: steady(time.Now().Truncate(time.Second))})
	require.NoError(t, err)
	defer box.Close()
	_, _, err = box.ensureMerchant("demo", "")
	require.NoError(t, err)
	box.faults.put(faults{Callbacks: callbackFaults{Reorder: true}}, time.Now())
	for i := range 5 {
		payOne(t, box, fmt.Sprintf("ORDER%04d", i))
	}
	_, none, wait := box.nextDue()
	require.Nil(t, none)
	require.Equal(t, reorderWindow, wait)
	box.now = steady(box.now().Add(wait))
	for i := 4; i >= 0; i-- {
		_, n, _ := box.nextDue()
		require.Equal(t, i, n.TradeSeq)
	}
}

func steady(now time.Time) func() time.Time { return func() time.Time { return now } }

// shopOf is the client's view of the sandbox's only merchant, without a server.
func shopOf(t *testing.T, box *Sandbox) *shop {
	w := httptest.NewRecorder()
	box.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/simulate/merchants", strings.NewReader(`{"name":"demo"}`)))
	require.Equal(t, 200, w.Code)
	return newShop(t, w.Body.Bytes())
}
