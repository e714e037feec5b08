package bench

import (
	"math"
	"slices"
	"time"
)

// Build is the program under test.
type Build struct {
	Version string `json:"version"`
	Commit  string `json:"commit"`
	Go      string `json:"go"`
}

// Machine is what it ran on.
type Machine struct {
	CPU      string `json:"cpu"`
	Cores    int    `json:"cores"`
	MemoryMB int64  `json:"memory_mb"`
	System   string `json:"system"`
}

// Report is what a run measured.
type Report struct {
	Date     time.Time `json:"date"`
	Build    Build     `json:"build"`
	Machine  Machine   `json:"machine"`
	Engine   string    `json:"engine"` // with its version
	Clients  int       `json:"clients"`
	Rounds   int       `json:"rounds"`
	Seconds  float64   `json:"seconds"` // of each scenario and side
	Results  []Result  `json:"results"`
	Figures  []Figure  `json:"figures"`
	SpinMS   []float64 `json:"spin_ms"`  // a fixed piece of work, timed between scenarios
	Finished bool      `json:"finished"` // false: something failed on the way
	TookS    float64   `json:"took_s"`   // the whole run
	LoadAvg  string    `json:"load_avg"` // of the machine before the run
	Problems []string  `json:"problems"` // operations that failed: the first of each scenario
}

// Figure is a number that is no rate.
type Figure struct {
	Name  string  `json:"name"`
	Size  int64   `json:"size,omitempty"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
	About string  `json:"about"`
}

// Result is one scenario at one size.
type Result struct {
	Scenario  string  `json:"scenario"`
	Size      int64   `json:"size"`
	Reference string  `json:"reference"` // what the other side was
	Unit      string  `json:"unit"`      // of an operation
	Ops       int64   `json:"ops"`
	Errors    int64   `json:"errors"`
	Rate      float64 `json:"rate"`     // operations a second: median of the rounds
	RefRate   float64 `json:"ref_rate"` // of the reference
	Ratio     float64 `json:"ratio"`    // median of the rounds' ratios
	Noise     float64 `json:"noise"`    // of the ratio: half of what its middle rounds span, relative
	RefNoise  float64 `json:"ref_noise"`
	CPU       CPU     `json:"cpu_us"`
	Latency   Latency `json:"latency_ms"`
	At80      *Paced  `json:"at_80,omitempty"`
	Others    float64 `json:"others"` // share of the machine that other programs took meanwhile
	Stolen    float64 `json:"stolen"` // share that the host took
	Rounds    []Round `json:"rounds"`
}

// CPU is processor time for one operation, in microseconds. Negative: unknown.
type CPU struct {
	Shop float64 `json:"shop"`
	Load float64 `json:"load"` // the load generator
	DB   float64 `json:"db"`   // the database server, if there is one
	Ref  float64 `json:"ref"`  // the reference's own, for one of its operations
}

// Latency is milliseconds; as the clients see it.
type Latency struct {
	P50  float64 `json:"p50"`
	P99  float64 `json:"p99"`
	P999 float64 `json:"p999"`
}

// Paced is what a fixed rate did, latencies counted from when each operation
// was due.
type Paced struct {
	Rate    float64 `json:"rate"`    // asked for
	Reached float64 `json:"reached"` // and reached
	Errors  int64   `json:"errors"`
	Latency Latency `json:"latency_ms"`
}

// Round is one turn of both sides, operations a second.
type Round struct {
	Rate    float64 `json:"rate"`
	RefRate float64 `json:"ref_rate"`
}

func latencyOf(all []time.Duration) Latency {
	slices.Sort(all)
	at := func(q float64) float64 {
		if len(all) == 0 {
			return 0
		}
		return ms(all[min(len(all)-1, int(q*float64(len(all))))])
	}
	return Latency{at(0.5), at(0.99), at(0.999)}
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// middle is the median, and half of the span of the middle half relative to it.
func middle(values []float64) (median, spread float64) {
	if len(values) == 0 {
		return 0, 0
	}
	sorted := slices.Sorted(slices.Values(values))
	at := func(q float64) float64 {
		x := q * float64(len(sorted)-1)
		low := int(math.Floor(x))
		high := min(low+1, len(sorted)-1)
		return sorted[low] + (sorted[high]-sorted[low])*(x-float64(low))
	}
	median = at(0.5)
	if median == 0 {
		return 0, 0
	}
	return median, (at(0.75) - at(0.25)) / 2 / median
}

// settle derives the medians from the rounds that both sides took part in.
func (r *Result) settle() {
	var rates, refs, ratios []float64
	for _, round := range r.Rounds {
		if round.Rate > 0 {
			rates = append(rates, round.Rate)
		}
		if round.RefRate > 0 {
			refs = append(refs, round.RefRate)
		}
		if round.Rate > 0 && round.RefRate > 0 {
			ratios = append(ratios, round.Rate/round.RefRate)
		}
	}
	r.Rate, _ = middle(rates)
	r.RefRate, r.RefNoise = middle(refs)
	r.Ratio, r.Noise = middle(ratios)
}
