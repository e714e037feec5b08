package histories

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"panshi/internal/db"
	"panshi/internal/db/dbtest"
	"panshi/internal/db/postgres"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// operations is how many each history has, at least.
const operations = 10_000

// howMany is the number of histories of each engine.
func howMany() int {
	if os.Getenv("PANSHI_TORTURE") == "long" {
		return 50
	}
	return 5
}

// TestSQLite: one process on one file.
func TestSQLite(t *testing.T) {
	inMemory(t)
	seed := seedOf(t)
	linearizable(t, newShop(t, dbtest.SQLite(t), 1, loses(seed)), seed)
}

// TestPostgres: two processes on one server, whose connections are cut all the
// time.
func TestPostgres(t *testing.T) {
	inMemory(t)
	seed := seedOf(t)
	d, url := openPostgres(t)
	s := newShop(t, d, 2, loses(seed))
	cuts := &cutter{t: t, url: url}
	s.disturb = cuts.start
	linearizable(t, s, seed)
	require.Positive(t, cuts.cut, "no connection was ever cut")
}

// spare is how many histories may be recorded anew because the search for their
// order was given up.
const spare = 3

func linearizable(t *testing.T, s *shop, seed uint64) {
	decided, undecided := 0, 0
	for decided < howMany() {
		n := decided + undecided
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			s.t = t
			begun := time.Now()
			history, wrong := s.record(n, seed+uint64(n), operations)
			recorded := time.Since(begun)
			require.Empty(t, wrong[:min(10, len(wrong))])
			if requireOrder(t, history, s.memory()) {
				decided++
			} else {
				undecided++
			}
			t.Logf("recorded in %v, checked in %v: %s", recorded, time.Since(begun)-recorded, tally(history))
		})
		if t.Failed() {
			return
		}
		require.LessOrEqual(t, undecided, spare*howMany()/5)
	}
	s.t = t
	s.requireSound()
}

// loses makes the services' database lose some answers.
func loses(seed uint64) func(db.DB) db.DB {
	return func(d db.DB) db.DB {
		seed++
		return &lossy{DB: d, oneIn: 150, dice: rand.New(rand.NewPCG(seed, 0))}
	}
}

// inMemory keeps the database's files in memory: what is tested here is not
// the disk.
func inMemory(t *testing.T) {
	t.Helper()
	if _, err := os.Stat("/dev/shm"); err == nil {
		t.Setenv("TMPDIR", "/dev/shm")
	}
}

func openPostgres(t *testing.T) (d db.DB, url string) {
	t.Helper()
	return dbtest.Postgres(t, func(c *postgres.Config) { url = c.URL }), url
}

// cutter cuts one of a database's busy connections every few milliseconds.
type cutter struct {
	t   *testing.T
	url string
	cut int // so far; read it when it is stopped
}

// start implements shop.disturb.
func (c *cutter) start() (stop func()) {
	ctx, cancel := context.WithCancel(c.t.Context())
	own, err := postgres.Open(ctx, postgres.Config{URL: c.url, MaxConns: 1, LongConns: 1})
	require.NoError(c.t, err)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if cutOne(ctx, own) == nil {
				c.cut++
			}
		}
	}()
	return func() {
		cancel()
		<-ended
		require.NoError(c.t, own.Close())
	}
}

// cutOne cuts a connection of d's database on which somebody is at work.
func cutOne(ctx context.Context, d db.DB) error {
	return d.View(ctx, func(tx *db.Tx) error {
		var cut bool
		return tx.Get([]any{&cut}, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
			WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle' LIMIT 1`)
	})
}

// seedOf prints what repeats this run's dice.
func seedOf(t *testing.T) uint64 {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("PANSHI_SEED"); text != "" {
		n, err := strconv.ParseUint(text, 10, 64)
		require.NoError(t, err)
		seed = n
	}
	t.Logf("PANSHI_SEED=%d", seed)
	return seed
}
