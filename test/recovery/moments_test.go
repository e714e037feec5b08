package recovery

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/db"
	"panshi/test/kit"
)

// seeded gives dice by PANSHI_SEED, or by a seed that it prints.
func seeded(t *testing.T) *rand.Rand {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("PANSHI_SEED"); text != "" {
		n, err := strconv.ParseUint(text, 10, 64)
		require.NoError(t, err)
		seed = n
	}
	t.Logf("PANSHI_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 1))
}

// sale is an order, with the moments between which it was committed.
type sale struct {
	no            string
	asked, answer time.Time
}

// fair is a shop under load that can be made to pause.
type fair struct {
	t        *testing.T
	shop     *kit.Shop
	sku      string
	platform *kit.Platform
	book     *kit.Book
	gate     sync.RWMutex // held by each buyer while he buys, and alone by who wants quiet

	mu    sync.Mutex
	sales []sale // guarded by mu
}

// crowd buys until ctx ends: most only order, some pay and get their goods.
func (f *fair) crowd(ctx context.Context) {
	var buyers sync.WaitGroup
	for n := range 6 {
		buyers.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				f.gate.RLock()
				f.buy(ctx, n*100_000+i)
				f.gate.RUnlock()
				time.Sleep(3 * time.Millisecond) // a buyer, not a benchmark
			}
		})
	}
	buyers.Wait()
}

func (f *fair) buy(ctx context.Context, n int) {
	asked := time.Now()
	if n%7 == 0 {
		short, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		_, _ = kit.Buy(short, f.shop.Client(), f.platform, f.book, buyer(n), one(f.sku)) // the shop may be killed under it
		return
	}
	placed, err := f.shop.Client().Place(ctx, buyer(n), one(f.sku))
	if err != nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sales = append(f.sales, sale{placed.No, asked, time.Now()})
}

// moment is a point in time, and what is known of the state at it: all of it, or,
// when it was taken in the midst of things, which orders must be there and which
// cannot.
type moment struct {
	at     time.Time
	digest string // "" in the midst of things
}

// quiet pauses everybody, waits until all is shipped, and notes the whole state.
func (f *fair) quiet() moment {
	f.gate.Lock()
	defer f.gate.Unlock()
	f.shipped()
	m := moment{time.Now(), f.shop.DigestLive()}
	time.Sleep(2 * time.Millisecond) // what comes later is in another millisecond
	return m
}

func (f *fair) shipped() {
	require.Eventually(f.t, func() bool {
		c := f.shop.Copies()
		return c.Lag == 0 && c.Transaction > 0
	}, 20*time.Second, 50*time.Millisecond)
}

// killed kills the shop under load and starts it again. What was committed last
// is shipped after that, and counts from then on.
func (f *fair) killed() {
	f.shop.Kill()
	f.shop.Start() // those who buy insist until it is there again
	f.gate.Lock()
	defer f.gate.Unlock()
	f.shipped()
}

// moments is how many points in time are brought back.
func moments() int { return amount(5, 100) }

// Random points in time are brought back by the real program from the spool of a
// shop that sold, was killed and started again meanwhile, and each is what it
// was: to the last row where all stood still for a moment, and to the order
// where it did not.
func TestRandomMomentsComeBack(t *testing.T) {
	kit.OnlyOn(t, db.SQLite, noSpool)
	t.Parallel()
	dice := seeded(t)
	platform := kit.NewPlatform(t)
	// Without its worker nothing changes but what buyers do.
	shop := kit.NewShop(t, platform, "worker=off", "backup.full_every=1m")
	f := &fair{
		t: t, shop: shop, platform: platform, book: &kit.Book{},
		sku: shop.ImportCards("fair", "1.00", kit.Keys("FAIR", amount(6000, 200_000))),
	}
	all := f.live(dice)
	shop.Kill()
	t.Logf("%d moments, %d orders", len(all), len(f.sales))
	for i, m := range all {
		to := filepath.Join(t.TempDir(), "then")
		r := shop.RunEnv(nil, "restore", "--from", shop.Data+".spool", "--to", to, "--key-file", shop.Data+".key", "--at", m.at.Format(time.RFC3339Nano))
		require.Zero(t, r.Code, "moment %d: %s%s", i, r.Out, r.Err)
		f.requireState(to, i, m)
	}
}

// live lets the crowd buy and takes moments of it.
func (f *fair) live(dice *rand.Rand) (all []moment) {
	ctx, goHome := context.WithCancel(f.t.Context())
	defer goHome()
	var load sync.WaitGroup
	load.Go(func() { f.crowd(ctx) })
	for i := range moments() {
		time.Sleep(time.Duration(150+dice.IntN(700)) * time.Millisecond) // load, up to any part of a shipment's second
		if i == 0 || dice.IntN(2) == 0 {
			all = append(all, f.quiet())
			continue
		}
		all = append(all, moment{at: time.Now()})
		if dice.IntN(3) == 0 {
			f.killed()
		}
	}
	time.Sleep(2 * time.Second) // what the last moment needs is shipped
	goHome()
	load.Wait()
	return all
}

// requireState compares a restored directory with what is known of a moment.
func (f *fair) requireState(dir string, i int, m moment) {
	f.t.Helper()
	if m.digest != "" {
		require.Equal(f.t, m.digest, kit.Digest(f.t, dir), "moment %d", i)
		return
	}
	var there []string
	kit.Read(f.t, dir, func(tx *db.Tx) (err error) {
		there, err = db.Collect(tx, func(rows db.Rows) (no string, err error) {
			return no, rows.Scan(&no)
		}, `SELECT order_no FROM orders ORDER BY order_no`)
		return err
	})
	early, late := 0, 0
	for _, s := range f.sales {
		_, found := slices.BinarySearch(there, s.no)
		switch {
		case s.answer.Before(m.at.Add(-2 * time.Second)):
			early++
			require.True(f.t, found, "moment %d: order %s, %s before it, is missing", i, s.no, m.at.Sub(s.answer))
		case s.asked.After(m.at):
			late++
			require.False(f.t, found, "moment %d: order %s, %s after it, is there", i, s.no, s.asked.Sub(m.at))
		}
	}
	f.t.Logf("moment %d: %d orders before it, %d after", i, early, late)
}
