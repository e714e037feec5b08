package recovery

import (
	"context"
	"encoding/json"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/app"
	"panshi/internal/backup"
	"panshi/internal/backup/lease"
	"panshi/internal/backup/manifest"
	"panshi/internal/backup/seal"
	"panshi/internal/dirdest"
	"panshi/internal/errs"
	"panshi/test/kit"
)

// evidence is a destination as the real program made it, with what a shop and a
// sheet know of it.
type evidence struct {
	t      *testing.T
	dir    string
	dest   backup.Destination
	sheet  seal.Sheet
	expect []manifest.Head
	names  []string // of all objects, sorted
	ends   []int    // the sum of their sizes up to each
}

// collect has a shop sell and copy itself until every object stands in a
// manifest, and stops it.
func collect(t *testing.T) *evidence {
	t.Helper()
	c, sku, _ := copied(t, 300)
	for n := range amount(12, 60) {
		_, err := c.Client().Place(t.Context(), buyer(10+n), one(sku))
		require.NoError(t, err)
		time.Sleep(time.Duration(amount(120, 1100)) * time.Millisecond) // a file a second
	}
	c.AwaitCopied()
	e := &evidence{t: t, dir: c.Nas}
	text, err := os.ReadFile(c.Sheet)
	require.NoError(t, err)
	e.sheet, err = seal.ParseSheet(string(text))
	require.NoError(t, err)
	e.dest, err = dirdest.New(dirdest.Config{Dir: c.Nas, SameDevice: true})
	require.NoError(t, err)
	require.Eventually(t, func() bool { return len(e.verify().Unlisted) == 0 }, 30*time.Second, 500*time.Millisecond)
	e.expect = heads(t, c.Shop)
	c.Kill()
	e.measure()
	require.NoError(t, e.verify().Err())
	return e
}

// heads are the manifests that the shop knows to be the newest.
func heads(t *testing.T, shop *kit.Shop) []manifest.Head {
	t.Helper()
	var told struct {
		Destinations []struct {
			Chain  string        `json:"chain"`
			Number uint64        `json:"manifest"`
			SHA256 backup.Digest `json:"manifest_sha256"`
		} `json:"destinations"`
	}
	r := shop.Run("backup", "status", "--json")
	require.NoError(t, json.Unmarshal([]byte(r.Out), &told), r.Out)
	require.Len(t, told.Destinations, 1)
	d := told.Destinations[0]
	require.Positive(t, d.Number)
	return []manifest.Head{{Chain: d.Chain, Number: d.Number, SHA256: d.SHA256}}
}

func (e *evidence) measure() {
	require.NoError(e.t, e.dest.List(e.t.Context(), "", func(o backup.Object) error {
		e.names = append(e.names, o.Name)
		return nil
	}))
	slices.Sort(e.names)
	total := 0
	kinds := map[string]int{}
	for _, name := range e.names {
		total += len(e.read(name))
		e.ends = append(e.ends, total)
		kind, _, _ := strings.Cut(name, "/")
		kinds[kind]++
	}
	e.t.Logf("%d bytes in %v", total, kinds)
	require.GreaterOrEqual(e.t, len(kinds), 3, "segments, bundles, manifests")
}

func (e *evidence) verify() manifest.Report {
	e.t.Helper()
	report, err := manifest.Verify(e.t.Context(), e.dest, seal.Reader{Signer: e.sheet.Signer}, manifest.Options{Label: "nas", Expect: e.expect})
	require.NoError(e.t, err)
	forged, err := lease.Unsigned(e.t.Context(), e.dest, e.sheet.Signer)
	require.NoError(e.t, err)
	for _, name := range forged {
		report.Findings = append(report.Findings, manifest.Finding{Kind: manifest.Forged, Name: name})
	}
	return report
}

func (e *evidence) path(name string) string { return filepath.Join(e.dir, filepath.FromSlash(name)) }

func (e *evidence) read(name string) []byte {
	e.t.Helper()
	content, err := os.ReadFile(e.path(name))
	require.NoError(e.t, err)
	return content
}

// write puts content in the place of an object; nil removes it.
func (e *evidence) write(name string, content []byte) {
	e.t.Helper()
	if err := os.Remove(e.path(name)); err != nil {
		require.ErrorIs(e.t, err, os.ErrNotExist)
	}
	if content != nil {
		require.NoError(e.t, os.WriteFile(e.path(name), content, 0o600))
	}
}

// restored restores into a directory that is thrown away. Whatever it ends with,
// it ends before a database is begun.
func (e *evidence) restored() error {
	e.t.Helper()
	to := filepath.Join(e.t.TempDir(), "to")
	cfg, err := app.Load(app.Flags{Data: to})
	require.NoError(e.t, err)
	applied := false
	_, err = app.Restore(context.WithoutCancel(e.t.Context()), cfg, app.RestoreRequest{From: e.dir, Sheet: &e.sheet},
		slog.New(slog.DiscardHandler), func(step string, _, _ int64) { applied = applied || step == "apply" || step == "check" })
	if err != nil {
		require.NoDirExists(e.t, to)
		require.False(e.t, applied, "it began to write before it failed: %v", err)
	}
	return err
}

// requireSeen wants verification to tell, and a restore either to refuse by
// integrity, or not to need what was harmed.
func (e *evidence) requireSeen(what string, restoring bool) (refused bool) {
	e.t.Helper()
	require.Error(e.t, e.verify().Err(), what)
	if !restoring {
		return false
	}
	err := e.restored()
	if err != nil {
		require.Equal(e.t, errs.Integrity, errs.KindOf(err), "%s: %v", what, err)
	}
	return err != nil
}

// pick gives a random object, each byte of the destination as likely as another.
func (e *evidence) pick(dice *rand.Rand) (name string, at int) {
	n := dice.IntN(e.ends[len(e.ends)-1])
	i, _ := slices.BinarySearch(e.ends, n+1)
	before := 0
	if i > 0 {
		before = e.ends[i-1]
	}
	return e.names[i], n - before
}

// Every flipped byte of a destination that the real program made is seen: half of
// them by where the bytes are, half by object, so that small ones have their
// share. A manifest and a segment that a restore needs are refused by it, too.
func TestEveryFlippedByteOfADestinationIsSeen(t *testing.T) {
	dice := seeded(t)
	e := collect(t)
	tried, restores, refused := amount(50, 1000), 0, 0
	for i := range tried {
		name, at := e.pick(dice)
		if i%2 == 0 {
			name = e.names[dice.IntN(len(e.names))]
			at = dice.IntN(len(e.read(name)))
		}
		honest := e.read(name)
		bad := slices.Clone(honest)
		bad[at] ^= byte(1 + dice.IntN(255))
		e.write(name, bad)
		restoring := i%10 == 0
		if restoring {
			restores++
		}
		if e.requireSeen(name, restoring) {
			refused++
		}
		e.write(name, honest)
	}
	require.NoError(t, e.verify().Err(), "all is as it was")
	require.NoError(t, e.restored())
	t.Logf("%d of %d flips seen; %d of %d restores refused, the others did not need the object", tried, tried, refused, restores)
}

// Objects of every kind are taken away, cut, emptied, exchanged, doubled and put
// in another order: each is seen.
func TestEveryTamperedObjectOfADestinationIsSeen(t *testing.T) {
	dice := seeded(t)
	e := collect(t)
	for i := range amount(24, 200) {
		// Each kind of object in turn.
		kind := []string{"seg/", "manifest/", "box/"}[i%3]
		var of []string
		for _, name := range e.names {
			if strings.HasPrefix(name, kind) {
				of = append(of, name)
			}
		}
		e.tamper(dice, (i/3)%5, of)
	}
	require.NoError(t, e.verify().Err(), "all is as it was")
	require.NoError(t, e.restored())
}

// free is a name that is another one in its last digit and stands for nothing.
func (e *evidence) free(name string) string {
	e.t.Helper()
	for _, digit := range "0123456789" {
		next := name[:len(name)-1] + string(digit)
		if _, err := os.Stat(e.path(next)); os.IsNotExist(err) {
			return next
		}
	}
	e.t.Fatal("every digit is taken: " + name)
	return ""
}

// tamper does one thing to one of some objects, and takes it back.
func (e *evidence) tamper(dice *rand.Rand, how int, of []string) {
	e.t.Helper()
	name := of[dice.IntN(len(of))]
	other := e.names[dice.IntN(len(e.names))]
	for other == name {
		other = e.names[dice.IntN(len(e.names))]
	}
	one, two := e.read(name), e.read(other)
	what := name
	switch how {
	case 0:
		e.write(name, nil)
	case 1:
		e.write(name, one[:dice.IntN(len(one))])
	case 2:
		e.write(name, two)
		what += " replaced by " + other
	case 3:
		e.write(name, two)
		e.write(other, one)
		what += " exchanged with " + other
	default:
		next := e.free(name)
		e.write(next, one)
		require.Error(e.t, e.verify().Err(), "%s doubled as %s", name, next)
		e.write(next, nil)
		return
	}
	e.requireSeen(what, dice.IntN(4) == 0)
	e.write(name, one)
	e.write(other, two)
}
