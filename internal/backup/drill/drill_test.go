package drill_test

import (
	"context"
	"crypto/ed25519"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/backup"
	"panshi/internal/backup/desttest"
	"panshi/internal/backup/drill"
	"panshi/internal/dirdest"
	"panshi/internal/errs"
	"panshi/internal/i18n"
)

func near() drill.Copy { return drill.Copy{Label: "near", Region: "a"} }
func far() drill.Copy  { return drill.Copy{Label: "far", Region: "b"} }

// Somebody has all credentials. One copy that they do not ruin brings the shop
// back; how it is protected does not matter, and without any the drill fails.
func TestRansomwareNeedsAProtection(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		protect func(*drill.Copy)
		loss    time.Duration // known only where the last segments are not locked
	}{
		"lock":         {func(c *drill.Copy) { c.Locked = true }, 5 * time.Minute},
		"no delete":    {func(c *drill.Copy) { c.NoDelete = true }, 0},
		"offline disk": {func(c *drill.Copy) { c.Offline = true }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			kept := far()
			c.protect(&kept)
			w := newWorld(t, near(), kept)
			w.Newest = func(context.Context) (time.Time, time.Duration, error) { return now().Add(-time.Minute), 0, nil }
			r := w.run(drill.Ransomware, drill.Options{})
			require.Empty(t, r.Failure)
			require.Equal(t, []string{"far"}, r.From)
			require.True(t, r.LossKnown)
			require.InDelta(t, c.loss, r.Loss, float64(time.Minute))
		})
	}
	require.Equal(t, "drill_unprotected", newWorld(t, near(), far()).run(drill.Ransomware, drill.Options{}).Failure)
}

// A protection that is claimed and does not hold is found out: the drill is not
// told by settings, but by a restore.
func TestRansomwareFindsAFalseProtection(t *testing.T) {
	t.Parallel()
	kept := far()
	kept.Locked = true
	w := newWorld(t, kept)
	honest := w.Restore
	w.Restore = func(ctx context.Context, from drill.Copy, want drill.Want, p drill.Progress) (drill.Restored, error) {
		require.NoError(t, from.Dest.List(ctx, "box/", func(o backup.Object) error { return from.Dest.Delete(ctx, o.Name) }))
		return honest(ctx, from, want, p)
	}
	require.NotEmpty(t, w.run(drill.Ransomware, drill.Options{}).Failure)
}

// Damage that a restore does not see is the end of all trust.
func TestDamageThatNobodySeesFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t, near(), far())
	require.Empty(t, w.run(drill.CorruptObject, drill.Options{}).Failure)
	honest := w.Restore
	w.Restore = func(ctx context.Context, from drill.Copy, want drill.Want, p drill.Progress) (drill.Restored, error) {
		for _, c := range w.Copies {
			if c.Label == from.Label {
				from = c // as if it did not read what it restores
			}
		}
		return honest(ctx, from, want, p)
	}
	require.Equal(t, "drill_undetected", w.run(drill.CorruptObject, drill.Options{}).Failure)
}

// Retention that goes by the clock would delete what is needed when that is two
// hours ahead.
func TestRetentionByTheClockFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t, near())
	require.Empty(t, w.run(drill.WrongClock, drill.Options{}).Failure)
	w.Gone = func(_ string, at time.Time, all []backup.Segment) (gone []backup.Segment, _ error) {
		for _, s := range all {
			if at.Sub(s.Time) > time.Hour {
				gone = append(gone, s)
			}
		}
		return gone, nil
	}
	require.Equal(t, "drill_clock_deletes", w.run(drill.WrongClock, drill.Options{}).Failure)
}

// What a drill measures is compared with its goals.
func TestGoalsAreKept(t *testing.T) {
	t.Parallel()
	for want, plant := range map[string]func(w *world, r *drill.Restored){
		"":                 func(*world, *drill.Restored) {},
		"drill_violations": func(_ *world, r *drill.Restored) { r.Violations = 1 },
		"drill_loss_over":  func(_ *world, r *drill.Restored) { r.Time = r.Time.Add(-2 * time.Minute) },
		"drill_slow":       func(w *world, _ *drill.Restored) { w.clock().Advance(31 * time.Minute) },
	} {
		w := newWorld(t, near())
		honest := w.Restore
		w.Restore = func(ctx context.Context, from drill.Copy, wanted drill.Want, p drill.Progress) (drill.Restored, error) {
			r, err := honest(ctx, from, wanted, p)
			plant(w, &r)
			return r, err
		}
		require.Equal(t, want, w.run(drill.DiskLost, drill.Options{}).Failure)
	}
	w := newWorld(t, near())
	w.Newest = func(context.Context) (time.Time, time.Duration, error) {
		return time.Time{}, 0, errs.New(errs.NotFound, "drill_newest_unknown", "")
	}
	require.Equal(t, "drill_loss_over", w.run(drill.DiskLost, drill.Options{}).Failure, "what was not measured is not within the goal")
}

// A key that is not needed, and one that is another's, are no recovery.
func TestALostKeyIsReallyLost(t *testing.T) {
	t.Parallel()
	w := newWorld(t, near())
	require.Empty(t, w.run(drill.KeyLost, drill.Options{}).Failure)
	w.WithoutKey = func(context.Context) error { return nil }
	require.Equal(t, "drill_no_disaster", w.run(drill.KeyLost, drill.Options{}).Failure)
	w = newWorld(t, near())
	w.KeyFrom = func(context.Context, drill.Copy) error { return errs.New(errs.Integrity, "vault_keyset_damaged", "") }
	require.Equal(t, "vault_keyset_damaged", w.run(drill.KeyLost, drill.Options{}).Failure)
}

type standby func(ctx context.Context) (drill.Failover, error)

func (s standby) Failover(ctx context.Context) (drill.Failover, error) { return s(ctx) }

// No standby has not passed; one that is behind has not, either.
func TestAStandbyTakesOver(t *testing.T) {
	t.Parallel()
	w := newWorld(t, near())
	require.Equal(t, "drill_no_standby", w.run(drill.StandbyFailover, drill.Options{}).Failure)
	behind := time.Duration(0)
	w.Standby = standby(func(ctx context.Context) (drill.Failover, error) {
		r, err := w.restore(ctx, w.Copies[0], drill.Want{}, nil)
		return drill.Failover{Time: now().Add(-time.Minute - behind), Shop: r.Shop}, err
	})
	require.Empty(t, w.run(drill.StandbyFailover, drill.Options{}).Failure)
	behind = 10 * time.Minute
	require.Equal(t, "drill_loss_over", w.run(drill.StandbyFailover, drill.Options{}).Failure)
}

// The same seed chooses the same object and bit.
func TestASeedRepeatsADrill(t *testing.T) {
	t.Parallel()
	w := newWorld(t, near(), far())
	args := func(seed uint64) map[string]string {
		return w.run(drill.CorruptObject, drill.Options{Seed: seed}).Steps[0].Args
	}
	first := args(7)
	require.Equal(t, first, args(7))
	seen := map[string]bool{}
	for seed := range uint64(20) {
		seen[args(seed + 1)["bit"]] = true
	}
	require.Greater(t, len(seen), 10)
}

// A Damage is a destination like any other, and leaves the one behind it alone.
func TestDamageIsADestination(t *testing.T) {
	t.Parallel()
	desttest.Run(t, func(t *testing.T) backup.Destination {
		t.Helper()
		inner, err := dirdest.New(dirdest.Config{Dir: filepath.Join(t.TempDir(), "inner"), SameDevice: true})
		require.NoError(t, err)
		return drill.NewDamage(inner)
	}, desttest.Options{Big: 1 << 20, Many: 300})
}

// Reports count only if this shop signed them under their own name.
func TestReportsAreSigned(t *testing.T) {
	t.Parallel()
	w := newWorld(t, near())
	r := w.run(drill.DiskLost, drill.Options{})
	r.Steps[1].Args["destination"] = "<script>alert(1)</script>"
	r.Detail = map[string]string{"x": "<b>"}
	texts, err := i18n.Load()
	require.NoError(t, err)
	page, err := drill.Page(r, texts)
	require.NoError(t, err)
	require.NotContains(t, string(page), "<script")
	require.Contains(t, string(page), texts.Text(i18n.Chinese, "drill.passed", nil))
	require.Contains(t, string(page), texts.Text(i18n.English, "drill.passed", nil))

	dir := t.TempDir()
	s := drill.NewStore(dir, w.keys.Signer())
	kept, err := s.Keep(r, page, w.keys)
	require.NoError(t, err)
	st, err := s.Standing(drill.DiskLost)
	require.NoError(t, err)
	require.Equal(t, r.Steps[1], st.Passed.Steps[1])
	require.Equal(t, r.Seed, st.Last.Seed)

	path := filepath.Join(dir, filepath.FromSlash(kept.ID)) + ".json"
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	forged := func(why string) {
		t.Helper()
		all, err := s.List(drill.DiskLost)
		require.NoError(t, err)
		require.True(t, all[0].Forged, why)
		st, err := s.Standing(drill.DiskLost)
		require.NoError(t, err)
		require.True(t, st.Last == nil || st.Last.ID != all[0].ID, why)
	}
	require.NoError(t, os.WriteFile(path, []byte(strings.Replace(string(content), `"loss_known":true`, `"loss_known":false`, 1)), 0o600))
	forged("a word is another one")
	require.NoError(t, os.WriteFile(path, content, 0o600))
	later := filepath.Join(dir, string(drill.DiskLost), "9999999999999.json")
	require.NoError(t, os.WriteFile(later, content, 0o600))
	forged("an old report under a new name")
	require.NoError(t, os.Remove(later))
	other, _, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	s = drill.NewStore(dir, other)
	forged("another shop's")
	_, err = s.Load("../../etc/passwd")
	require.Equal(t, "drill_report_unknown", errs.CodeOf(err))
}
