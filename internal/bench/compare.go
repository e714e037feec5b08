package bench

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// Change is how one scenario moved from an old report to a new one.
type Change struct {
	Scenario   string  `json:"scenario"`
	Size       int64   `json:"size"`
	Old        float64 `json:"old"` // ratios
	New        float64 `json:"new"`
	Relative   float64 `json:"relative"` // new/old - 1; below zero is slower
	Noise      float64 `json:"noise"`    // of both ratios together
	Beyond     bool    `json:"beyond"`   // the change is larger than the noise
	Regression bool    `json:"regression"`
}

// Compare tells how the ratios of two reports of one engine differ. A change is
// a regression if it is beyond the noise and more than failOver (0.1 for 10%).
// Scenarios that only one of them has are left out.
func Compare(old, fresh Report, failOver float64) []Change {
	out := []Change{}
	for _, n := range fresh.Results {
		for _, o := range old.Results {
			if o.Scenario != n.Scenario || o.Size != n.Size || o.Ratio <= 0 {
				continue
			}
			c := Change{Scenario: n.Scenario, Size: n.Size, Old: o.Ratio, New: n.Ratio, Relative: n.Ratio/o.Ratio - 1}
			c.Noise = o.Noise + n.Noise
			c.Beyond = max(c.Relative, -c.Relative) > c.Noise
			c.Regression = c.Beyond && c.Relative < -failOver
			out = append(out, c)
		}
	}
	return out
}

// TellChanges writes changes for people.
func TellChanges(w io.Writer, changes []Change) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "\nscenario\tsize\told ratio\tnew ratio\tchange\tnoise\t\t")
	for _, c := range changes {
		verdict := "within noise"
		switch {
		case c.Regression:
			verdict = "REGRESSION"
		case c.Beyond && c.Relative < 0:
			verdict = "slower"
		case c.Beyond:
			verdict = "faster"
		}
		fmt.Fprintf(t, "%s\t%s\t%.3f\t%.3f\t%+.1f%%\t±%.1f%%\t%s\t\n", c.Scenario, short(c.Size), c.Old, c.New, c.Relative*100, c.Noise*100, verdict)
	}
	return t.Flush()
}
