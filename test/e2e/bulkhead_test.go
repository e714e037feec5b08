package e2e

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/test/kit"
)

const (
	bulkheadRounds   = 3
	bulkheadPhase    = time.Second
	searchers        = 48
	bulkheadProducts = 3000
)

// TestSearchesDoNotHoldUpOrders saturates the catalogue with searches that read
// all of it, and measures what orders take beside them, in turns with what they
// take alone. What an order takes on a machine that does other things too says
// little; so the same shop without the bulkhead runs in the same rounds, and the
// bulkhead must make the difference. (P72)
func TestSearchesDoNotHoldUpOrders(t *testing.T) {
	platform := kit.NewPlatform(t)
	guarded := newRush(t, platform)
	open := newRush(t, platform, "guard.searches_at_once=1000")
	var gain []float64
	for range bulkheadRounds {
		guarded.round()
		open.round()
		gain = append(gain, open.last()/guarded.last())
	}
	t.Logf("p99 of orders beside %d searchers, as a multiple of p99 alone: %.1f; without the bulkhead %.1f",
		searchers, median(guarded.ratios), median(open.ratios))
	t.Logf("searches answered and refused: %d, %d; without the bulkhead %d, %d",
		guarded.found.Load(), guarded.refused.Load(), open.found.Load(), open.refused.Load())
	t.Logf("without the bulkhead the p99 is %.1f times as long (each round: %.1f)", median(gain), gain)
	require.Positive(t, guarded.found.Load(), "some searches are answered")
	require.Greater(t, median(gain), 1.5, "the bulkhead makes no difference")
	guarded.shop.RequireClean()
}

func median(all []float64) float64 {
	sorted := slices.Sorted(slices.Values(all))
	return sorted[len(sorted)/2]
}

// rush is a shop with a large catalogue.
type rush struct {
	t       *testing.T
	shop    *kit.Shop
	client  *kit.Client
	sku     string
	orders  int
	ratios  []float64       // of each round: p99 beside searchers to p99 alone
	beside  []time.Duration // of each round: p99 beside searchers
	found   atomic.Int64
	refused atomic.Int64
}

func newRush(t *testing.T, platform *kit.Platform, settings ...string) *rush {
	t.Helper()
	r := &rush{t: t, shop: kit.NewShop(t, platform, settings...)}
	r.client = r.shop.Client()
	r.sku = r.shop.ImportCards("rush", "1.00", kit.Keys("RUSH", 20000))
	rows := make([]string, bulkheadProducts)
	for i := range rows {
		rows[i] = fmt.Sprintf("bulk-%d,manual,A product among many with a long name %d,bulk-%d,1.00,", i, i, i)
	}
	out := r.shop.Run("import", "catalog", kit.CatalogFile(t, t.TempDir(), rows...))
	require.Zero(t, out.Code, "%s%s", out.Out, out.Err)
	return r
}

func (r *rush) last() float64 { return r.beside[len(r.beside)-1].Seconds() }

// round measures orders alone and then beside searchers.
func (r *rush) round() {
	r.t.Helper()
	alone := r.slowest()
	ctx, stop := context.WithCancel(r.t.Context())
	var all sync.WaitGroup
	for i := range searchers {
		all.Go(func() { r.search(ctx, i) })
	}
	beside := r.slowest()
	stop()
	all.Wait()
	r.t.Logf("alone %v, beside searchers %v", alone, beside)
	r.beside = append(r.beside, beside)
	r.ratios = append(r.ratios, beside.Seconds()/alone.Seconds())
}

// slowest places orders for a while, one after the other, looks at each, and
// gives the p99 of the two together.
func (r *rush) slowest() time.Duration {
	r.t.Helper()
	var took []time.Duration
	for until := time.Now().Add(bulkheadPhase); len(took) < 8 || time.Now().Before(until); {
		r.orders++
		began := time.Now()
		placed, err := r.client.Place(r.t.Context(), buyer(r.orders), one(r.sku))
		require.NoError(r.t, err)
		_, err = r.client.Order(r.t.Context(), placed)
		require.NoError(r.t, err)
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	return took[len(took)*99/100]
}

// search asks for what is not there, again and again, and never waits as told.
func (r *rush) search(ctx context.Context, i int) {
	for n := 0; ctx.Err() == nil; n++ {
		status, header, _, err := r.client.Raw(ctx, http.MethodGet, fmt.Sprintf("/api/v1/products?q=nothing-%d-%d", i, n), nil, nil)
		switch {
		case err != nil: // the round is over
		case status == http.StatusOK:
			r.found.Add(1)
		case status == http.StatusServiceUnavailable && header.Get("Retry-After") != "":
			r.refused.Add(1)
		default:
			r.t.Errorf("a search was answered %d", status)
		}
	}
}
