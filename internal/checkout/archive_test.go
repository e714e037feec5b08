package checkout_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/archive"
	"panshi/internal/audit"
	"panshi/internal/catalog"
	"panshi/internal/checkout"
	"panshi/internal/clock"
	"panshi/internal/db"
	"panshi/internal/db/dbtest"
	"panshi/internal/db/postgres"
	"panshi/internal/ledger"
	"panshi/internal/money"
	"panshi/internal/order"
	"panshi/internal/payment"
)

// aged is a shop whose clock a test moves.
type aged struct {
	*shop
	now  *clock.Manual
	rows *dbtest.Recorder
}

const year = 365 * 24 * time.Hour

// onEngines runs a test in a shop on each engine.
func onEngines(t *testing.T, test func(t *testing.T, s *aged)) {
	dbtest.Engines(t, func(t *testing.T, open func(dbtest.Options) db.DB) {
		now := clock.NewManual(time.Now())
		rows := dbtest.Record(open(dbtest.Options{Clock: now}))
		test(t, &aged{newShopOn(t, rows), now, rows})
	})
}

// archive walks through everything that is old enough.
func (s *aged) archive() {
	s.t.Helper()
	svc := archive.New(s.db, archive.Defaults(), s.now)
	for range 1000 {
		walking, err := svc.Step(s.t.Context())
		require.NoError(s.t, err)
		if !walking {
			return
		}
	}
	s.t.Fatalf("the archive's walk does not end")
}

func (s *aged) isArchived(p checkout.Placed) bool {
	s.t.Helper()
	return s.number(`SELECT COUNT(*) FROM archived_orders WHERE id = $1`, p.Order.ID) == 1
}

func (s *aged) completed(key string, sku catalog.SKU, quantity int) checkout.Placed {
	s.t.Helper()
	p, _ := s.bought(key, sku, quantity)
	s.exec(`UPDATE orders SET due_at = 1 WHERE id = $1`, p.Order.ID)
	s.sweep("orders.complete")
	require.Equal(s.t, order.Completed, s.status(p))
	return p
}

func (s *aged) refunded(key string, sku catalog.SKU) checkout.Placed {
	s.t.Helper()
	p := s.completed(key, sku, 1)
	s.refundOrder(p)
	s.refunds()
	require.Equal(s.t, order.Refunded, s.status(p))
	return p
}

// seen is all that anybody can see of a shop's orders.
type seen struct {
	views    []checkout.View
	revealed [][]checkout.Revealed
	trails   [][]audit.Record
	lists    map[order.Status][]string // order numbers
	balances map[string]int64
}

func (s *aged) look(placed ...checkout.Placed) seen {
	s.t.Helper()
	ctx, out := s.t.Context(), seen{lists: map[order.Status][]string{}, balances: map[string]int64{}}
	for _, p := range placed {
		v, err := s.svc.Order(ctx, s.merchant.ID, p.Order.No, p.AccessToken)
		require.NoError(s.t, err)
		v.Order.Archived = false
		out.views = append(out.views, v)
		trail, err := audit.NewReader(s.db).Of(ctx, s.merchant.ID, p.Order.ID)
		require.NoError(s.t, err)
		out.trails = append(out.trails, trail)
	}
	for _, status := range []order.Status{"", order.Completed, order.Closed, order.Refunded, order.Paid, order.Delivered} {
		out.lists[status] = s.list(status)
	}
	for _, account := range []string{ledger.Sales, ledger.RefundsDue, ledger.Suspense, ledger.Provider(s.account.ID)} {
		require.NoError(s.t, s.db.View(ctx, func(tx *db.Tx) error {
			sum, err := ledger.BalanceTx(tx, s.merchant.ID, account, money.CNY)
			out.balances[account] = sum.Minor
			return err
		}))
	}
	for _, p := range placed { // last: it leaves a record
		got, err := s.svc.Reveal(ctx, s.merchant.ID, p.Order.No, p.AccessToken)
		require.True(s.t, err == nil || len(got) == 0)
		out.revealed = append(out.revealed, got)
	}
	return out
}

// list pages through the orders of a state, two at a time.
func (s *aged) list(status order.Status) (numbers []string) {
	s.t.Helper()
	f := order.Filter{Status: status, Limit: 2}
	for {
		page, err := s.svc.Orders(s.t.Context(), s.merchant.ID, f)
		require.NoError(s.t, err)
		for _, o := range page {
			numbers = append(numbers, o.No)
			f.Before = o.ID
		}
		if len(page) < f.Limit {
			return numbers
		}
	}
}

func TestArchivedOrdersAreStillThere(t *testing.T) {
	onEngines(t, func(t *testing.T, s *aged) {
		card, text := s.product("card", catalog.Card, 100), s.product("hand", catalog.Manual, 300)
		s.cards(card, 20)
		s.exec(`UPDATE stock SET available = 9 WHERE sku_id = $1`, text.ID)
		old := []checkout.Placed{s.completed("a", card, 2), s.mustPlace("b", card, 1), s.refunded("c", card)}
		s.expire()
		waiting := s.mustPlace("d", text, 1)
		require.Equal(t, checkout.Settled, s.settle(s.startPayment(waiting).No))
		all := append(old, waiting, s.completed("e", card, 1))
		before := s.look(all...)

		s.now.Advance(year)
		young, _ := s.bought("f", card, 1)
		for _, status := range []order.Status{"", order.Delivered} {
			before.lists[status] = append([]string{young.Order.No}, before.lists[status]...)
		}
		before.balances[ledger.Sales] -= 100
		before.balances[ledger.Provider(s.account.ID)] += 100
		s.archive()
		for _, p := range []checkout.Placed{all[0], all[1], all[2], all[4]} {
			require.True(t, s.isArchived(p))
		}
		require.False(t, s.isArchived(waiting))
		require.Equal(t, int64(2), s.number(`SELECT COUNT(*) FROM orders`))
		require.Equal(t, int64(2), s.number(`SELECT COUNT(*) FROM ledger_postings`), "the young order's")
		require.Equal(t, int64(1), s.number(`SELECT COUNT(*) FROM audit_records`), "the young order's")
		s.sound()
		after := s.look(all...)
		for i := range before.trails {
			if len(before.revealed[i]) > 0 { // the look before left a record
				require.Len(t, after.trails[i], len(before.trails[i])+1)
				after.trails[i] = after.trails[i][:len(before.trails[i])]
			}
		}
		require.Equal(t, before, after)
		paid := after.views[0].Payments[0]
		require.ErrorIs(t, s.db.Update(t.Context(), func(tx *db.Tx) error {
			return ledger.PostTx(tx, ledger.Transfer(s.merchant.ID, "payment", paid.ID, ledger.Sales, ledger.Suspense, paid.Amount))
		}), db.ErrUnique, "what was booked is booked for ever")
		require.LessOrEqual(t, s.rows.MostWritten(), int64(db.MaxRows))
	})
}

func TestArchivedOrderComesBackToChange(t *testing.T) {
	onEngines(t, func(t *testing.T, s *aged) {
		card := s.product("card", catalog.Card, 100)
		s.cards(card, 5)
		bought, closed := s.completed("a", card, 2), s.mustPlace("b", card, 1)
		late := s.startPayment(closed)
		s.expire()
		s.exec(`UPDATE payments SET next_query_at = NULL`)
		s.now.Advance(year)
		s.archive()
		require.True(t, s.isArchived(bought) && s.isArchived(closed))

		s.refundOrder(bought)
		require.False(t, s.isArchived(bought))
		s.sound()
		s.refunds()
		require.Equal(t, order.Refunded, s.status(bought))
		require.Equal(t, checkout.Late, s.settle(late.No))
		require.False(t, s.isArchived(closed))
		require.Equal(t, order.Delivered, s.status(closed))
		s.sound()

		s.archive()
		require.False(t, s.isArchived(bought), "it changed a moment ago")
		s.now.Advance(year)
		s.sweep("orders.complete")
		s.archive()
		require.True(t, s.isArchived(bought) && s.isArchived(closed))
		s.sound()
	})
}

func TestArchiveLeavesWhatIsUnderWay(t *testing.T) {
	onEngines(t, func(t *testing.T, s *aged) {
		card := s.product("card", catalog.Card, 100)
		s.cards(card, 1)
		p := s.completed("a", card, 1)
		s.now.Advance(year)
		for what, hindrance := range map[string][2]string{
			"a payment that is asked about": {`UPDATE payments SET next_query_at = 1`, `UPDATE payments SET next_query_at = NULL`},
			"an open payment":               {`UPDATE payments SET status = 'open'`, `UPDATE payments SET status = 'paid'`},
			"another state":                 {`UPDATE orders SET status = 'refunding'`, `UPDATE orders SET status = 'completed'`},
			"waiting work":                  {`UPDATE deliveries SET status = 'waiting'`, `UPDATE deliveries SET status = 'delivered'`},
			"a late change":                 {`UPDATE orders SET delivered_at = delivered_at * 2`, `UPDATE orders SET delivered_at = delivered_at / 2`},
		} {
			s.exec(hindrance[0])
			s.archive()
			require.False(t, s.isArchived(p), what)
			s.exec(hindrance[1])
		}
		require.NoError(t, s.db.Update(t.Context(), func(tx *db.Tx) error {
			return payment.HoldTx(tx, payment.Hold{MerchantID: s.merchant.ID, OrderID: p.Order.ID, Reason: "test", Amount: p.Order.Total})
		}))
		s.archive()
		require.False(t, s.isArchived(p), "an open case")
		s.exec(`UPDATE holds SET resolved_at = 1`)
		s.archive()
		require.True(t, s.isArchived(p))
	})
}

// TestArchivePassesOverWhatChanges: where writers run side by side, an order
// that somebody is just changing is left alone.
func TestArchivePassesOverWhatChanges(t *testing.T) {
	now := clock.NewManual(time.Now())
	rows := dbtest.Record(dbtest.Postgres(t, func(c *postgres.Config) { c.Clock = now }))
	s := &aged{newShopOn(t, rows), now, rows}
	card := s.product("card", catalog.Card, 100)
	s.cards(card, 2)
	p, other := s.completed("a", card, 1), s.completed("b", card, 1)
	s.now.Advance(year)
	require.NoError(t, s.db.Update(t.Context(), func(tx *db.Tx) error {
		o, err := order.ByIDTx(tx, s.merchant.ID, p.Order.ID)
		if err != nil {
			return err
		}
		if _, err := order.MoveTx(tx, o, order.Refunding, order.Change{}); err != nil {
			return err
		}
		s.archive()
		return nil
	}))
	require.Equal(t, order.Refunding, s.status(p))
	require.True(t, s.isArchived(other))
	require.False(t, s.isArchived(p))
}
