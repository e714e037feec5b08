package histories

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"

	"panshi/internal/db"
	"panshi/internal/id"
	"panshi/internal/order"
	"panshi/internal/stock"
)

// clients is how many use the shop at the same time.
const clients = 64

// What is on offer: SKUs that run out, some that do not, and some of which a
// number is counted instead of cards.
const (
	scarce, plenty, counted             = 4, 8, 4
	scarceItems, plentyItems, countedOf = 40, 350, 100
)

// run is one history in the making.
type run struct {
	*shop
	number  int // of the shop's histories
	goods   []*goods
	orders  []atomic.Int64 // numbers given to orders, by SKU
	contact order.Contact
	pool    pool
	wrong   faults
	ops     atomic.Int64
	begun   time.Time
}

func (r *run) now() int64 { return time.Since(r.begun).Nanoseconds() }

// record lets clients do about so many operations and gives their history, and
// what they were told that no shop should say.
func (s *shop) record(number int, seed uint64, operations int64) (history []porcupine.Operation, wrong []string) {
	s.t.Helper()
	contact, err := order.ParseContact("buyer@example.com", "")
	require.NoError(s.t, err)
	r := &run{shop: s, number: number, contact: contact, orders: make([]atomic.Int64, scarce+plenty+counted)}
	for n := range r.orders {
		switch {
		case n < scarce:
			r.goods = append(r.goods, s.offer(n, scarceItems, false))
		case n < scarce+plenty:
			r.goods = append(r.goods, s.offer(n, plentyItems, false))
		default:
			r.goods = append(r.goods, s.offer(n, countedOf, true))
		}
	}
	stop := s.disturb()
	r.begun = time.Now()
	logs := make([][]event, clients)
	var all sync.WaitGroup
	for n := range clients {
		all.Go(func() {
			c := &client{run: r, svc: s.services[n%len(s.services)], n: n, dice: rand.New(rand.NewPCG(seed, uint64(n)))}
			for r.ops.Load() < operations {
				c.step()
			}
			logs[n] = c.log
		})
	}
	all.Wait()
	stop()
	return r.history(slices.Concat(logs...)), r.wrong.list()
}

// history is what clients met, between what was on the shelf before and after.
func (r *run) history(log []event) []porcupine.Operation {
	r.t.Helper()
	final, err := r.rows(`order_id IS NOT NULL AND status = 'sold'`)
	require.NoError(r.t, err)
	byOrder := map[id.ID][]cardRow{}
	for _, row := range final {
		byOrder[row.order] = append(byOrder[row.order], row)
	}
	end := r.now()
	var history []porcupine.Operation
	for _, g := range r.goods {
		first := porcupine.Operation{Call: -1, Return: -1, Input: input{sku: g.n, kind: restock, quantity: g.stock}}
		first.Output = output{verdict: done, cards: make([]int, len(g.cards))}
		history = append(history, first)
		last := porcupine.Operation{Call: end, Return: end + 1, Input: input{sku: g.n, kind: count, quantity: r.available(g)}}
		last.Output = output{verdict: done, cards: r.shelf(g)}
		history = append(history, last)
	}
	fates := r.fates()
	for _, e := range log {
		if fate := fates[e.deal.Order.ID]; e.out.verdict == closed && !fate.closed || e.out.verdict == heard {
			e.out.verdict = map[bool]verdict{true: served, false: nothing}[fate.paid]
		}
		if !e.settled && (e.in.kind == deliver || e.in.kind == release) {
			e.out.cards = e.deal.lineOf(e.in.sku).cardsOf(byOrder[e.deal.Order.ID])
		}
		history = append(history, porcupine.Operation{ClientId: e.client, Input: e.in, Output: e.out, Call: e.call, Return: e.ret})
	}
	prune(history)
	return history
}

// fate is what happened to an order at some time.
type fate struct{ closed, paid bool }

// fates tells it of all orders.
func (r *run) fates() map[id.ID]fate {
	all := map[id.ID]fate{}
	require.NoError(r.t, r.db.View(r.t.Context(), func(tx *db.Tx) error {
		_, err := db.Collect(tx, func(rows db.Rows) (none struct{}, err error) {
			var order id.ID
			var f fate
			err = rows.Scan(&order, &f.closed, &f.paid)
			all[order] = f
			return none, err
		}, `SELECT id, closed_at IS NOT NULL, paid_at IS NOT NULL FROM orders`)
		return err
	}))
	return all
}

// available is a SKU's counter.
func (r *run) available(g *goods) int {
	var level stock.Level
	require.NoError(r.t, r.db.View(r.t.Context(), func(tx *db.Tx) (err error) {
		level, err = stock.LevelTx(tx, r.merchant, g.id)
		return err
	}))
	return int(level.Available)
}

// shelf lists a SKU's cards that are for sale.
func (r *run) shelf(g *goods) []int {
	rows, err := r.rows(`sku_id = $1 AND status = 'available'`, g.id)
	require.NoError(r.t, err)
	return line{goods: g}.cardsOf(rows)
}

// faults gathers what goroutines find wrong.
type faults struct {
	mu   sync.Mutex
	text []string // guarded by mu
}

func (f *faults) add(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.text = append(f.text, fmt.Sprintf(format, args...))
}

func (f *faults) list() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.text
}
