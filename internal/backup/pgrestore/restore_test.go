package pgrestore_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/backup/backuptest"
	"panshi/internal/backup/pgrestore"
	"panshi/internal/backup/pgtest"
	"panshi/internal/backup/pgwal"
	"panshi/internal/backup/spool"
	"panshi/internal/clock"
	"panshi/internal/db/pgserver"
	"panshi/internal/errs"
)

// digest is the state of the table of what was sold.
const digest = "SELECT coalesce(md5(string_agg(n || ' ' || what, ',' ORDER BY n)), 'none') || ' ' || count(*) FROM sold"

func restorer(w *pgtest.World, dir string) *pgrestore.Restorer {
	source, err := spool.Open(dir, nil)
	if err != nil {
		panic(err)
	}
	return pgrestore.New(source, w.Cipher, func(string, int64, int64) {})
}

// place is a directory that the server's account gets to.
func place(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp(pgserver.Memory(), "panshi-restored-") //nolint:usetesting // no other account may enter that one
	require.NoError(t, err)
	require.NoError(t, os.Chmod(dir, 0o711))
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	return filepath.Join(dir, "postgres")
}

// restored brings a moment back and asks the server for its digest.
func restored(t *testing.T, w *pgtest.World, dir string, at time.Time) (pgrestore.Plan, string, error) {
	t.Helper()
	ctx, r, path := context.Background(), restorer(w, dir), place(t)
	plan, err := r.Plan(ctx, at)
	if err == nil {
		err = r.Prove(ctx, plan)
	}
	if err == nil {
		err = r.Apply(ctx, plan, path)
	}
	if err == nil {
		err = r.Replay(ctx, plan, path)
	}
	if err != nil {
		return plan, "", err
	}
	server, err := pgrestore.Serve(path)
	require.NoError(t, err)
	require.NoError(t, server.Await(ctx, "panshi", "postgres"))
	text, err := server.Text(ctx, "panshi", "postgres", digest)
	require.NoError(t, err)
	require.NoError(t, server.Close())
	return plan, text, nil
}

func TestALostServerComesBack(t *testing.T) {
	t.Parallel()
	w := pgtest.New(t)
	w.Start()
	w.Settled()
	for i := range 20 {
		w.Sell(i*100+1, (i+1)*100)
	}
	w.Settled()
	want := w.Text(digest)
	w.Node.Stop()
	_, got, err := restored(t, w, w.Config.Spool, time.Time{})
	require.NoError(t, err)
	require.Equal(t, want, got)
}

// TestEveryMomentComesBack records the state at moments of which nothing is
// committed at the same time, and brings random ones of them back.
func TestEveryMomentComesBack(t *testing.T) {
	t.Parallel()
	w, dice := pgtest.New(t), backuptest.NewDice(t)
	w.Start()
	w.Settled()
	type moment struct {
		at   time.Time
		want string
	}
	var moments []moment
	for i := range 40 {
		w.Sell(i*10+1, (i+1)*10)
		w.Exec(fmt.Sprintf("UPDATE sold SET what = 'changed' WHERE n %% 7 = %d", i%7))
		micros, err := strconv.ParseInt(w.Text("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint::text"), 10, 64)
		require.NoError(t, err)
		moments = append(moments, moment{time.UnixMicro(micros), w.Text(digest)})
		time.Sleep(time.Duration(dice.IntN(60)) * time.Millisecond)
	}
	w.Settled()
	w.Close()
	for range rounds(5) {
		m := moments[5+dice.IntN(len(moments)-5)] // what is within a second of the base is refused
		_, got, err := restored(t, w, w.Config.Spool, m.at)
		require.NoError(t, err)
		require.Equal(t, m.want, got, "at %s", m.at)
	}
	_, _, err := restored(t, w, w.Config.Spool, moments[0].at.Add(-time.Hour))
	require.Equal(t, "restore_nothing", errs.CodeOf(err))
}

// TestAMomentAfterTheLastCommit wants a moment after which nothing was committed,
// with and without log after it.
func TestAMomentAfterTheLastCommit(t *testing.T) {
	t.Parallel()
	w := pgtest.New(t)
	w.Start()
	w.Settled()
	w.Sell(1, 100)
	want := w.Text(digest)
	time.Sleep(300 * time.Millisecond) // of the server
	at := time.Now()
	time.Sleep(300 * time.Millisecond)
	w.Exec("SELECT pg_switch_wal()", "CHECKPOINT")
	w.Settled()
	w.Close()
	plan, got, err := restored(t, w, w.Config.Spool, at)
	require.NoError(t, err)
	require.Equal(t, want, got)
	require.Zero(t, plan.Lost)
	plan, got, err = restored(t, w, w.Config.Spool, at.Add(time.Hour))
	require.NoError(t, err)
	require.Equal(t, want, got)
	require.Greater(t, plan.Lost, 50*time.Minute, "nobody knows what came after the end")
}

// rounds is how often something random is done: PANSHI_ROUNDS asks for more.
func rounds(usual int) int {
	if n, err := strconv.Atoi(os.Getenv("PANSHI_ROUNDS")); err == nil {
		return n
	}
	return usual
}

// TestWhatIsMissingOrDamagedIsNamed breaks a spool in every way that a file can
// be wrong.
func TestWhatIsMissingOrDamagedIsNamed(t *testing.T) {
	t.Parallel()
	w := pgtest.New(t)
	w.Start()
	w.Settled()
	for i := range 8 {
		w.Sell(i*100+1, (i+1)*100)
		w.Settled()
	}
	generation, base := w.Status().Generation, w.Bases()[0]
	w.Close()
	s, err := spool.Open(w.Config.Spool, nil)
	require.NoError(t, err)
	pieces := s.Level(generation, pgwal.LevelPiece, base.Last+1)
	require.Greater(t, len(pieces), 4)
	middle, other := pieces[len(pieces)/2], pieces[len(pieces)/2+1]
	for name, c := range map[string]struct {
		code, file string
		harm       func(dir string)
	}{
		"missing": {"restore_gap", "", func(dir string) { require.NoError(t, os.Remove(path(dir, middle))) }},
		"damaged": {"spool_file_damaged", string(middle.Name), func(dir string) { flip(t, path(dir, middle)) }},
		"cut off": {"spool_file_damaged", string(middle.Name), func(dir string) { require.NoError(t, os.Truncate(path(dir, middle), middle.Size-7)) }},
		"swapped": {"spool_file_damaged", string(middle.Name), func(dir string) { swap(t, path(dir, other), path(dir, middle)) }},
		"base":    {"spool_file_damaged", string(base.Name), func(dir string) { flip(t, path(dir, base)) }},
		"no base": {"restore_nothing", "", func(dir string) { require.NoError(t, os.Remove(path(dir, base))) }},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "spool")
			require.NoError(t, os.CopyFS(dir, os.DirFS(w.Config.Spool)))
			c.harm(dir)
			_, _, err := restored(t, w, dir, time.Time{})
			require.Equal(t, c.code, errs.CodeOf(err), "%v", err)
			require.ErrorContains(t, err, c.file)
		})
	}
}

func path(dir string, f spool.File) string { return filepath.Join(dir, string(f.Name)) }

func swap(t *testing.T, a, b string) {
	t.Helper()
	require.NoError(t, os.Rename(a, a+".x"))
	require.NoError(t, os.Rename(b, a))
	require.NoError(t, os.Rename(a+".x", b))
}

func flip(t *testing.T, path string) {
	t.Helper()
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	content[len(content)/2] ^= 1
	require.NoError(t, os.WriteFile(path, content, 0o600))
}

// TestALogThatDoesNotGoOnIsRefused has pieces that are sound by themselves, of
// which one holds zeros where the server wrote records: recovery takes that for
// the end of the log.
func TestALogThatDoesNotGoOnIsRefused(t *testing.T) {
	t.Parallel()
	w := pgtest.New(t)
	w.Start()
	w.Settled()
	for i := range 8 {
		w.Sell(i*100+1, (i+1)*100)
		w.Settled()
	}
	generation, base := w.Status().Generation, w.Bases()[0]
	w.Close()
	s, err := spool.Create(w.Config.Spool, w.Cipher)
	require.NoError(t, err)
	pieces := s.Level(generation, pgwal.LevelPiece, base.Last+1)
	hollow(t, s, pieces[len(pieces)/2])
	_, _, err = restored(t, w, w.Config.Spool, time.Time{})
	require.Equal(t, "restore_log_broken", errs.CodeOf(err), "%v", err)
}

// hollow writes a piece again with nothing in it.
func hollow(t *testing.T, s *spool.Spool, f spool.File) {
	t.Helper()
	ctx := context.Background()
	content, err := s.Read(ctx, f.Name)
	require.NoError(t, err)
	r, err := pgwal.NewReader(content)
	require.NoError(t, err)
	end, err := r.End()
	require.NoError(t, err)
	require.NoError(t, content.Close())
	require.NoError(t, s.Remove(ctx, f.Name))
	empty, err := pgwal.Piece(r.Head, make([]byte, f.Last-f.First+1), end)
	require.NoError(t, err)
	_, err = s.Write(ctx, f, empty)
	require.NoError(t, err)
}

// TestMergedLogBringsTheSameBack has the pieces of minutes merged and takes them
// away.
func TestMergedLogBringsTheSameBack(t *testing.T) {
	t.Parallel()
	w := pgtest.New(t)
	now := clock.NewManual(time.Now())
	w.Clock = now
	w.Start()
	w.Settled()
	for i := range 4 {
		now.Advance(2 * time.Minute)
		w.Sell(i*100+1, (i+1)*100)
		w.Settled()
	}
	generation, want := w.Status().Generation, w.Text(digest)
	now.Advance(11 * time.Minute)
	s := w.Ship.Spool()
	w.Until(func() bool {
		merged, pieces := s.Level(generation, pgwal.LevelMerged, 0), s.Level(generation, pgwal.LevelPiece, 0)
		return len(merged) > 1 && merged[len(merged)-1].Last == pieces[len(pieces)-1].Last
	}, "all is merged")
	w.Close()
	for _, f := range s.Level(generation, pgwal.LevelPiece, 0) {
		require.NoError(t, s.Remove(context.Background(), f.Name))
	}
	plan, got, err := restored(t, w, w.Config.Spool, time.Time{})
	require.NoError(t, err)
	require.Equal(t, want, got)
	for _, f := range plan.Files[1:] {
		require.Equal(t, pgwal.LevelMerged, f.Level)
	}
}

// TestNothingIsOverwritten has a data directory in the way.
func TestNothingIsOverwritten(t *testing.T) {
	t.Parallel()
	w := pgtest.New(t)
	w.Start()
	w.Settled()
	w.Close()
	r, path := restorer(w, w.Config.Spool), place(t)
	require.NoError(t, os.Mkdir(path, 0o700))
	plan, err := r.Plan(context.Background(), time.Time{})
	require.NoError(t, err)
	require.Equal(t, "restore_target_exists", errs.CodeOf(r.Apply(context.Background(), plan, path)))
	entries, err := os.ReadDir(path)
	require.NoError(t, err)
	require.Empty(t, entries)
}
