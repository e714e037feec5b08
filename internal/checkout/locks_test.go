package checkout_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/catalog"
	"panshi/internal/checkout"
	"panshi/internal/db"
	"panshi/internal/db/dbtest"
	"panshi/internal/db/postgres"
)

// during runs a transaction that does first, then waits until release is
// called or the test ends, then does last, and tells how it ended.
func (s *shop) during(t *testing.T, first, last func(tx *db.Tx) error) (release func() error) {
	t.Helper()
	held, let := make(chan struct{}), make(chan struct{})
	ended := make(chan error, 1)
	again := false
	go func() {
		ended <- s.db.Update(context.WithoutCancel(t.Context()), func(tx *db.Tx) error {
			if err := first(tx); err != nil {
				return err
			}
			if !again { // the transaction itself may be the one that runs again
				again = true
				close(held)
				<-let
			}
			return last(tx)
		})
	}()
	<-held
	release = sync.OnceValue(func() error {
		close(let)
		return <-ended
	})
	t.Cleanup(func() { _ = release() }) // a failed test does not wait for it
	return release
}

func nothing(*db.Tx) error { return nil }

// newPatientShop is on a server on which a wait for a lock has time until the
// test has seen it, on a busy machine too.
func newPatientShop(t *testing.T) *shop {
	t.Helper()
	dbtest.Once(t)
	return newShopOn(t, dbtest.Postgres(t, func(c *postgres.Config) { c.StatementLimit = time.Minute }))
}

// awaitWaiter returns when a transaction waits for a lock.
func (s *shop) awaitWaiter(t *testing.T) {
	t.Helper()
	require.Eventually(t, func() bool { return s.waiters() > 0 }, 30*time.Second, time.Millisecond)
}

// both places one request alone and two in a batch.
func (s *shop) both(keys string, lines ...checkout.PlaceLine) error {
	_, alone := s.svc.Place(s.t.Context(), s.request(keys+"1", keys+"1", lines...))
	_, failures, err := s.svc.PlaceTogether(s.t.Context(), []checkout.PlaceRequest{
		s.request(keys+"2", keys+"2", lines...), s.request(keys+"3", keys+"3", lines...),
	})
	return errors.Join(append(failures, alone, err)...)
}

// TestCardsInOtherHandsAreSteppedOver: who buys does not wait for a transaction
// that holds the oldest card (SKIP LOCKED).
func TestCardsInOtherHandsAreSteppedOver(t *testing.T) {
	s := newServerShop(t)
	sku := s.product("card", catalog.Card, 100)
	s.cards(sku, 10)
	release := s.during(t, func(tx *db.Tx) error {
		_, err := tx.Exec(`SELECT id FROM cards WHERE sku_id = $1 ORDER BY id LIMIT 1 FOR UPDATE`, sku.ID)
		return err
	}, nothing)
	require.NoError(t, s.both("k", of(sku, 1)))
	require.NoError(t, release())
	require.Equal(t, int64(7), s.available(sku))
	s.sound()
}

// TestCountersComeLast: an order that waits for a counter has done all its
// other work, so that others wait for it as short as possible.
func TestCountersComeLast(t *testing.T) {
	s := newPatientShop(t)
	sku := s.product("card", catalog.Card, 100)
	for name, place := range map[string]func(key string) error{
		"alone": func(key string) error {
			_, err := s.svc.Place(t.Context(), s.request(key, key, of(sku, 1)))
			return err
		},
		"in a batch": func(key string) error {
			_, failures, err := s.svc.PlaceTogether(t.Context(), []checkout.PlaceRequest{
				s.request(key+"1", key+"1", of(sku, 1)), s.request(key+"2", key+"2", of(sku, 1)),
			})
			return errors.Join(append(failures, err)...)
		},
	} {
		t.Run(name, func(t *testing.T) {
			s.cards(sku, 5)
			release := s.during(t, func(tx *db.Tx) error {
				_, err := tx.Exec(`SELECT sku_id FROM stock WHERE sku_id = $1 FOR UPDATE`, sku.ID)
				return err
			}, nothing)
			placed := make(chan error, 1)
			go func() { placed <- place(name[:1]) }()
			s.awaitWaiter(t) // for counting locks the cards, and an order that meets that takes none
			require.Less(t, s.freeCards(sku), s.available(sku), "it holds its cards while it waits for the counter")
			require.NoError(t, release())
			require.NoError(t, <-placed)
			s.sound()
		})
	}
}

// freeCards counts the available cards that no transaction holds. It holds
// them itself while it counts.
func (s *shop) freeCards(sku catalog.SKU) (n int64) {
	require.NoError(s.t, s.db.Update(s.t.Context(), func(tx *db.Tx) error {
		return tx.Get([]any{&n}, `SELECT COUNT(*) FROM (SELECT id FROM cards
			WHERE sku_id = $1 AND status = 'available' FOR UPDATE SKIP LOCKED) free`, sku.ID)
	}))
	return n
}

// TestADeadlockIsTriedAgain makes an order and another transaction wait for
// each other's counters; both come through.
func TestADeadlockIsTriedAgain(t *testing.T) {
	s := newPatientShop(t)
	one, two := s.product("one", catalog.Text, 1), s.product("two", catalog.Text, 1)
	for i := range 3 {
		locked := func(sku catalog.SKU) func(tx *db.Tx) error {
			return func(tx *db.Tx) error {
				_, err := tx.Exec(`UPDATE stock SET updated_at = updated_at WHERE sku_id = $1`, sku.ID)
				return err
			}
		}
		release := s.during(t, locked(two), locked(one)) // orders go by SKU ids: first one, then two
		placed := make(chan error, 1)
		go func() { placed <- s.both(fmt.Sprint(i), of(two, 1), of(one, 1)) }()
		s.awaitWaiter(t)
		require.NoError(t, release())
		require.NoError(t, <-placed)
	}
	s.sound()
}

// waiters counts the transactions that wait for a lock.
func (s *shop) waiters() int64 {
	return s.number(`SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`)
}
