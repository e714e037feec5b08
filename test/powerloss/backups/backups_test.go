package backups

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/backup"
	"panshi/internal/backup/manifest"
	"panshi/internal/backup/mirror"
	"panshi/internal/backup/mirror/mirrortest"
	"panshi/internal/backup/seal"
	"panshi/internal/clock"
	"panshi/internal/dirdest"
	"panshi/test/powerloss/disk"
)

func TestMain(m *testing.M) {
	code, done := disk.Isolate()
	if !done {
		code = m.Run()
	}
	os.Exit(code)
}

// machine is a disk that is mounted at dir.
type machine struct {
	*disk.Disk
	t     *testing.T
	dir   string
	mount *disk.Mount
}

func newMachine(t *testing.T) *machine {
	t.Helper()
	m := &machine{Disk: disk.New(), t: t, dir: t.TempDir()}
	m.plug()
	t.Cleanup(func() { require.NoError(t, m.mount.Unmount()) })
	return m
}

func (m *machine) plug() {
	m.t.Helper()
	var err error
	m.mount, err = m.Mount(m.dir)
	require.NoError(m.t, err)
}

// cycle is a power loss that keeps any part of what was not synced, or nothing.
func (m *machine) cycle(dice *rand.Rand) {
	m.t.Helper()
	m.Cut()
	require.NoError(m.t, m.mount.Unmount())
	m.Reboot(dice)
	m.plug()
}

func (m *machine) open() *dirdest.Dest {
	m.t.Helper()
	d, err := dirdest.New(dirdest.Config{Dir: filepath.Join(m.dir, "dest"), SameDevice: true})
	require.NoError(m.t, err)
	return d
}

// seeded gives dice by a printed seed.
func seeded(t *testing.T) *rand.Rand {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	t.Log("seed", seed)
	return rand.New(rand.NewPCG(seed, 1))
}

// TestWhatWasStoredSurvivesAPowerCut: failure 17, and what a directory promises.
// The power goes with the n-th request, for every n until all is done.
func TestWhatWasStoredSurvivesAPowerCut(t *testing.T) {
	dice := seeded(t)
	for n := 1; ; n++ {
		m := newMachine(t)
		stored := map[string]backup.Body{}
		d := m.open()
		m.CutIn(n)
		for _, name := range []string{"seg/1/a", "seg/1/b", "seg/2/a", "manifest/x/1"} {
			content := make([]byte, 3000)
			for i := range content {
				content[i] = byte(dice.Uint32())
			}
			body := backup.Bytes(content)
			if d.Put(t.Context(), name, body) == nil {
				stored[name] = body
			}
		}
		down := isDown(m)
		for _, keep := range []*rand.Rand{dice, nil} {
			m.cycle(keep)
			d = m.open()
			for name, body := range stored {
				require.NoError(t, backup.ReadBack(t.Context(), d, name, body.Size, body.SHA256), "cut %d: %s was acknowledged", n, name)
			}
			require.NoError(t, d.List(t.Context(), "", func(o backup.Object) error {
				require.Equal(t, int64(3000), o.Size, "cut %d: %s is there in part", n, o.Name)
				return nil
			}))
		}
		if !down {
			require.Len(t, stored, 4)
			t.Logf("%d cuts", n-1)
			return
		}
	}
}

func isDown(m *machine) bool {
	select {
	case <-m.Down():
		return true
	default:
		return false
	}
}

// TestAFullDiskIsToldAndHeals: failure 12, with a file system that really has no
// room.
func TestAFullDiskIsToldAndHeals(t *testing.T) {
	m := newMachine(t)
	d := m.open()
	require.NoError(t, d.Put(t.Context(), "seg/a", backup.Bytes(make([]byte, 1000))))
	m.Limit(10_000)
	err := d.Put(t.Context(), "seg/b", backup.Bytes(make([]byte, 50_000)))
	require.True(t, backup.Is(err, "backup_full"), "%v", err)
	_, err = d.Get(t.Context(), "seg/b", 0, -1)
	require.True(t, backup.Is(err, "backup_object_missing"), "%v", err)
	require.NoError(t, d.Put(t.Context(), "manifest/x/1", backup.Bytes(make([]byte, 1000))), "what was begun has made room again")
	m.Limit(-1)
	require.NoError(t, d.Put(t.Context(), "seg/b", backup.Bytes(make([]byte, 50_000))))
}

// TestAMirrorClaimsNothingThatAPowerCutTook runs a mirror whose state and
// destination are on the disk that loses power; its spool is elsewhere.
func TestAMirrorClaimsNothingThatAPowerCutTook(t *testing.T) {
	dice := seeded(t)
	keys, _, err := seal.New(seal.Options{Shop: "tea"})
	require.NoError(t, err)
	m, source := newMachine(t), mirrortest.Spool(t.TempDir())
	tx := uint64(0)
	write := func(level int) {
		tx++
		s := backup.Segment{Generation: 1, Level: level, Min: tx, Max: tx, Time: time.Now()}
		require.NoError(t, source.Write(s.Name(), make([]byte, 300)))
	}
	write(backup.FullLevel)
	for round := range 25 {
		for range 4 {
			write(0)
		}
		m.CutIn(1 + dice.IntN(150))
		runMirror(t, m, source, keys, 150*time.Millisecond)
		m.cycle(dice)
		requireClaimsHold(t, m, keys, round)
	}
	status := runMirror(t, m, source, keys, 2*time.Second)
	require.Equal(t, tx, status.Reach.End)
	require.Zero(t, status.Pending)
	require.Empty(t, status.Alarms)
	require.Equal(t, status.Objects, status.Listed, "all is listed, by one chain")
	report, err := manifest.Verify(t.Context(), m.open(), keys.Reader(), manifest.Options{Label: "a"})
	require.NoError(t, err)
	require.NoError(t, report.Err())
}

// runMirror runs a mirror for a while, or until the power goes, and gives its
// last status.
func runMirror(t *testing.T, m *machine, source mirrortest.Spool, keys *seal.Keys, d time.Duration) mirror.Status {
	t.Helper()
	dest, err := dirdest.New(dirdest.Config{Dir: filepath.Join(m.dir, "dest"), SameDevice: true})
	if err != nil {
		return mirror.Status{} // the power went before it began
	}
	cfg := mirror.Defaults(mirror.Config{
		Dir: filepath.Join(m.dir, "state"), Source: source, Keys: keys, Clock: clock.System{}, Log: slog.New(slog.DiscardHandler),
		Alert: func(mirror.Alert) {}, WantFull: func(string) {},
		Complete: time.Now,
		Sums:     func(context.Context) (manifest.Sums, error) { return manifest.Sums{}, nil },
		Targets: []mirror.Target{
			{Label: "a", Dest: dest, Retention: mirror.DefaultRetention(), LagAlarm: time.Minute},
		},
	})
	cfg.ManifestEvery = 20 * time.Millisecond
	mir, err := mirror.New(cfg)
	if err != nil {
		return mirror.Status{}
	}
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = mir.Run(ctx)
	}()
	select {
	case <-ctx.Done():
	case <-m.Down():
	}
	status := mir.Status()[0]
	cancel()
	<-ended
	return status
}

// requireClaimsHold compares the signed manifests with what is there.
func requireClaimsHold(t *testing.T, m *machine, keys *seal.Keys, round int) {
	t.Helper()
	log, err := manifest.Read(t.Context(), m.open(), keys.Signer())
	require.NoError(t, err)
	require.Empty(t, log.Findings, "round %d", round)
	for name, e := range log.Live {
		require.NoError(t, backup.ReadBack(t.Context(), m.open(), name, e.Size, e.SHA256), "round %d: listed and not there", round)
	}
}
