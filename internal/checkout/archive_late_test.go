package checkout_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/catalog"
	"panshi/internal/checkout"
	"panshi/internal/clock"
	"panshi/internal/db"
	"panshi/internal/db/dbtest"
	"panshi/internal/order"
	"panshi/internal/payment"
)

// lateOrder is an archived order that closed unpaid, and the reports of money
// that come for it after all.
type lateOrder struct {
	placed checkout.Placed
	told   []told
}

type told struct {
	account payment.Account
	report  payment.Report
}

// lateOrder closes an order with a payment at each account, pays all of them,
// and archives it.
func (s *aged) lateOrder(key string, sku catalog.SKU, accounts ...payment.Account) lateOrder {
	s.t.Helper()
	late := lateOrder{placed: s.mustPlace(key, sku, 1)}
	for i, account := range accounts {
		pay, err := s.svc.StartPayment(s.t.Context(), checkout.PayRequest{
			MerchantID: s.merchant.ID, OrderNo: late.placed.Order.No, Token: late.placed.AccessToken,
			Key: fmt.Sprint(key, i), Channel: account.ID,
		})
		require.NoError(s.t, err)
		late.told = append(late.told, told{account, payment.Report{}})
		late.told[i].report.PaymentNo = pay.No
	}
	s.expire()
	for i, t := range late.told {
		at := s.platform
		if t.account.ID != s.account.ID {
			at = s.other
		}
		late.told[i].report = at.pay(t.report.PaymentNo)
	}
	s.exec(`UPDATE payments SET next_query_at = NULL`)
	s.now.Advance(year)
	s.archive()
	require.True(s.t, s.isArchived(late.placed))
	return late
}

// tellTwice tells each report to two processes, all at the same time, and gives
// the outcomes in alphabetical order. On PostgreSQL nobody goes on with the
// archived order before several have come.
func (s *aged) tellTwice(t *testing.T, late lateOrder) (outcomes []checkout.Outcome) {
	t.Helper()
	release := func() error { return nil }
	if s.engine() == db.Postgres {
		release = s.during(t, func(tx *db.Tx) error {
			_, err := tx.Exec(`SELECT id FROM archived_orders WHERE id = $1 FOR UPDATE`, late.placed.Order.ID)
			return err
		}, nothing)
	}
	nodes := []*checkout.Service{s.svc, s.node()}
	var mu sync.Mutex
	var all sync.WaitGroup
	for _, report := range late.told {
		for _, node := range nodes {
			all.Go(func() {
				outcome, err := node.Settle(t.Context(), report.account, report.report, "callback")
				mu.Lock()
				defer mu.Unlock()
				outcomes = append(outcomes, outcome)
				if err != nil {
					t.Errorf("a report was answered with an error: %v", err)
				}
			})
		}
	}
	if s.engine() == db.Postgres {
		require.Eventually(t, func() bool { return s.waiters() >= 2 }, 30*time.Second, time.Millisecond)
	}
	require.NoError(t, release())
	all.Wait()
	slices.Sort(outcomes)
	return outcomes
}

func (s *shop) engine() (engine db.Engine) {
	require.NoError(s.t, s.db.View(s.t.Context(), func(tx *db.Tx) error { engine = tx.Engine(); return nil }))
	return engine
}

func onPatientEngines(t *testing.T, test func(t *testing.T, s *aged)) {
	dbtest.Engines(t, func(t *testing.T, open func(dbtest.Options) db.DB) {
		now := clock.NewManual(time.Now())
		rows := dbtest.Record(open(dbtest.Options{Clock: now, StatementLimit: time.Minute}))
		test(t, &aged{newShopOn(t, rows), now, rows})
	})
}

// TestLateMoneyForAnArchivedOrderIsToldTwiceAtOnce: by the same platform again
// and again, and by two platforms that were both paid. The goods go out once or
// the money goes back once, nobody hears of an error, and the books agree.
func TestLateMoneyForAnArchivedOrderIsToldTwiceAtOnce(t *testing.T) {
	onPatientEngines(t, func(t *testing.T, s *aged) {
		card, other := s.product("card", catalog.Card, 100), s.secondAccount()
		s.cards(card, 2)
		once := s.lateOrder("once", card, s.account)
		require.Equal(t, []checkout.Outcome{checkout.Late, checkout.Repeated}, s.tellTwice(t, once))
		require.Equal(t, order.Delivered, s.status(once.placed))
		require.EqualValues(t, 1, s.available(card))
		require.False(t, s.isArchived(once.placed))
		s.sound()

		both := s.lateOrder("both", card, s.account, other)
		require.Equal(t, []checkout.Outcome{checkout.Late, checkout.Refunding, checkout.Repeated, checkout.Repeated}, s.tellTwice(t, both))
		require.Equal(t, order.Delivered, s.status(both.placed))
		require.Zero(t, s.available(card))
		require.EqualValues(t, 1, s.number(`SELECT COUNT(*) FROM refunds WHERE order_id = $1`, both.placed.Order.ID), "one of the two payments goes back")
		s.sound()

		s.cards(card, 1)
		soldOut := s.lateOrder("gone", card, s.account, other)
		s.bought("last", card, 1)
		require.Equal(t, []checkout.Outcome{checkout.Refunding, checkout.Refunding, checkout.Repeated, checkout.Repeated}, s.tellTwice(t, soldOut))
		require.EqualValues(t, 2, s.number(`SELECT COUNT(*) FROM refunds WHERE order_id = $1`, soldOut.placed.Order.ID), "both go back")
		s.refunds()
		require.Equal(t, order.Refunded, s.status(soldOut.placed))
		s.sound()
	})
}
