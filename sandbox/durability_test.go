package sandbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func reopen(t *testing.T, state []byte) (*rig, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "state.jsonl")
	require.NoError(t, os.WriteFile(path, state, 0o600))
	box, err := New(Config{StateFile: path})
	if err != nil {
		return nil, err
	}
	require.NoError(t, box.Close())
	return newRig(t, func(c *Config) { c.StateFile = path }), nil
}

func TestStateSurvives(t *testing.T) {
	r := newRig(t, nil)
	s := r.shop("demo")
	url := s.order("ORDER0001", nil)
	receipt := r.pay("ORDER0001")
	s.order("ORDER0002", nil)
	s.call("POST", "/v3/refund/domestic/refunds",
		`{"out_trade_no":"ORDER0001","out_refund_no":"R1","amount":{"refund":1,"total":1234,"currency":"CNY"}}`)
	crashed, err := os.ReadFile(r.path) // what a crash now would leave: Close has not run
	require.NoError(t, err)
	info, err := os.Stat(r.path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())

	for name, state := range map[string][]byte{
		"crash":             crashed,
		"crash, torn":       append(bytes.Clone(crashed), `{"trade":{"seq":2,"mchid":"19`...),
		"crash, torn whole": append(bytes.Clone(crashed), "{\"trade\":\x00\x00\x00\n"...),
		"crash, zeros":      append(bytes.Clone(crashed), make([]byte, 4096)...),
	} {
		t.Run(name, func(t *testing.T) {
			again, err := reopen(t, state)
			require.NoError(t, err)
			back := again.shop("demo")
			require.Equal(t, s.id.PrivateKey, back.id.PrivateKey)
			require.Equal(t, s.id.PublicKey, back.id.PublicKey)
			require.Equal(t, s.id.APIKey, back.id.APIKey)
			require.Equal(t, "REFUND", back.state("ORDER0001"))
			require.Equal(t, "NOTPAY", back.state("ORDER0002"))
			paid := again.dev("POST", "/simulate/pay", `{"code_url":"`+url+`"}`)
			require.Equal(t, 409, paid.status)
			require.Equal(t, receipt["transaction_id"], paid.body["transaction_id"])
			require.Len(t, again.dev("GET", "/simulate/refunds", "").body["items"], 1)
		})
	}

	lines := strings.SplitAfter(string(crashed), "\n")
	lines[1] = "{broken\n"
	_, err = reopen(t, []byte(strings.Join(lines, "")))
	require.ErrorContains(t, err, "line 2 is damaged", "damage in the middle is not a torn end")
}

func TestCloseAndReopen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "deep", "state.jsonl")
	box, err := New(Config{StateFile: path})
	require.NoError(t, err)
	_, err = New(Config{StateFile: path})
	require.ErrorContains(t, err, "in use", "two processes on one file would lose payments")
	m, _, err := box.ensureMerchant("demo", "")
	require.NoError(t, err)
	require.NoError(t, box.Close())
	require.NoError(t, box.Close())
	require.Error(t, box.update(func(*state) error { return box.store.commit(record{Merchant: m}) }))

	box, err = New(Config{StateFile: path})
	require.NoError(t, err)
	again, _, err := box.ensureMerchant("demo", "")
	require.NoError(t, err)
	require.Equal(t, m.MchID, again.MchID)
	require.NoError(t, box.Close())
}

// TestCallbackOwedSurvives proves that a payment and the callback it owes are one record.
func TestCallbackOwedSurvives(t *testing.T) {
	in := newInbox(t)
	r := newRig(t, nil) // nobody runs it: nothing is delivered
	s := r.shop("demo")
	s.order("ORDER0001", map[string]any{"notify_url": in.url})
	r.pay("ORDER0001")
	crashed, err := os.ReadFile(r.path)
	require.NoError(t, err)

	again, err := reopen(t, crashed)
	require.NoError(t, err)
	again.run()
	got, err := again.shop("demo").content(in.next(t))
	require.NoError(t, err)
	require.Equal(t, "ORDER0001", got["out_trade_no"])
}

func TestPayInParallel(t *testing.T) {
	const orders, buyers = 300, 3
	r := newRig(t, nil)
	r.shop("demo")
	for i := range orders {
		r.plant(fmt.Sprintf("ORDER%04d", i))
	}
	var paid, repeated atomic.Int64
	var ids sync.Map
	var group sync.WaitGroup
	work := make(chan string)
	for range 48 {
		group.Go(func() {
			for no := range work {
				got := r.dev("POST", "/simulate/pay", `{"out_trade_no":"`+no+`"}`)
				switch got.status {
				case 200:
					paid.Add(1)
				case 409:
					repeated.Add(1)
				default:
					t.Errorf("%s: %d %s", no, got.status, got.raw)
				}
				if before, loaded := ids.LoadOrStore(no, got.body["transaction_id"]); loaded && before != got.body["transaction_id"] {
					t.Errorf("%s has two transactions", no)
				}
			}
		})
	}
	for i := range orders * buyers {
		work <- fmt.Sprintf("ORDER%04d", i%orders)
	}
	close(work)
	group.Wait()
	require.EqualValues(t, orders, paid.Load())
	require.EqualValues(t, orders*(buyers-1), repeated.Load())

	state, err := loadState(r.path)
	require.NoError(t, err)
	require.Len(t, state.byTxn, orders)
	require.Len(t, state.notes, orders)
}

// plant records an order without the cost of two signatures.
func (r *rig) plant(no string) {
	r.t.Helper()
	plant(r.t, r.box, no, "http://127.0.0.1:1/notify")
}

func plant(t testing.TB, box *Sandbox, no, notify string) {
	t.Helper()
	require.NoError(t, box.update(func(st *state) error {
		m := st.merchants[0]
		return box.placeTrade(st, &trade{
			MchID: m.MchID, AppID: m.AppID, OutTradeNo: no, Description: "card", NotifyURL: notify, Total: 1234, Currency: "CNY",
			Token: no, Fingerprint: no, CreatedAt: box.now(), ExpiresAt: box.now().Add(time.Hour), State: stateNotPaid,
		}, box.now())
	}))
}

// faultyFile fails its Sync once told to.
type faultyFile struct {
	logFile
	failing atomic.Bool
}

func (f *faultyFile) Sync() error {
	if f.failing.Load() {
		return errors.New("no space left on device")
	}
	return f.logFile.Sync()
}

// TestNothingIsToldThatIsNotDurable covers "failed but in memory": after a failed fsync neither the payer nor the
// shop may hear of the payment, nor may a callback go out.
func TestNothingIsToldThatIsNotDurable(t *testing.T) {
	in := newInbox(t)
	r := newRig(t, nil)
	s := r.shop("demo")
	file := &faultyFile{logFile: r.box.store.journal.file}
	r.box.store.journal.file = file
	s.order("ORDER0001", map[string]any{"notify_url": in.url})
	file.failing.Store(true)
	r.run()

	require.Equal(t, 500, r.dev("POST", "/simulate/pay", `{"out_trade_no":"ORDER0001"}`).status)
	for _, target := range []string{"/v3/pay/transactions/out-trade-no/ORDER0001?mchid=" + s.id.MchID, "/v3/certificates"} {
		require.Equal(t, 500, s.call("GET", target, "").status)
	}
	require.Equal(t, 500, r.dev("GET", "/simulate/trades", "").status)
	require.Equal(t, 503, r.dev("GET", "/healthz", "").status)
	require.Empty(t, in.got)
	require.Error(t, r.box.Close())
}

func FuzzReadState(f *testing.F) {
	f.Add([]byte(`{"trade":{"seq":0}}` + "\n" + `{"note":{"trade_seq":-1,"refund_seq":5}}` + "\n"))
	f.Add([]byte(`{"refund":{"trade_seq":9}}` + "\n\n"))
	f.Add([]byte("{}\n{\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		st, err := readState(bytes.NewReader(data))
		if err != nil {
			return
		}
		var out bytes.Buffer
		require.NoError(t, encodeState(&out, st))
		again, err := readState(&out)
		require.NoError(t, err, "what was loaded can be loaded again")
		require.Len(t, again.trades, len(st.trades))
	})
}

func BenchmarkPay(b *testing.B) {
	box, err := New(Config{StateFile: filepath.Join(b.TempDir(), "state")})
	require.NoError(b, err)
	defer box.Close()
	_, _, err = box.ensureMerchant("demo", "")
	require.NoError(b, err)
	for i := range b.N {
		plant(b, box, fmt.Sprintf("ORDER%08d", i), "http://127.0.0.1:1/")
	}
	var next atomic.Int64
	b.SetParallelism(32)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, _, err := box.pay(orderRef{OutTradeNo: fmt.Sprintf("ORDER%08d", next.Add(1)-1)}); err != nil {
				b.Error(err)
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "pays/s")
}

func FuzzDecode(f *testing.F) {
	f.Add(`{"out_trade_no":"1","amount":{"total":1}}`)
	f.Add(`{"amount":[]}`)
	f.Fuzz(func(t *testing.T, text string) {
		var q orderRequest
		if decodeJSON([]byte(text), &q, false) == nil && q.validate() == nil {
			raw, err := json.Marshal(q)
			require.NoError(t, err)
			require.NotEmpty(t, raw)
		}
		_, _ = fingerprint([]byte(text))
		_, _ = parseAuthorization(authScheme + " " + text)
		_ = tokenOf(text)
	})
}
