package bench

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// Text writes a report for people.
func (r Report) Text(w io.Writer) error {
	fmt.Fprintf(w, "panshi bench  %s  %s  %s  %s\n", r.Date.Format(time.RFC3339), r.Build.Version, r.Build.Commit, r.Build.Go)
	fmt.Fprintf(w, "%s; %s, %d cores, %d MB; %s; load before: %s\n", r.Engine, r.Machine.CPU, r.Machine.Cores, r.Machine.MemoryMB,
		r.Machine.System, r.LoadAvg)
	fmt.Fprintf(w, "%d clients, %g s in %d rounds a side, load generator on the same cores; took %.0f s\n\n", r.Clients, r.Seconds, r.Rounds, r.TookS)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "scenario\tsize\tops/s\tref/s\tratio\t±\tp50 ms\tp99\tp99.9\tCPU µs: shop\tload\tdb\tref\terrors\tothers\t")
	for _, x := range r.Results {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%.3f\t%.1f%%\t%.2f\t%.2f\t%.2f\t%s\t%s\t%s\t%s\t%d\t%.0f%%\t\n", x.Scenario, short(x.Size),
			short3(x.Rate), short3(x.RefRate), x.Ratio, x.Noise*100, x.Latency.P50, x.Latency.P99, x.Latency.P999,
			short3(x.CPU.Shop), short3(x.CPU.Load), short3(x.CPU.DB), short3(x.CPU.Ref), x.Errors, (x.Others+x.Stolen)*100)
		if p := x.At80; p != nil {
			fmt.Fprintf(t, "at 80%%\t%s\t%s\t\t\t\t%.2f\t%.2f\t%.2f\t\t\t\t\t%d\t\t\n", short(x.Size), short3(p.Reached),
				p.Latency.P50, p.Latency.P99, p.Latency.P999, p.Errors)
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	r.figures(w)
	for _, p := range r.Problems {
		fmt.Fprintln(w, "problem: "+p)
	}
	return nil
}

func (r Report) figures(w io.Writer) {
	fmt.Fprintln(w)
	for _, f := range r.Figures {
		fmt.Fprintf(w, "%-16s %5s  %9.1f %s  %s\n", f.Name, short(f.Size), f.Value, f.Unit, f.About)
	}
	low, high := span(r.SpinMS)
	if low > 0 {
		fmt.Fprintf(w, "%-16s        %9.2f ms  a fixed piece of work, the best of each time; the slowest took %.0f%% longer\n", "spin", low, (high/low-1)*100)
	}
}

func span(values []float64) (low, high float64) {
	low = math.Inf(1)
	for _, v := range values {
		low, high = min(low, v), max(high, v)
	}
	if len(values) == 0 {
		low = 0
	}
	return low, high
}

// short writes a size as it is given: 1e3, 1e5.
func short(n int64) string {
	if n == 0 {
		return ""
	}
	text := strconv.FormatFloat(float64(n), 'e', -1, 64)
	return strings.Replace(strings.Replace(text, "e+0", "e", 1), "e+", "e", 1)
}

// short3 writes three digits of a number, more only before the point.
func short3(v float64) string {
	switch {
	case v == 0:
		return "-"
	case math.Abs(v) >= 100:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case math.Abs(v) >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return strconv.FormatFloat(v, 'f', 2, 64)
}
