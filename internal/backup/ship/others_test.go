package ship_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/backup/backuptest"
	"panshi/internal/backup/restore"
	"panshi/internal/db"
	"panshi/internal/db/dbtest"
	"panshi/internal/db/sqlite"
)

// emptying copies all of the log into the database and cuts it, after every
// commit: the worst that somebody else with the file open can do.
type emptying struct{}

func (emptying) AfterBatch(ctx context.Context, log db.Log) error {
	_, err := log.Checkpoint(ctx, db.CheckpointTruncate)
	return err
}

func (emptying) AtClose(context.Context, db.Log) error { return nil }

// Failure 23: somebody opens the database of a running shop by other means,
// writes, and checkpoints as hard as can be, while the shop works and ships.
// Nothing that either of them was acknowledged is missing from the database or
// from what is restored.
func TestAStrangerWhoCheckpointsLosesNothing(t *testing.T) {
	r := backuptest.NewDice(t)
	s := newShop(t)
	s.hasty = r.IntN(2) == 0
	s.open()
	s.write("before", 10)
	s.shipped()
	stranger := s.at(s.data)
	var err error
	stranger.db, err = sqlite.Open(t.Context(), sqlite.Config{Dir: s.data, Checkpointer: emptying{}})
	require.NoError(t, err)
	var both sync.WaitGroup
	rounds := 4 + r.IntN(8)
	both.Go(func() {
		for i := range rounds {
			stranger.write(fmt.Sprint("stranger ", i), 5)
			time.Sleep(time.Duration(r.IntN(60)) * time.Millisecond) // at any moment of a shipment
		}
	})
	for i := range rounds {
		s.write(fmt.Sprint("shop ", i), 20)
	}
	both.Wait()
	require.NoError(t, stranger.db.Close())
	s.write("after", 10)
	want := names(t, s.db)
	require.Len(t, want, 20+rounds*25)
	s.shipped()
	s.close()
	_, got := s.restored(restore.Target{})
	require.Equal(t, want, got)
}

// Failure 14: the database becomes shorter while it is shipped and while a whole
// copy is written. What is restored is as short, and whole.
func TestADatabaseThatShrinksComesBack(t *testing.T) {
	r := backuptest.NewDice(t)
	s := newShop(t)
	s.hasty = true
	s.open()
	for range 3 {
		s.load(r, 60)
		s.shipped()
	}
	long, err := os.Stat(s.path())
	require.NoError(t, err)
	var full sync.WaitGroup
	full.Go(func() { require.NoError(t, s.ship.Full(t.Context())) })
	require.NoError(t, s.db.Update(t.Context(), func(tx *db.Tx) error {
		_, err := tx.Exec(`DELETE FROM leases WHERE fence < $1`, 1000)
		return err
	}))
	full.Wait()
	s.close()

	dbtest.Shrink(t, s.path())
	s.open()
	s.write("after", 5)
	require.NoError(t, s.ship.Full(t.Context()))
	s.write("last", 5)
	s.shipped()
	s.close()
	dir, got := s.restored(restore.Target{})
	require.Len(t, got, 10)
	short, err := os.Stat(filepath.Join(dir, sqlite.FileName))
	require.NoError(t, err)
	require.Less(t, short.Size(), long.Size()/2)
}
