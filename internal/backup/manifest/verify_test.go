package manifest_test

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/backup"
	"panshi/internal/backup/faultdest"
	"panshi/internal/backup/manifest"
	"panshi/internal/backup/seal"
	"panshi/internal/dirdest"
)

// place is a destination with a chain that a test writes by hand.
type place struct {
	*dirdest.Dest
	t     *testing.T
	dir   string
	keys  *seal.Keys
	sheet seal.Sheet
	head  manifest.Head
}

func newPlace(t *testing.T) *place {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "panshi-manifest-") //nolint:usetesting // waiting for a disk would be most of the time
	if err != nil {
		dir = t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	p := &place{t: t, dir: dir, head: manifest.Head{Chain: manifest.NewChain()}}
	p.Dest, err = dirdest.New(dirdest.Config{Dir: dir, SameDevice: true})
	require.NoError(t, err)
	p.keys, p.sheet, err = seal.New(seal.Options{Shop: "tea", Now: time.Unix(1_800_000_000, 0)})
	require.NoError(t, err)
	return p
}

// object seals and stores noise.
func (p *place) object(name string, size int) manifest.Entry {
	p.t.Helper()
	content := make([]byte, size)
	_, _ = rand.Read(content)
	var out bytes.Buffer
	s, err := p.keys.Seal(p.t.Context(), name, bytes.NewReader(content), &out)
	require.NoError(p.t, err)
	require.NoError(p.t, p.Put(p.t.Context(), name, backup.Bytes(out.Bytes())))
	return manifest.Entry{Name: name, Size: s.Size, SHA256: s.SHA256}
}

// link stores the next manifest.
func (p *place) link(m manifest.Manifest) {
	p.t.Helper()
	m.Chain, m.Number, m.Previous, m.Label = p.head.Chain, p.head.Number+1, p.head.SHA256, "a"
	if m.Base && m.Oldest == 0 {
		m.Oldest = m.Number
	}
	content, err := manifest.Encode(m, p.keys)
	require.NoError(p.t, err)
	require.NoError(p.t, p.Put(p.t.Context(), m.Name(), backup.Bytes(content)))
	p.head = manifest.HeadOf(m, content)
}

func segment(tx uint64) backup.Segment {
	return backup.Segment{Generation: 1, Min: tx, Max: tx, Time: time.UnixMilli(1_800_000_000_000 + int64(tx))}
}

// fill stores a full and n segments, and lists them in two bases and many deltas.
func (p *place) fill(n int) []manifest.Entry {
	p.t.Helper()
	full := segment(1)
	full.Level = backup.FullLevel
	all := []manifest.Entry{p.object(full.Name(), 2000)}
	p.link(manifest.Manifest{Base: true, Added: all})
	for i := range n {
		e := p.object(segment(uint64(i+2)).Name(), 100)
		all = append(all, e)
		if i == n/2 {
			p.link(manifest.Manifest{Base: true, Oldest: 1, Added: all})
		} else {
			p.link(manifest.Manifest{Added: []manifest.Entry{e}})
		}
	}
	return all
}

func (p *place) verify(o manifest.Options) manifest.Report {
	p.t.Helper()
	report, err := manifest.Verify(p.t.Context(), p, seal.Reader{Signer: p.sheet.Signer}, o)
	require.NoError(p.t, err)
	return report
}

// requireFinding wants a finding of that kind that names the name.
func (p *place) requireFinding(o manifest.Options, kind manifest.Kind, name string) {
	p.t.Helper()
	report := p.verify(o)
	found := slices.ContainsFunc(report.Findings, func(f manifest.Finding) bool { return f.Kind == kind && f.Name == name })
	require.True(p.t, found, "no %s of %s: %v", kind, name, report.Findings)
	require.True(p.t, backup.Is(report.Err(), "backup_destination_altered"))
}

func (p *place) path(name string) string { return filepath.Join(p.dir, filepath.FromSlash(name)) }

// rewrite changes an object behind the destination's back.
func (p *place) rewrite(name string, content []byte) {
	p.t.Helper()
	require.NoError(p.t, os.Remove(p.path(name)))
	require.NoError(p.t, os.WriteFile(p.path(name), content, 0o600))
}

func (p *place) read(name string) []byte {
	p.t.Helper()
	content, err := os.ReadFile(p.path(name))
	require.NoError(p.t, err)
	return content
}

func (p *place) names() []string {
	p.t.Helper()
	var out []string
	require.NoError(p.t, p.List(p.t.Context(), "", func(o backup.Object) error {
		out = append(out, o.Name)
		return nil
	}))
	slices.Sort(out)
	return out
}

// amount is how many cases a test tries: few in CI, all of them by night.
func amount(few, all int) int {
	if os.Getenv("PANSHI_TORTURE") == "long" {
		return all
	}
	return few
}

func TestASoundDestinationHasNoFindings(t *testing.T) {
	p := newPlace(t)
	all := p.fill(20)
	late := p.object(segment(22).Name(), 100)
	report := p.verify(manifest.Options{Label: "a", Expect: []manifest.Head{p.head}})
	require.NoError(t, report.Err())
	require.Equal(t, len(all), report.Objects)
	require.Equal(t, []string{late.Name}, report.Unlisted, "too new to be listed, and sound")
	require.Equal(t, []manifest.Head{p.head}, report.Heads)
}

// TestEveryFlippedByteIsSeen flips single bytes all over a destination, objects
// and manifests alike.
func TestEveryFlippedByteIsSeen(t *testing.T) {
	p := newPlace(t)
	p.fill(30)
	names := p.names()
	var weights []int
	total := 0
	for _, name := range names {
		total += len(p.read(name))
		weights = append(weights, total)
	}
	dice := newDice(t)
	tried := amount(80, 1000)
	for range tried {
		at := dice.upTo(total)
		i, _ := slices.BinarySearch(weights, at+1)
		name := names[i]
		honest := p.read(name)
		bad := bytes.Clone(honest)
		offset := at - (weights[i] - len(honest))
		bad[offset] ^= byte(1 + dice.upTo(255))
		p.rewrite(name, bad)
		report := p.verify(manifest.Options{})
		require.Error(t, report.Err(), "byte %d of %s", offset, name)
		require.True(t, slices.ContainsFunc(report.Findings, func(f manifest.Finding) bool { return f.Name == name }), "%s is not named: %v", name, report.Findings)
		p.rewrite(name, honest)
	}
	require.NoError(t, p.verify(manifest.Options{}).Err())
	t.Logf("%d of %d flips seen over %d bytes", tried, tried, total)
}

// TestAnyMissingObjectIsNamed takes one of 500 segments away.
func TestAnyMissingObjectIsNamed(t *testing.T) {
	p := newPlace(t)
	all := p.fill(500)
	dice := newDice(t)
	for i := range all {
		if dice.upTo(500) >= amount(12, 500) {
			continue
		}
		name := all[i].Name
		honest := p.read(name)
		require.NoError(t, os.Remove(p.path(name)))
		p.requireFinding(manifest.Options{}, manifest.Missing, name)
		require.NoError(t, os.WriteFile(p.path(name), honest, 0o600))
	}
}

// dice are random numbers by a printed seed.
type dice struct{ state uint64 }

func newDice(t *testing.T) *dice {
	t.Helper()
	var raw [8]byte
	_, err := rand.Read(raw[:])
	require.NoError(t, err)
	d := &dice{binary.LittleEndian.Uint64(raw[:]) | 1}
	t.Log("seed", d.state)
	return d
}

func (d *dice) upTo(n int) int {
	d.state ^= d.state << 13
	d.state ^= d.state >> 7
	d.state ^= d.state << 17
	return int(d.state % uint64(n))
}

func TestEveryKindOfTamperingIsSeen(t *testing.T) {
	full := func(p *place) string { return p.names()[len(p.names())-1] }
	cases := []struct {
		name   string
		tamper func(p *place, all []manifest.Entry) (kind manifest.Kind, named string)
	}{
		{"an object cut", func(p *place, all []manifest.Entry) (manifest.Kind, string) {
			p.rewrite(all[5].Name, p.read(all[5].Name)[:50])
			return manifest.Altered, all[5].Name
		}},
		{"an object emptied", func(p *place, all []manifest.Entry) (manifest.Kind, string) {
			p.rewrite(full(p), nil)
			return manifest.Altered, full(p)
		}},
		{"two objects swapped", func(p *place, all []manifest.Entry) (manifest.Kind, string) {
			one, two := p.read(all[3].Name), p.read(all[4].Name)
			p.rewrite(all[3].Name, two)
			p.rewrite(all[4].Name, one)
			return manifest.Altered, all[3].Name
		}},
		{"an object doubled under a later name", func(p *place, all []manifest.Entry) (manifest.Kind, string) {
			name := segment(99).Name()
			require.NoError(p.t, p.Put(p.t.Context(), name, backup.Bytes(p.read(all[3].Name))))
			return manifest.Forged, name
		}},
		{"a stranger's object", func(p *place, _ []manifest.Entry) (manifest.Kind, string) {
			name := segment(99).Name()
			require.NoError(p.t, p.Put(p.t.Context(), name, backup.Bytes([]byte("hello"))))
			return manifest.Forged, name
		}},
		{"an older sealing of the same name", func(p *place, all []manifest.Entry) (manifest.Kind, string) {
			require.NoError(p.t, os.Remove(p.path(all[7].Name)))
			p.object(all[7].Name, 100)
			return manifest.Altered, all[7].Name
		}},
		{"a manifest in the middle gone", func(p *place, _ []manifest.Entry) (manifest.Kind, string) {
			name := manifest.Head{Chain: p.head.Chain, Number: p.head.Number - 3}.Name()
			require.NoError(p.t, os.Remove(p.path(name)))
			return manifest.ManifestMissing, name
		}},
		{"the oldest manifest gone", func(p *place, _ []manifest.Entry) (manifest.Kind, string) {
			name := manifest.Head{Chain: p.head.Chain, Number: 1}.Name()
			require.NoError(p.t, os.Remove(p.path(name)))
			return manifest.ManifestMissing, name
		}},
		{"two manifests swapped", func(p *place, _ []manifest.Entry) (manifest.Kind, string) {
			one := manifest.Head{Chain: p.head.Chain, Number: p.head.Number - 2}.Name()
			two := manifest.Head{Chain: p.head.Chain, Number: p.head.Number - 1}.Name()
			a, b := p.read(one), p.read(two)
			p.rewrite(one, b)
			p.rewrite(two, a)
			return manifest.ManifestAltered, one
		}},
		{"a manifest signed by a stranger", func(p *place, _ []manifest.Entry) (manifest.Kind, string) {
			stranger, _, err := seal.New(seal.Options{})
			require.NoError(p.t, err)
			m := manifest.Manifest{Chain: p.head.Chain, Number: p.head.Number + 1, Previous: p.head.SHA256, Base: true}
			content, err := manifest.Encode(m, stranger)
			require.NoError(p.t, err)
			require.NoError(p.t, p.Put(p.t.Context(), m.Name(), backup.Bytes(content)))
			return manifest.ManifestAltered, m.Name()
		}},
		{"all set back in time", func(p *place, all []manifest.Entry) (manifest.Kind, string) {
			require.NoError(p.t, os.Remove(p.path(p.head.Name())))
			require.NoError(p.t, os.Remove(p.path(all[len(all)-1].Name)))
			return manifest.SetBack, p.head.Name()
		}},
		{"another destination's chain", func(p *place, _ []manifest.Entry) (manifest.Kind, string) {
			m := manifest.Manifest{Chain: manifest.NewChain(), Number: 1, Label: "b", Base: true, Oldest: 1}
			content, err := manifest.Encode(m, p.keys)
			require.NoError(p.t, err)
			require.NoError(p.t, p.Put(p.t.Context(), m.Name(), backup.Bytes(content)))
			return manifest.WrongPlace, m.Name()
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			p := newPlace(t)
			all := p.fill(20)
			o := manifest.Options{Label: "a", Expect: []manifest.Head{p.head}}
			require.NoError(t, p.verify(o).Err())
			kind, name := c.tamper(p, all)
			p.requireFinding(o, kind, name)
		})
	}
}

// TestAChainThatForksIsSeen: a cloned machine writes its own next manifest.
func TestAChainThatForksIsSeen(t *testing.T) {
	p := newPlace(t)
	p.fill(5)
	fork := p.head
	p.link(manifest.Manifest{})
	p.link(manifest.Manifest{})
	m := manifest.Manifest{Chain: fork.Chain, Number: fork.Number + 1, Previous: fork.SHA256, Label: "a", Removed: []string{"x"}}
	content, err := manifest.Encode(m, p.keys)
	require.NoError(t, err)
	p.rewrite(m.Name(), content)
	p.requireFinding(manifest.Options{}, manifest.ChainBroken, p.head.Name())
}

// TestAGapBetweenListedSegmentsIsSeen: a shop that lost a segment before it could
// send it must not call the rest restorable.
func TestAGapBetweenListedSegmentsIsSeen(t *testing.T) {
	p := newPlace(t)
	all := p.fill(5)
	p.link(manifest.Manifest{Added: []manifest.Entry{p.object(segment(9).Name(), 100)}})
	p.requireFinding(manifest.Options{}, manifest.Gap, all[0].Name)
}

func TestAnUnfinishedLookIsNoVerdict(t *testing.T) {
	p := newPlace(t)
	p.fill(20)
	for _, rule := range []faultdest.Rule{
		{Op: faultdest.Get, Fault: faultdest.Down, Match: func(name string) bool { return strings.HasPrefix(name, "seg/") }},
		{Op: faultdest.Get, Fault: faultdest.ShortRead},
		{Op: faultdest.List, Fault: faultdest.Down},
		{Op: faultdest.Get, Fault: faultdest.Refused},
	} {
		d := faultdest.New(p)
		require.NoError(t, d.Set(t.Context(), rule))
		_, err := manifest.Verify(t.Context(), d, p.keys.Reader(), manifest.Options{})
		require.Error(t, err, fmt.Sprint(rule.Fault))
	}
}

// TestAListingThatLagsHidesNoManifest: the newest ones are asked for by name.
func TestAListingThatLagsHidesNoManifest(t *testing.T) {
	p := newPlace(t)
	p.fill(3)
	d := faultdest.New(p)
	require.NoError(t, d.Set(t.Context(), faultdest.Rule{Op: faultdest.List, Fault: faultdest.Stale}))
	p.link(manifest.Manifest{Added: []manifest.Entry{p.object(segment(5).Name(), 100)}})
	report, err := manifest.Verify(t.Context(), d, p.keys.Reader(), manifest.Options{Expect: []manifest.Head{p.head}})
	require.NoError(t, err)
	require.NoError(t, report.Err())
	require.Equal(t, 5, report.Objects)
}

func TestSumsTellWhatDiffers(t *testing.T) {
	p := newPlace(t)
	was := manifest.Sums{
		Tx: 7, Rows: map[string]int64{"orders": 3}, Ledger: map[string]manifest.Total{"2026-05-03 suspense CNY": {Count: 2}},
		Orders: map[string]manifest.Total{"2026-05-03 m CNY": {Count: 3, Amount: 2970}, "2026-05-04 m CNY": {Count: 1, Amount: 5}},
	}
	m := manifest.Manifest{Chain: p.head.Chain, Number: 1, Label: "a", Base: true, Oldest: 1}
	var err error
	m.Sums, err = manifest.SealSums(t.Context(), p.keys, manifest.Head{Chain: m.Chain, Number: 1}, was)
	require.NoError(t, err)
	require.NotContains(t, string(m.Sums), "2970")
	got, err := m.Opened(p.sheet.Reader())
	require.NoError(t, err)
	require.Empty(t, was.Differences(got))

	got.Orders["2026-05-03 m CNY"] = manifest.Total{Count: 3, Amount: 2969}
	require.Equal(t, []string{"orders of 2026-05-03 m CNY: 3 for 2969 instead of 3 for 2970"}, was.Differences(got), "the day, and by how much")
	got.Orders["2026-05-04 m CNY"] = manifest.Total{Count: 2, Amount: 6}
	require.Len(t, was.Differences(got), 2)
	for at, differ := range map[string]int{"2026-05-04T00:59:59Z": 0, "2026-05-04T01:00:00Z": 1, "2026-05-05T01:00:00Z": 2} {
		when, err := time.Parse(time.RFC3339, at)
		require.NoError(t, err)
		require.Len(t, was.Settled(when).Differences(got.Settled(when)), differ, "days that are closed at %s", at)
	}
	m.Number = 2
	_, err = m.Opened(p.sheet.Reader())
	require.True(t, backup.Is(err, "backup_object_damaged"), "sums of another manifest: %v", err)
}
