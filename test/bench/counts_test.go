package bench

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Cost is what one operation takes.
type Cost struct {
	Instructions int64 `json:"instructions"`
	Allocations  int64 `json:"allocations"`
}

// Budget is what operations may take. File has it as JSON.
type Budget struct {
	About string `json:"about"`
	// Tolerance is how much more, in percent, is still the same: what repeats
	// differ by is less, what another version of Go changes may be more.
	Tolerance int64           `json:"tolerance_percent"`
	PerOp     map[string]Cost `json:"per_operation"`
}

// Judge compares what was counted with the budget. over is what fails; low is
// what should be written into the budget, because it leaves room to be lost
// again unseen.
func (b Budget) Judge(counted map[string]Cost) (over, low []string) {
	for name := range b.PerOp {
		if _, ok := counted[name]; !ok {
			over = append(over, name+" has a budget and was not counted")
		}
	}
	for name, c := range counted {
		allowed, ok := b.PerOp[name]
		if !ok {
			over = append(over, name+" was counted and has no budget")
			continue
		}
		for _, x := range []struct {
			what      string
			got, most int64
		}{{"instructions", c.Instructions, allowed.Instructions}, {"allocations", c.Allocations, allowed.Allocations}} {
			text := fmt.Sprintf("%s: %d %s, budget %d (%+.1f%%)", name, x.got, x.what, x.most, 100*(float64(x.got)/float64(x.most)-1))
			switch {
			case x.got*100 > x.most*(100+b.Tolerance):
				over = append(over, text)
			case x.got*100 < x.most*(100-b.Tolerance):
				low = append(low, text)
			}
		}
	}
	slices.Sort(over)
	slices.Sort(low)
	return over, low
}

// readDumps gives what callgrind counted up to each mark, the first first.
// What came after the last mark stands in a file without a number.
func readDumps(prefix string) ([]int64, error) {
	var out []int64
	for {
		raw, err := os.ReadFile(prefix + "." + strconv.Itoa(len(out)+1))
		switch {
		case errors.Is(err, fs.ErrNotExist) && len(out) > 0:
			return out, nil
		case err != nil:
			return nil, err
		}
		_, rest, ok := strings.Cut(string(raw), "\ntotals: ")
		line, _, _ := strings.Cut(rest, "\n")
		counted, err := strconv.ParseInt(line, 10, 64)
		if !ok || err != nil {
			return nil, fmt.Errorf("dump %d has no total", len(out)+1)
		}
		out = append(out, counted)
	}
}

func TestJudge(t *testing.T) {
	b := Budget{Tolerance: 10, PerOp: map[string]Cost{"place": {1000, 100}}}
	for name, c := range map[string]struct {
		counted   map[string]Cost
		over, low int
	}{
		"within":            {map[string]Cost{"place": {1100, 91}}, 0, 0},
		"more instructions": {map[string]Cost{"place": {1101, 100}}, 1, 0},
		"more allocations":  {map[string]Cost{"place": {1000, 111}}, 1, 0},
		"far below":         {map[string]Cost{"place": {899, 89}}, 0, 2},
		"not counted":       {map[string]Cost{}, 1, 0},
		"no budget":         {map[string]Cost{"place": {1000, 100}, "settle": {1, 1}}, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			over, low := b.Judge(c.counted)
			require.Len(t, over, c.over)
			require.Len(t, low, c.low)
		})
	}
}

func TestReadDumps(t *testing.T) {
	prefix := filepath.Join(t.TempDir(), "dump")
	_, err := readDumps(prefix)
	require.ErrorIs(t, err, fs.ErrNotExist)
	for suffix, text := range map[string]string{
		".1": "fn=(1) main.main\n1 100\n\ntotals: 100\n", ".2": "\ntotals: 207\n", ".10": "\ntotals: 8\n", "": "\ntotals: 9\n",
	} {
		require.NoError(t, os.WriteFile(prefix+suffix, []byte(text), 0o600))
	}
	got, err := readDumps(prefix)
	require.NoError(t, err)
	require.Equal(t, []int64{100, 207}, got)
	require.NoError(t, os.WriteFile(prefix+".3", []byte("fn=(1) main.main\n"), 0o600))
	_, err = readDumps(prefix)
	require.ErrorContains(t, err, "no total")
}
