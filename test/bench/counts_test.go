package bench

import (
	"bufio"
	"errors"
	"fmt"
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

// dump is one dump of callgrind: what all threads counted up to a mark.
type dump struct {
	part    int // 1 for the first
	counted int64
}

// readDumps adds the threads of each dump up, but for the runtime's watcher:
// that one wakes by the clock, and so counts how long the run took and not how
// much work it was.
func readDumps(prefix string) ([]dump, error) {
	names, err := filepath.Glob(prefix + ".*")
	if err != nil || len(names) == 0 {
		return nil, errors.Join(err, errors.New("callgrind left no dumps"))
	}
	sums := map[int]int64{}
	for _, name := range names {
		number, _, _ := strings.Cut(strings.TrimPrefix(name, prefix+"."), "-")
		part, err := strconv.Atoi(number)
		if err != nil {
			continue // "out-01" and the like: what came after the last mark
		}
		counted, watcher, err := readDump(name)
		if err != nil {
			return nil, err
		}
		if !watcher {
			sums[part] += counted
		}
	}
	var out []dump
	for part, counted := range sums {
		out = append(out, dump{part, counted})
	}
	slices.SortFunc(out, func(a, b dump) int { return a.part - b.part })
	return out, nil
}

func readDump(name string) (counted int64, watcher bool, err error) {
	file, err := os.Open(name)
	if err != nil {
		return 0, false, err
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	counted = -1
	for lines.Scan() {
		line := lines.Text()
		if rest, ok := strings.CutPrefix(line, "totals: "); ok {
			if counted, err = strconv.ParseInt(strings.TrimSpace(rest), 10, 64); err != nil {
				return 0, false, err
			}
		}
		watcher = watcher || strings.HasSuffix(line, "runtime.sysmon")
	}
	if err := lines.Err(); err != nil {
		return 0, false, err
	}
	if counted < 0 {
		return 0, false, fmt.Errorf("%s has no total", name)
	}
	return counted, watcher, nil
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

// The watcher's thread does not count, nor what comes after the last mark.
func TestReadDumps(t *testing.T) {
	prefix := filepath.Join(t.TempDir(), "dump")
	for suffix, text := range map[string]string{
		".1-01": "fn=(1) main.main\ntotals: 100\n",
		".2-01": "fn=(1) main.main\ntotals: 200\n",
		".2-02": "fn=(9) runtime.sysmon\ntotals: 5000\n",
		".2-03": "fn=(3) runtime.mstart\ntotals: 7\n",
		"-01":   "totals: 9\n",
	} {
		require.NoError(t, os.WriteFile(prefix+suffix, []byte(text), 0o600))
	}
	got, err := readDumps(prefix)
	require.NoError(t, err)
	require.Equal(t, []dump{{1, 100}, {2, 207}}, got)
	require.NoError(t, os.WriteFile(prefix+".3-01", []byte("fn=(1) main.main\n"), 0o600))
	_, err = readDumps(prefix)
	require.ErrorContains(t, err, "no total")
}
