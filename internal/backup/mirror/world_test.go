package mirror_test

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/backup"
	"panshi/internal/backup/backuptest"
	"panshi/internal/backup/faultdest"
	"panshi/internal/backup/manifest"
	"panshi/internal/backup/mirror"
	"panshi/internal/backup/mirror/mirrortest"
	"panshi/internal/backup/seal"
	"panshi/internal/clock"
	"panshi/internal/dirdest"
)

// memory gives a directory in memory where there is one: what a sync keeps is
// tried elsewhere (test/powerloss), and waiting for a disk would be most of what
// these tests do.
func memory(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "panshi-mirror-") //nolint:usetesting // t.TempDir is on a disk
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// shifted is a clock that is wrong by a time that a test sets.
type shifted struct {
	mu sync.Mutex
	by time.Duration // guarded by mu
}

func (s *shifted) Now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return clock.System{}.Now().Add(s.by)
}

func (s *shifted) shift(by time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.by = by
}

// place is one destination of a world.
type place struct {
	dir  string
	real *dirdest.Dest
	*faultdest.Dest
}

// world is a shop's spool, its mirror, and destinations that can fail.
type world struct {
	t      *testing.T
	spool  mirrortest.Spool
	state  string
	keys   *seal.Keys
	sheet  seal.Sheet
	clock  *shifted
	places map[string]*place
	labels []string
	cfg    mirror.Config

	m    *mirror.Mirror
	stop func()

	mu     sync.Mutex
	alerts []mirror.Alert // guarded by mu
	wanted []string       // guarded by mu: labels that asked for a full

	dice       *backuptest.Dice
	unsure     bool   // the spool does not know whether it has everything
	tx         uint64 // last transaction of the log
	generation uint64
}

// newWorld makes a world with a place for each label; call it in a bubble.
func newWorld(t *testing.T, labels ...string) *world {
	t.Helper()
	w := &world{
		t: t, spool: mirrortest.Spool(memory(t)), state: memory(t), clock: &shifted{}, places: map[string]*place{},
		labels: labels, generation: 1,
	}
	var err error
	w.keys, w.sheet, err = seal.New(seal.Options{Shop: "tea", Now: time.Now()})
	require.NoError(t, err)
	for _, label := range labels {
		p := &place{dir: filepath.Join(memory(t), label)}
		p.real, err = dirdest.New(dirdest.Config{Dir: p.dir, SameDevice: true})
		require.NoError(t, err)
		p.Dest = faultdest.New(p.real)
		w.places[label] = p
	}
	w.cfg = mirror.Defaults(mirror.Config{
		Dir: w.state, Source: w.spool, Keys: w.keys, Clock: w.clock, Log: slog.New(slog.DiscardHandler),
		Alert: w.alert, WantFull: w.wantFull,
		Complete: func() time.Time {
			if w.unsure {
				return time.Time{}
			}
			return w.clock.Now()
		},
		Sums: func(context.Context) (manifest.Sums, error) {
			return manifest.Sums{Rows: map[string]int64{"orders": 3}}, nil
		},
	})
	w.cfg.Poll = time.Minute // what is written is told by Notice
	for _, label := range labels {
		w.cfg.Targets = append(w.cfg.Targets, mirror.Target{
			Label: label, Region: "region-" + label, Dest: backup.Retry(w.places[label], backup.DefaultRetry()),
			Retention: mirror.DefaultRetention(), LagAlarm: 30 * time.Second,
		})
	}
	return w
}

func (w *world) alert(a mirror.Alert) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.alerts = append(w.alerts, a)
}

func (w *world) wantFull(label string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wanted = append(w.wanted, label)
}

// heard gives all alerts so far.
func (w *world) heard() []mirror.Alert {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.alerts)
}

// asked gives the destinations that asked for a full so far.
func (w *world) asked() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.wanted)
}

// told tells whether an alarm of a destination was raised, or ended.
func (w *world) told(label, code string, raised bool) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.ContainsFunc(w.alerts, func(a mirror.Alert) bool { return a.Label == label && a.Code == code && a.Raised == raised })
}

func (w *world) requireTold(label, code string) {
	w.t.Helper()
	require.True(w.t, w.told(label, code, true), "no alarm %s of %s: %v", code, label, w.heard())
}

// start runs a mirror until stop is called.
func (w *world) start() {
	w.t.Helper()
	m, err := mirror.New(w.cfg)
	require.NoError(w.t, err)
	ctx, cancel := context.WithCancel(w.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- m.Run(ctx) }()
	w.m = m
	w.stop = func() {
		cancel()
		require.NoError(w.t, <-ended)
		w.stop = func() {}
	}
}

// write puts a file into the spool as the shop would.
func (w *world) write(name string, content []byte) {
	w.t.Helper()
	require.NoError(w.t, w.spool.Write(name, content))
	if w.m != nil {
		w.m.Notice()
	}
}

// random gives up to 4 KiB of noise.
func (w *world) random() []byte {
	content := make([]byte, 200+w.dice.IntN(4000))
	for i := range content {
		content[i] = byte(w.dice.IntN(256))
	}
	return content
}

// segment writes the next transaction's segment and gives its name.
func (w *world) segment() string {
	w.t.Helper()
	w.tx++
	s := backup.Segment{Generation: w.generation, Min: w.tx, Max: w.tx, Time: w.clock.Now()}
	w.write(s.Name(), w.random())
	return s.Name()
}

// full writes a full up to the last transaction.
func (w *world) full() string {
	w.t.Helper()
	s := backup.Segment{Generation: w.generation, Level: backup.FullLevel, Min: 1, Max: max(w.tx, 1), Time: w.clock.Now()}
	w.tx = s.Max
	w.write(s.Name(), w.random())
	return s.Name()
}

// run writes n segments, one a second.
func (w *world) run(n int) {
	w.t.Helper()
	for range n {
		w.segment()
		w.pass(time.Second)
	}
}

// pass lets time go by and all work be done.
func (w *world) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (w *world) status(label string) mirror.Status {
	return w.m.Status()[slices.Index(w.labels, label)]
}

// contents reads the objects with a prefix as the destination really has them.
func (w *world) contents(label, prefix string) map[string]string {
	w.t.Helper()
	out := map[string]string{}
	require.NoError(w.t, w.places[label].real.List(w.t.Context(), prefix, func(o backup.Object) error {
		content, err := backup.ReadAll(w.t.Context(), w.places[label].real, o.Name, 1<<20)
		out[o.Name] = string(content)
		return err
	}))
	return out
}

// verify looks at a destination with the recovery sheet only.
func (w *world) verify(label string) manifest.Report {
	w.t.Helper()
	report, err := manifest.Verify(w.t.Context(), w.places[label].real, w.sheet.Reader(), manifest.Options{Label: label})
	require.NoError(w.t, err)
	return report
}

// requireSound proves that a destination has all that its status claims, that
// nothing is wrong there, and that every transaction can be restored.
func (w *world) requireSound(label string) {
	w.t.Helper()
	s := w.status(label)
	require.Empty(w.t, s.Code, label)
	require.True(w.t, s.Restorable && s.Following, "%s: %+v", label, s)
	require.Zero(w.t, s.Reach.Gap)
	require.Equal(w.t, w.tx, s.Reach.End, label)
	require.Equal(w.t, s.Objects, s.Listed, label)
	report := w.verify(label)
	require.NoError(w.t, report.Err(), label)
	require.Equal(w.t, s.Objects, report.Objects)
	require.Contains(w.t, report.Heads, s.Head)
}

// requireNoFalseClaim proves that everything that a status counts is there.
func (w *world) requireNoFalseClaim(label string) {
	w.t.Helper()
	sound := 0
	for name, content := range w.contents(label, "seg/") {
		if _, err := w.keys.Reader().Check(bytes.NewReader([]byte(content)), name); err == nil {
			sound++
		}
	}
	require.LessOrEqual(w.t, w.status(label).Objects, sound, "%s claims more than it has", label)
}

func (w *world) requireSpoolEmpty() {
	w.t.Helper()
	files, err := w.spool.List(w.t.Context(), "")
	require.NoError(w.t, err)
	require.Empty(w.t, files)
	left, err := os.ReadDir(filepath.Join(w.state, "sealed"))
	require.NoError(w.t, err)
	require.Empty(w.t, left)
}

func (w *world) set(label string, r faultdest.Rule) {
	w.t.Helper()
	require.NoError(w.t, w.places[label].Set(w.t.Context(), r))
}

// inBubble runs a test in fake time and stops its mirror at the end. What is
// written and at what time of the day it begins are of a printed seed.
func inBubble(t *testing.T, labels []string, test func(t *testing.T, w *world)) {
	t.Helper()
	dice := backuptest.NewDice(t)
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Duration(dice.IntN(int(24 * time.Hour))))
		w := newWorld(t, labels...)
		w.dice, w.stop = dice, func() {}
		defer func() { w.stop() }()
		test(t, w)
	})
}
