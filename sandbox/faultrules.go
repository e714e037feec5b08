package sandbox

import (
	"crypto/rand"
	"math/big"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// onCallback is the name by which a rule chooses callbacks.
const onCallback = "callback"

// Faults that a rule may bring about.
const (
	faultLatency   = "latency"   // waits ms
	faultReset     = "reset"     // the connection is reset without an answer
	fault5xx       = "5xx"       // SYSTEM_ERROR
	faultGarbage   = "garbage"   // unsigned, and no JSON
	faultHalf      = "half"      // the answer breaks off in the middle
	faultSkew      = "skew"      // the signature's timestamp is skew_s away
	faultDrop      = "drop"      // callbacks: not sent, tried again by the schedule
	faultDuplicate = "duplicate" // callbacks: sent twice at the same moment
	faultReorder   = "reorder"   // callbacks: each waits a random part of ms, so that they overtake each other
)

// faultRule is one thing that goes wrong: where, how often, and when.
type faultRule struct {
	Fault       string   `json:"fault"`
	On          []string `json:"on"`          // endpoints as in api.paths, or "callback"; empty is all that the fault fits
	Merchant    string   `json:"merchant"`    // mchid; empty is all
	Probability float64  `json:"probability"` // of each request; 0 is 1
	Count       int      `json:"count"`       // strikes at most so often; 0 is no limit
	AfterS      int      `json:"after_s"`     // begins so long after it was set
	ForS        int      `json:"for_s"`       // lasts so long; 0 is for ever
	MS          int      `json:"ms"`          // latency and reorder
	SkewS       int      `json:"skew_s"`      // skew; negative is the past
	After       bool     `json:"after"`       // the operation is carried out first: "failed but persisted"
}

func apiFaultNames() []string {
	return []string{faultLatency, faultReset, fault5xx, faultGarbage, faultHalf, faultSkew}
}

func callbackFaultNames() []string {
	return []string{faultLatency, faultSkew, faultDrop, faultDuplicate, faultReorder}
}

func checkRules(rules []faultRule) error {
	if len(rules) > 100 {
		return errParam("rules", "must be 100 at most")
	}
	for _, r := range rules {
		if err := r.validate(); err != nil {
			return err
		}
	}
	return nil
}

func (r faultRule) validate() error {
	names := append(apiFaultNames(), callbackFaultNames()...)
	return firstError(
		func() error {
			if !slices.Contains(names, r.Fault) {
				return errParam("rules.fault", "must be of "+strings.Join(names, ", "))
			}
			return nil
		},
		r.checkPlaces,
		func() error {
			if r.Probability < 0 || r.Probability > 1 {
				return errParam("rules.probability", "must be from 0 to 1")
			}
			return nil
		},
		func() error { return upTo("rules.count", r.Count, 1e9) },
		func() error { return upTo("rules.after_s", r.AfterS, 86_400) },
		func() error { return upTo("rules.for_s", r.ForS, 86_400) },
		func() error { return upTo("rules.ms", r.MS, 600_000) },
		func() error { return upTo("rules.skew_s", max(r.SkewS, -r.SkewS), 86_400) },
	)
}

func (r faultRule) checkPlaces() error {
	for _, place := range r.On {
		fits := apiFaultNames()
		if place == onCallback {
			fits = callbackFaultNames()
		} else if !slices.Contains(apiPaths(), place) {
			return errParam("rules.on", "must be callback, or of "+strings.Join(apiPaths(), ", "))
		}
		if !slices.Contains(fits, r.Fault) {
			return errParam("rules.on", r.Fault+" does not happen at "+place)
		}
	}
	return nil
}

// strikes decides whether r hits a request, and counts it. since is the time
// since the rules were set.
func (r *faultRule) strikes(place, merchant string, since time.Duration) bool {
	fits := apiFaultNames()
	if place == onCallback {
		fits = callbackFaultNames()
	}
	begin := time.Duration(r.AfterS) * time.Second
	end := begin + time.Duration(r.ForS)*time.Second
	switch {
	case len(r.On) > 0 && !slices.Contains(r.On, place), !slices.Contains(fits, r.Fault), r.Merchant != "" && r.Merchant != merchant,
		since < begin, r.ForS > 0 && since >= end, r.Count < 0,
		r.Probability > 0 && randomFraction() >= r.Probability:
		return false
	}
	if r.Count > 0 {
		if r.Count--; r.Count == 0 {
			r.Count = -1 // used up
		}
	}
	return true
}

// hits are the faults that strike one request.
func (b *faultBoard) hits(place, merchant string, now time.Time) []faultRule {
	var out []faultRule
	for i := range b.set.Rules {
		if r := &b.set.Rules[i]; r.strikes(place, merchant, now.Sub(b.since)) {
			out = append(out, *r)
		}
	}
	return out
}

// callbackHits are the faults that strike one attempt of a callback.
func (b *faultBoard) callbackHits(merchant string, now time.Time) []faultRule {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.hits(onCallback, merchant, now)
}

// add makes the fate of a request worse by a rule.
func (f *apiFault) add(r faultRule) {
	f.after = f.after || r.After
	switch r.Fault {
	case faultLatency:
		f.hang += time.Duration(r.MS) * time.Millisecond
	case faultReset:
		f.reset = true
	case faultHalf:
		f.half = true
	case fault5xx:
		f.fail, _ = injectable("SYSTEM_ERROR")
	case faultGarbage:
		f.garbage = true
	case faultSkew:
		f.skew += time.Duration(r.SkewS) * time.Second
	}
}

// bend makes the fate of a callback's attempt worse by rules. It tells how
// long the attempt has to wait.
func (f *callbackFaults) bend(rules []faultRule) (wait time.Duration) {
	for _, r := range rules {
		switch r.Fault {
		case faultLatency:
			wait += time.Duration(r.MS) * time.Millisecond
		case faultReorder:
			wait += randomPart(time.Duration(r.MS) * time.Millisecond)
		case faultDrop:
			f.Drop = true
		case faultDuplicate:
			f.Repeat, f.Parallel = 2*max(1, f.Repeat), true
		case faultSkew:
			f.skew += time.Duration(r.SkewS) * time.Second
		}
	}
	return wait
}

// randomPart is a random time below d.
func randomPart(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	n, err := rand.Int(rand.Reader, big.NewInt(int64(d)))
	if err != nil {
		return 0
	}
	return time.Duration(n.Int64())
}

// merchantOf reads who asks from a request that nobody has verified yet: good
// enough to choose a fault.
func merchantOf(authorization string) string {
	_, rest, _ := strings.Cut(authorization, `mchid="`)
	id, _, _ := strings.Cut(rest, `"`)
	return id
}

// halfWriter breaks off in the middle of the first thing that is written.
type halfWriter struct{ http.ResponseWriter }

// Write implements io.Writer.
func (h halfWriter) Write(b []byte) (int, error) {
	h.Header().Set("Content-Length", strconv.Itoa(len(b)))
	_, _ = h.ResponseWriter.Write(b[:len(b)/2])
	_ = http.NewResponseController(h.ResponseWriter).Flush()
	panic(http.ErrAbortHandler)
}
