package backup_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/backup"
	"panshi/internal/backup/desttest"
	"panshi/internal/backup/faultdest"
	"panshi/internal/clock"
	"panshi/internal/dirdest"
)

func directory(t *testing.T) backup.Destination {
	t.Helper()
	d, err := dirdest.New(dirdest.Config{Dir: t.TempDir(), SameDevice: true})
	require.NoError(t, err)
	return d
}

func TestAFaultlessFaultDestinationKeepsThePromises(t *testing.T) {
	desttest.Run(t, func(t *testing.T) backup.Destination { return faultdest.New(directory(t)) }, desttest.Options{Big: 100_000, Many: 20})
}

func TestSegmentNamesComeBack(t *testing.T) {
	s := backup.Segment{Generation: 7, Level: 9, Min: 1, Max: 0xabc, Time: time.UnixMilli(1_700_000_000_123).UTC()}
	require.Equal(t, "seg/0000000000000007/9/0000000000000001-0000000000000abc-1700000000123", s.Name())
	for n := range 3 {
		name := backup.Numbered(s.Name(), n)
		require.NoError(t, backup.ValidName(name))
		got, ok := backup.ParseSegment(name)
		require.True(t, ok)
		require.Equal(t, s, got)
		at, ok := backup.TimeOf(name)
		require.True(t, ok)
		require.Equal(t, s.Time, at)
	}
	for _, bad := range []string{"", "seg/1/9/1-2-3", strings.Replace(s.Name(), "abc", "000", 1), s.Name() + "~0", s.Name() + "~12", "x" + s.Name()} {
		_, ok := backup.ParseSegment(bad)
		require.False(t, ok, bad)
	}
}

func TestRetryRepeatsWhatMayPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		faulty := faultdest.New(directory(t))
		d := backup.Retry(faulty, backup.DefaultRetry())
		require.NoError(t, faulty.Set(t.Context(), faultdest.Rule{Op: faultdest.Put, Fault: faultdest.Down, Times: 3}))
		began := time.Now()
		require.NoError(t, d.Put(t.Context(), "a", backup.Bytes([]byte("x"))))
		require.Equal(t, 4, faulty.Calls(faultdest.Put))
		require.Greater(t, time.Since(began), 1700*time.Millisecond, "half of 0.5, 1 and 2 s at least")

		require.NoError(t, faulty.Set(t.Context(), faultdest.Rule{Op: faultdest.Put, Fault: faultdest.Refused}))
		require.True(t, backup.Is(d.Put(t.Context(), "b", backup.Bytes(nil)), "backup_refused"))
		require.Equal(t, 5, faulty.Calls(faultdest.Put), "what is refused stays refused")
	})
}

func TestRetryGivesUpOnADestinationThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		faulty := faultdest.New(directory(t))
		d := backup.Retry(faulty, backup.DefaultRetry())
		require.NoError(t, faulty.Set(t.Context(), faultdest.Rule{Op: faultdest.Put, Fault: faultdest.Hang}))
		for _, op := range []faultdest.Ops{faultdest.Get, faultdest.List, faultdest.Delete} {
			require.NoError(t, faulty.Set(t.Context(), faultdest.Rule{Op: op, Fault: faultdest.Hang}))
		}
		calls := map[string]func() error{
			"put":    func() error { return d.Put(t.Context(), "a", backup.Bytes(nil)) },
			"get":    func() error { _, err := d.Get(t.Context(), "a", 0, -1); return err },
			"list":   func() error { return d.List(t.Context(), "", func(backup.Object) error { return nil }) },
			"delete": func() error { return d.Delete(t.Context(), "a") },
		}
		for name, call := range calls {
			began := time.Now()
			require.True(t, backup.Is(call(), "backup_unavailable"), name)
			require.Less(t, time.Since(began), 5*time.Minute, name)
		}
	})
}

// TestATimeOutAfterTheCommitShowsAsExists: the caller compares, see package
// mirror.
func TestATimeOutAfterTheCommitShowsAsExists(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		faulty := faultdest.New(directory(t))
		d := backup.Retry(faulty, backup.DefaultRetry())
		require.NoError(t, faulty.Set(t.Context(), faultdest.Rule{Op: faultdest.Put, Fault: faultdest.CommitThen, Times: 1}))
		require.True(t, backup.Is(d.Put(t.Context(), "a", backup.Bytes([]byte("x"))), "backup_object_exists"))
	})
}

func TestLimitHoldsTheRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := backup.Limit(directory(t), 100_000)
		began := time.Now()
		content := desttest.Content(t, 565_536)
		require.NoError(t, d.Put(t.Context(), "a", backup.Bytes(content)))
		require.InDelta(t, 5.0, time.Since(began).Seconds(), 0.2, "64 KiB at once, the rest at 100 kB a second")
		require.NoError(t, backup.ReadBack(t.Context(), d, "a", int64(len(content)), backup.Bytes(content).SHA256))
		require.InDelta(t, 10.7, time.Since(began).Seconds(), 0.3)
	})
}

func TestMeterTellsEachCall(t *testing.T) {
	var calls []backup.Call
	faulty := faultdest.New(directory(t))
	d := backup.Meter(faulty, clock.System{}, func(c backup.Call) { calls = append(calls, c) })
	require.NoError(t, d.Put(t.Context(), "a", backup.Bytes([]byte("four"))))
	_, _, err := backup.Measure(t.Context(), d, "a")
	require.NoError(t, err)
	require.NoError(t, faulty.Set(t.Context(), faultdest.Rule{Op: faultdest.Delete, Fault: faultdest.Down}))
	require.Error(t, d.Delete(t.Context(), "a"))
	require.Len(t, calls, 3)
	require.Equal(t, "put", calls[0].Op)
	require.Equal(t, int64(4), calls[0].Bytes)
	require.Equal(t, int64(4), calls[1].Bytes)
	require.Error(t, calls[2].Err)
}

// TestReadBackSeesEveryLie: a destination that says "stored" and did not.
func TestReadBackSeesEveryLie(t *testing.T) {
	content := backup.Bytes(desttest.Content(t, 1000))
	for fault, code := range map[faultdest.Fault]string{
		faultdest.ZeroBytes: "backup_object_damaged", faultdest.Truncated: "backup_object_damaged",
		faultdest.Flipped: "backup_object_damaged", faultdest.Vanished: "backup_object_missing",
	} {
		d := faultdest.New(directory(t))
		require.NoError(t, d.Set(t.Context(), faultdest.Rule{Op: faultdest.Put, Fault: fault}))
		require.NoError(t, d.Put(t.Context(), "a", content))
		err := backup.ReadBack(t.Context(), d, "a", content.Size, content.SHA256)
		require.True(t, backup.Is(err, code), "fault %d: %v", fault, err)
	}
}

func TestReadBackDoesNotTakeAnEarlyEndForTheTruth(t *testing.T) {
	d := faultdest.New(directory(t))
	body := backup.Bytes(desttest.Content(t, 1000))
	require.NoError(t, d.Put(t.Context(), "a", body))
	require.NoError(t, d.Set(t.Context(), faultdest.Rule{Op: faultdest.Get, Fault: faultdest.ShortRead, Times: 1}))
	err := backup.ReadBack(t.Context(), d, "a", body.Size, body.SHA256)
	require.True(t, backup.Is(err, "backup_unavailable"), "%v", err)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.NoError(t, backup.ReadBack(t.Context(), d, "a", body.Size, body.SHA256))
	require.NotErrorIs(t, err, errors.ErrUnsupported)
}
