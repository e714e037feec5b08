package ship_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/backup/restore"
	"panshi/internal/db/sqlite"
)

func TestWhatIsCommittedComesBack(t *testing.T) {
	s := newShop(t)
	s.open()
	s.write("first", 50)
	before := s.shipped()
	_, got := s.restored(restore.Target{})
	require.Equal(t, names(t, s.db), got)
	middle := time.Now()
	time.Sleep(2 * time.Millisecond) // names have whole milliseconds
	s.write("second", 50)
	after := s.shipped()
	require.Greater(t, after.Transaction, before.Transaction)
	_, got = s.restored(restore.Target{})
	require.Equal(t, names(t, s.db), got)
	_, got = s.restored(restore.Target{At: middle})
	require.Len(t, got, 50)
	s.close()
}

// The last commit of a shop that then stands idle is shipped, and so is the one
// just before it closes.
func TestTheLastCommitIsShipped(t *testing.T) {
	s := newShop(t)
	s.cfg.Interval = time.Minute
	s.open()
	s.write("last", 1)
	s.close()
	_, got := s.restored(restore.Target{})
	require.Equal(t, []string{"last 0"}, got)
}

// A clean restart goes on with its generation; so does one after a crash.
func TestARestartGoesOn(t *testing.T) {
	s := newShop(t)
	s.open()
	s.write("first", 10)
	first := s.shipped()
	s.close()
	for i := range 3 {
		s.open()
		s.write("again "+string(rune('a'+i)), 10)
		again := s.shipped()
		require.Equal(t, first.Generation, again.Generation)
		require.Greater(t, again.Transaction, first.Transaction)
		require.Len(t, again.Generations, 1)
		s.close()
	}
	_, got := s.restored(restore.Target{})
	require.Len(t, got, 40)
}

// Somebody who used the database while nothing was shipped may have emptied the
// log: what he wrote is in no file, so a whole copy begins a new generation.
func TestACheckpointWhileDownBeginsAGeneration(t *testing.T) {
	s := newShop(t)
	s.open()
	s.write("shipped", 10)
	first := s.shipped()
	s.close()

	d, err := sqlite.Open(t.Context(), sqlite.Config{Dir: s.data})
	require.NoError(t, err)
	other := s.at(s.data)
	other.db = d
	other.write("unseen", 10)
	require.NoError(t, d.Close())

	s.open()
	s.write("after", 10)
	status := s.shipped()
	require.NotEqual(t, first.Generation, status.Generation)
	require.Len(t, status.Generations, 2)
	s.close()
	_, got := s.restored(restore.Target{})
	require.Len(t, got, 30)
	_, got = s.restored(restore.Target{Generation: first.Generation})
	require.Len(t, got, 10, "the old generation is as it was")
}

// A data directory that went back in time does not go on with what the spool
// has of its future.
func TestARestoredDirectoryBeginsAGeneration(t *testing.T) {
	s := newShop(t)
	s.open()
	s.write("first", 10)
	first := s.shipped()
	s.close()
	dir, _ := s.restored(restore.Target{})
	r := s.at(dir)
	r.open()
	r.write("restored", 10)
	status := r.shipped()
	require.Greater(t, status.Generation, first.Generation)
	r.close()
	_, got := s.restored(restore.Target{})
	require.Len(t, got, 20)
	_, got = s.restored(restore.Target{Generation: first.Generation})
	require.Len(t, got, 10)
}
