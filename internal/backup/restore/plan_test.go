package restore_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"panshi/internal/backup/restore"
	"panshi/internal/backup/spool"
	"panshi/internal/errs"
)

// epoch is when transaction 0 would have been; each later one is a second on.
var epoch = time.UnixMilli(1764179912345).UTC()

func at(transaction uint64) time.Time { return epoch.Add(time.Duration(transaction) * time.Second) }

// files makes files of one generation from "level:first-last" words.
func files(t testing.TB, generation string, words string) []spool.File {
	t.Helper()
	var out []spool.File
	for word := range strings.FieldsSeq(words) {
		var f spool.File
		level, span, _ := strings.Cut(word, ":")
		first, last, _ := strings.Cut(span, "-")
		f.Level, f.First, f.Last = number(level), uint64(number(first)), uint64(number(last))
		f.Generation, f.Time, f.Size = generation, at(f.Last), 1
		out = append(out, spool.Named(f))
	}
	slices.SortFunc(out, func(a, b spool.File) int { return strings.Compare(string(a.Name), string(b.Name)) })
	return out
}

func number(s string) (n int) {
	for _, c := range s {
		n = n*10 + int(c-'0')
	}
	return n
}

const (
	oldGeneration = "00000001-0123abcd"
	newGeneration = "00000002-89abcdef"
)

func spans(plan restore.Plan) string {
	var words []string
	for _, f := range plan.Files {
		words = append(words, strings.TrimSuffix(string(f.Name[18:]), ".ltx")[:1]+":"+itoa(f.First)+"-"+itoa(f.Last))
	}
	return strings.Join(words, " ")
}

func itoa(n uint64) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return itoa(n/10) + itoa(n%10)
}

func TestPlans(t *testing.T) {
	for _, c := range []struct {
		name, have, goal, want, code string
	}{
		{"newest of changes", "0:1-1 0:2-2 0:3-3", "", "0:1-1 0:2-2 0:3-3", ""},
		{"longest steps", "0:1-1 0:2-2 0:3-3 0:4-4 1:1-3", "", "1:1-3 0:4-4", ""},
		{"from the newest whole copy", "0:1-1 0:2-2 0:3-3 0:4-4 0:5-5 9:1-4", "", "9:1-4 0:5-5", ""},
		{"not beyond the time", "0:1-1 0:2-2 0:3-3 1:1-3 9:1-3", "2", "0:1-1 0:2-2", ""},
		{"the beginning is gone and not needed", "0:4-4 0:5-5 1:3-3 9:1-3", "", "9:1-3 0:4-4 0:5-5", ""},
		{"a hole", "0:1-1 0:2-2 0:4-4", "", "", "restore_gap"},
		{"a hole that a merged file fills", "0:1-1 0:2-2 0:4-4 1:1-3", "", "1:1-3 0:4-4", ""},
		{"a hole that hides the time", "0:1-1 0:2-2 0:4-4 1:1-4", "3", "", "restore_gap"},
		{"half minutes where seconds are gone", "1:1-3 1:4-6 0:6-6 0:7-7", "5", "1:1-3", ""},
		{"a half minute that is gone", "1:1-3 1:7-9 0:9-9", "5", "", "restore_gap"},
		{"a hole just after the time", "0:1-1 0:2-2 0:4-4", "3", "", "restore_gap"},
		{"a hole long before the whole copy", "0:1-1 0:3-3 0:4-4 0:5-5 9:1-4", "", "9:1-4 0:5-5", ""},
		{"no whole copy", "0:2-2 0:3-3", "", "", "restore_gap"},
		{"nothing", "", "", "", "restore_nothing"},
		{"nothing so old", "0:5-5", "3", "", "restore_nothing"},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := restore.Target{}
			if c.goal != "" {
				want.At = at(uint64(number(c.goal)))
			}
			plan, err := restore.Make(files(t, oldGeneration, c.have), want)
			if c.code != "" {
				require.Equal(t, c.code, errs.CodeOf(err), "%v", err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.want, spans(plan))
		})
	}
}

func TestTheGenerationOfTheTime(t *testing.T) {
	all := slices.Concat(files(t, oldGeneration, "0:1-1 0:2-2 0:3-3 0:9-9"), files(t, newGeneration, "0:1-1"))
	last := &all[len(all)-1]
	last.Time = at(20)
	*last = spool.Named(*last)
	_, err := restore.Make(all, restore.Target{At: at(19)})
	require.Equal(t, "restore_gap", errs.CodeOf(err), "the old one has a hole")
	plan, err := restore.Make(all, restore.Target{At: at(21)})
	require.NoError(t, err)
	require.Equal(t, newGeneration, plan.Generation)
	require.Equal(t, time.Second, plan.Lost)
	plan, err = restore.Make(all, restore.Target{At: at(2)})
	require.NoError(t, err)
	require.Equal(t, oldGeneration, plan.Generation)
}

// The whole copy of a new generation takes its time to a destination. As long as
// it is on the way, the generation before it is what comes back, and the plan says
// that something younger is there.
func TestAGenerationWhoseWholeCopyIsOnTheWay(t *testing.T) {
	old, young := files(t, oldGeneration, "0:1-1 0:2-2"), files(t, newGeneration, "0:2-2 0:3-3")
	plan, err := restore.Make(slices.Concat(old, young), restore.Target{})
	require.NoError(t, err)
	require.Equal(t, oldGeneration, plan.Generation)
	require.Equal(t, newGeneration, plan.Unborn)
	plan, err = restore.Make(slices.Concat(old, files(t, newGeneration, "0:1-1 0:2-2 0:3-3")), restore.Target{})
	require.NoError(t, err)
	require.Equal(t, newGeneration, plan.Generation)
	require.Empty(t, plan.Unborn)
	_, err = restore.Make(slices.Concat(old, files(t, newGeneration, "0:1-1 0:3-3")), restore.Target{})
	require.Equal(t, "restore_gap", errs.CodeOf(err), "one with a hole is not passed over")
	_, err = restore.Make(young, restore.Target{})
	require.Equal(t, "restore_gap", errs.CodeOf(err))
}

// A gap names the files around it.
func TestAGapIsNamed(t *testing.T) {
	all := files(t, oldGeneration, "0:1-1 0:2-2 0:4-4")
	_, err := restore.Make(all, restore.Target{})
	require.ErrorContains(t, err, "0000000000000003")
	require.ErrorContains(t, err, string(all[1].Name))
	require.ErrorContains(t, err, string(all[2].Name))
}

// Whatever files there are, a plan is a chain from a whole copy to the goal.
func TestAPlanIsAChain(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		var all []spool.File
		for range rapid.IntRange(0, 30).Draw(r, "n") {
			first := rapid.Uint64Range(1, 12).Draw(r, "first")
			f := spool.File{
				Generation: oldGeneration, Level: rapid.IntRange(0, 9).Draw(r, "level"), First: first,
				Last: first + rapid.Uint64Range(0, 6).Draw(r, "length"), Size: 1,
			}
			f.Time = at(f.Last)
			all = append(all, spool.Named(f))
		}
		slices.SortFunc(all, func(a, b spool.File) int { return strings.Compare(string(a.Name), string(b.Name)) })
		all = slices.CompactFunc(all, func(a, b spool.File) bool { return a.Name == b.Name })
		want := restore.Target{At: at(rapid.Uint64Range(1, 20).Draw(r, "goal"))}
		plan, err := restore.Make(all, want)
		if err != nil {
			return
		}
		reached := uint64(0)
		for _, f := range plan.Files {
			if f.First > reached+1 || f.Last <= reached || f.Time.After(want.At) {
				r.Fatalf("%s does not follow %d", f.Name, reached)
			}
			reached = f.Last
		}
		if len(plan.Files) == 0 || !plan.Files[0].Whole() || reached != plan.Transaction {
			r.Fatal("not whole, or not at the goal")
		}
	})
}
