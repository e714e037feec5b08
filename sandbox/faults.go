package sandbox

import (
	"crypto/rand"
	"encoding/binary"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// faults is what the platform does wrong at the moment. It is forgotten at a restart.
type faults struct {
	Callbacks callbackFaults `json:"callbacks"`
	API       apiFaults      `json:"api"`
	Bills     billFaults     `json:"bills"`
	Rules     []faultRule    `json:"rules,omitempty"` // each by endpoint, probability and time
}

// callbackFaults bend every callback attempt while they are set.
type callbackFaults struct {
	Drop        bool   `json:"drop"`        // attempts are recorded, nothing is sent
	Repeat      int    `json:"repeat"`      // how many times each attempt is sent; 0 and 1 are once
	Parallel    bool   `json:"parallel"`    // the repeats go out at the same moment
	DelayMS     int    `json:"delay_ms"`    // added to every wait
	Reorder     bool   `json:"reorder"`     // gathers callbacks for half a second, then the newest goes first
	Forge       string `json:"forge"`       // one of forgeries, or empty
	Certificate bool   `json:"certificate"` // signs with the platform certificate instead of the public key

	skew time.Duration // of one attempt, by a rule
}

// apiFaults bend the answers of the payment API while they are set.
type apiFaults struct {
	Status5xx float64  `json:"status_5xx"` // below 1 a probability, from 1 on the number of requests that will fail
	Error     string   `json:"error"`      // the code that failing requests get; empty is SYSTEM_ERROR
	HangMS    int      `json:"hang_ms"`    // wait before the answer
	Garbage   bool     `json:"garbage"`    // answers are unsigned and no JSON
	After     bool     `json:"after"`      // the operation is carried out, only its answer goes wrong
	Paths     []string `json:"paths"`      // native, query, close, refund, certificates; empty is all
}

func (f *faults) validate() error {
	c, a := f.Callbacks, f.API
	return firstError(
		func() error { return upTo("callbacks.repeat", c.Repeat, 100) },
		func() error { return upTo("callbacks.delay_ms", c.DelayMS, 3_600_000) },
		func() error { return checkForge("callbacks.forge", c.Forge) },
		func() error { return upTo("api.hang_ms", a.HangMS, 600_000) },
		func() error { return checkFailures(a.Status5xx) },
		func() error {
			if _, ok := injectable(a.Error); a.Error != "" && !ok {
				return errParam("api.error", "is not a code that can be injected")
			}
			return nil
		},
		func() error { return checkPaths(a.Paths) },
		func() error { return checkRules(f.Rules) },
		func() error { return upTo("bills.omit", f.Bills.Omit, 1000) },
		func() error { return upTo("bills.extra", f.Bills.Extra, 200_000) },
	)
}

func upTo(field string, n, most int) error {
	if n < 0 || n > most {
		return errParam(field, "must be from 0 to "+strconv.Itoa(most))
	}
	return nil
}

func checkForge(field, forge string) error {
	if forge != "" && !slices.Contains(forgeries(), forge) {
		return errParam(field, "must be empty or one of "+strings.Join(forgeries(), ", "))
	}
	return nil
}

func checkFailures(n float64) error {
	if n < 0 || n > 1e9 || (n >= 1 && n != math.Trunc(n)) {
		return errParam("api.status_5xx", "must be a probability below 1 or a whole number of requests")
	}
	return nil
}

func checkPaths(paths []string) error {
	known := apiPaths()
	for _, p := range paths {
		if !slices.Contains(known, p) {
			return errParam("api.paths", "must be of "+strings.Join(known, ", "))
		}
	}
	return nil
}

// apiPaths are the names by which faults choose endpoints: WeChat Pay's by word, Alipay's by method.
func apiPaths() []string {
	return []string{
		"native", "jsapi", "h5", "query", "close", "refund", "certificates", "bill",
		"alipay.trade.precreate", "alipay.trade.wap.pay", "alipay.trade.page.pay", "alipay.trade.query", "alipay.trade.close",
		"alipay.trade.refund", "alipay.trade.fastpay.refund.query", "alipay.data.dataservice.bill.downloadurl.query",
	}
}

// faultBoard holds the faults that are set.
type faultBoard struct {
	mu  sync.Mutex
	set faults // mu

	since time.Time // mu; when set was set
}

func (b *faultBoard) get() faults {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := b.set
	out.API.Paths = slices.Clone(out.API.Paths)
	out.Rules = slices.Clone(out.Rules)
	return out
}

func (b *faultBoard) put(f faults, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.set, b.since = f, now
}

// apiFault is what goes wrong with one request.
type apiFault struct {
	hang    time.Duration
	fail    *apiError
	garbage bool
	reset   bool
	half    bool
	skew    time.Duration
	after   bool
}

func (f apiFault) any() bool {
	return f.hang > 0 || f.fail != nil || f.garbage || f.reset || f.half || f.skew != 0
}

// nextAPI decides the fate of one request and counts it.
func (b *faultBoard) nextAPI(path, merchant string, now time.Time) apiFault {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := b.set.API.next(path)
	for _, r := range b.hits(path, merchant, now) {
		out.add(r)
	}
	return out
}

func (a *apiFaults) next(path string) apiFault {
	if len(a.Paths) > 0 && !slices.Contains(a.Paths, path) {
		return apiFault{}
	}
	out := apiFault{hang: time.Duration(a.HangMS) * time.Millisecond, garbage: a.Garbage, after: a.After}
	if a.strikes() {
		code := a.Error
		if code == "" {
			code = "SYSTEM_ERROR"
		}
		out.fail, _ = injectable(code)
	}
	return out
}

func (a *apiFaults) strikes() bool {
	if a.Status5xx >= 1 {
		a.Status5xx--
		return true
	}
	return a.Status5xx > 0 && randomFraction() < a.Status5xx
}

func randomFraction() float64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return float64(binary.LittleEndian.Uint64(b[:])>>11) / (1 << 53)
}
