package checkout_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"panshi/internal/catalog"
	"panshi/internal/checkout"
	"panshi/internal/clock"
	"panshi/internal/db"
	"panshi/internal/db/dbtest"
	"panshi/internal/errs"
	"panshi/internal/order"
	"panshi/internal/stock"
)

// newServerShop is a shop on PostgreSQL, where requests run in batches.
func newServerShop(t *testing.T, change ...func(*checkout.Config)) *shop {
	t.Helper()
	dbtest.Once(t)
	return newShopOn(t, dbtest.Postgres(t), change...)
}

// node is a second process of the shop: the same data, and nothing else.
func (s *shop) node(change ...func(*checkout.Config)) *checkout.Service {
	cfg := checkout.Defaults()
	cfg.UnpaidLimit = 0
	for _, c := range change {
		c(&cfg)
	}
	return checkout.New(s.db, s.vault, s.accounts, cfg, clock.System{}, slog.New(slog.NewTextHandler(io.Discard, nil)))
}

func (s *shop) request(key, buyer string, lines ...checkout.PlaceLine) checkout.PlaceRequest {
	contact, err := order.ParseContact(buyer+"@example.com", "")
	require.NoError(s.t, err)
	return checkout.PlaceRequest{
		MerchantID: s.merchant.ID, Key: key, BodyDigest: []byte(key), Lines: lines, Contact: contact, Lang: "zh-CN",
	}
}

func of(sku catalog.SKU, n int) checkout.PlaceLine {
	return checkout.PlaceLine{SKUID: sku.ID, Quantity: n}
}

// TestABatchServesTheGoodAndRefusesTheBad puts one request of every kind into
// one batch, and compares each refusal with what the request hears alone.
func TestABatchServesTheGoodAndRefusesTheBad(t *testing.T) {
	s := newServerShop(t, func(c *checkout.Config) { c.UnpaidLimit = 2 })
	card, text := s.product("card", catalog.Card, 100), s.product("text", catalog.Text, 30)
	s.cards(card, 6)
	other := s.product("other", catalog.Card, 100)
	s.cards(other, 401)
	off := s.product("off", catalog.Text, 1, func(p *catalog.Product) { p.On = false })
	few := s.product("few", catalog.Text, 1, func(p *catalog.Product) { p.PerOrderLimit = 2 })
	mine := s.product("mine", catalog.Text, 1, func(p *catalog.Product) { p.PerContactLimit = 2 })
	work := s.product("work", catalog.Manual, 5)
	s.setCount("work", true, 3)
	_, err := s.svc.Place(t.Context(), s.request("used", "early", of(text, 1)))
	require.NoError(t, err)
	reused := s.request("used", "early", of(text, 1))
	reused.BodyDigest = []byte("another")

	batch := []struct {
		request checkout.PlaceRequest
		code    string // "" for an order, "alone" for the single path
	}{
		{s.request("a", "a", of(card, 2), of(text, 3)), ""},
		{s.request("b", "b", of(card, 5)), "sold_out"}, // there are 6, and a took 2
		{s.request("c", "c", of(card, 4)), ""},
		{s.request("d", "d", of(card, 1)), "sold_out"},
		{s.request("e", "e", of(off, 1)), "sku_off_sale"},
		{s.request("f", "f", of(text, 1), checkout.PlaceLine{SKUID: [16]byte{1}, Quantity: 1}), "sku_not_found"},
		{s.request("g", "g", of(few, 3)), "order_limit"},
		{s.request("h", "h", of(mine, 1)), "alone"},
		{s.request("used", "early", of(text, 1)), "alone"},
		{reused, "alone"},
		{s.request("twice", "i", of(text, 1)), ""},
		{s.request("twice", "i", of(text, 1)), "alone"},
		{s.request("j1", "j", of(text, 1)), ""},
		{s.request("j2", "j", of(work, 3)), ""},
		{s.request("j3", "j", of(text, 1)), "unpaid_limit"},
		{s.request("k", "k", of(work, 1)), "sold_out"},
		{s.request("l", "l", of(other, 201)), "too_many_cards"},
		{s.request("m", "m", of(other, 200)), ""},
	}
	requests := make([]checkout.PlaceRequest, len(batch))
	for i, b := range batch {
		requests[i] = b.request
	}
	placed, failures, err := s.svc.PlaceTogether(t.Context(), requests)
	require.NoError(t, err)
	s.sound()
	for i, b := range batch {
		switch b.code {
		case "":
			require.NoError(t, failures[i], b.request.Key)
			again, err := s.svc.Place(t.Context(), b.request)
			require.NoError(t, err)
			require.True(t, again.Repeated)
			require.Equal(t, placed[i].Order.ID, again.Order.ID)
			require.Equal(t, placed[i].Lines, again.Lines)
			require.Equal(t, placed[i].Order, again.Order)
		case "alone":
			require.ErrorIs(t, failures[i], checkout.ErrAlone)
		default:
			require.Equal(t, b.code, errs.CodeOf(failures[i]), b.request.Key)
			_, alone := s.svc.Place(t.Context(), b.request)
			require.Equal(t, alone, failures[i], "the same words as alone")
		}
	}
	require.Zero(t, s.number(`SELECT COUNT(*) FROM idempotency_keys WHERE key IN ('b', 'd', 'e', 'f', 'g', 'h', 'j3', 'k', 'l')`))
	require.Equal(t, int64(1+6), s.number(`SELECT COUNT(*) FROM orders`))
	s.sound()
}

// TestOneKeyFromManyHandsIsOneOrder sends one request many times at once to
// two processes.
func TestOneKeyFromManyHandsIsOneOrder(t *testing.T) {
	s := newServerShop(t)
	sku := s.product("card", catalog.Card, 100)
	s.cards(sku, 1)
	nodes := []*checkout.Service{s.svc, s.node()}
	r := s.request("k", "buyer", of(sku, 1))
	placed, failures := together(32, func(i int) (checkout.Placed, error) { return nodes[i%2].Place(t.Context(), r) })
	require.NoError(t, errors.Join(failures...), "the last card is theirs: no repeat is sold out")
	first := 0
	for _, p := range placed {
		require.Equal(t, placed[0].Order.ID, p.Order.ID)
		if !p.Repeated {
			first++
		}
	}
	require.Equal(t, 1, first)
	s.sound()
}

// together runs do n times at once.
func together[T any](n int, do func(i int) (T, error)) ([]T, []error) {
	outs, failures := make([]T, n), make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { outs[i], failures[i] = do(i) })
	}
	wg.Wait()
	return outs, failures
}

// TestTwoNodesSellTheLastCardsOnce lets batches of two processes fight for
// cards: all are sold, none twice, and who hears "sold out" hears the truth.
func TestTwoNodesSellTheLastCardsOnce(t *testing.T) {
	s := newServerShop(t)
	one, two := s.product("one", catalog.Card, 100), s.product("two", catalog.Card, 100)
	s.cards(one, 60)
	s.cards(two, 60)
	nodes := []*checkout.Service{s.svc, s.node()}
	placed, failures := together(160, func(i int) (checkout.Placed, error) {
		lines := []checkout.PlaceLine{of(one, 1), of(two, 1)}
		if i%4 < 2 {
			lines[0], lines[1] = lines[1], lines[0]
		}
		return nodes[i%2].Place(t.Context(), s.request(fmt.Sprint(i), fmt.Sprint("b", i), lines...))
	})
	won := 0
	for i, err := range failures {
		if err != nil {
			require.Equal(t, "sold_out", errs.CodeOf(err))
			continue
		}
		won++
		require.NotEmpty(t, placed[i].Order.No)
	}
	require.Equal(t, 60, won)
	require.Zero(t, s.available(one))
	s.sound()
}

// TestCardsThatComeBackAreNotSoldOut: another transaction takes the last cards
// and gives them up. Nobody may hear "sold out" meanwhile.
func TestCardsThatComeBackAreNotSoldOut(t *testing.T) {
	s := newServerShop(t)
	sku := s.product("card", catalog.Card, 100)
	s.cards(sku, 8)
	giveUp := s.during(t, func(tx *db.Tx) error {
		_, err := tx.Exec(`UPDATE cards SET status = 'held', order_id = id WHERE sku_id = $1`, sku.ID)
		return err
	}, func(*db.Tx) error { return errors.New("changed my mind") })
	_, failures, err := s.svc.PlaceTogether(t.Context(), []checkout.PlaceRequest{
		s.request("x", "x", of(sku, 1)), s.request("y", "y", of(sku, 1)),
	})
	require.NoError(t, err)
	require.ErrorIs(t, errors.Join(failures...), checkout.ErrAlone)
	for _, err := range failures {
		require.NotErrorIs(t, err, stock.ErrSoldOut)
	}
	_, aloneErr := s.svc.Place(t.Context(), s.request("z", "z", of(sku, 1)))
	require.ErrorIs(t, aloneErr, stock.ErrCardsBusy, "they are in other hands, and that is what the buyer hears")
	require.Error(t, giveUp())
	_, failures = together(8, func(i int) (checkout.Placed, error) {
		return s.svc.Place(t.Context(), s.request(fmt.Sprint(i), fmt.Sprint("b", i), of(sku, 1)))
	})
	require.NoError(t, errors.Join(failures...))
	s.sound()
}

// TestTheUnpaidLimitIsHard: two processes count a contact's orders at once.
func TestTheUnpaidLimitIsHard(t *testing.T) {
	limit := func(c *checkout.Config) { c.UnpaidLimit = 2 }
	s := newServerShop(t, limit)
	sku := s.product("text", catalog.Text, 100)
	nodes := []*checkout.Service{s.svc, s.node(limit), s.node(limit)}
	_, failures := together(24, func(i int) (checkout.Placed, error) {
		return nodes[i%3].Place(t.Context(), s.request(fmt.Sprint(i), "same", of(sku, 1)))
	})
	for _, err := range failures {
		if err != nil {
			require.Equal(t, "unpaid_limit", errs.CodeOf(err))
		}
	}
	require.Equal(t, int64(2), s.number(`SELECT COUNT(*) FROM orders`))
}

// failing is a database whose transactions run and then do not commit.
type failing struct{ db.DB }

func (f failing) Update(ctx context.Context, fn func(*db.Tx) error) error {
	return f.DB.Update(ctx, func(tx *db.Tx) error {
		if err := fn(tx); err != nil {
			return err
		}
		return errNoCommit
	})
}

var errNoCommit = errs.New(errs.Unavailable, "no_commit", "the commit failed")

// TestNobodyHearsOfAnOrderBeforeItsCommit: when commits fail every buyer hears
// so, and nothing is left.
func TestNobodyHearsOfAnOrderBeforeItsCommit(t *testing.T) {
	s := newServerShop(t)
	sku := s.product("card", catalog.Card, 100)
	s.cards(sku, 40)
	whole := s.db
	s.db = failing{whole}
	svc := s.node()
	s.db = whole
	_, failures := together(40, func(i int) (checkout.Placed, error) {
		return svc.Place(t.Context(), s.request(fmt.Sprint(i), fmt.Sprint("b", i), of(sku, 1)))
	})
	for _, err := range failures {
		require.ErrorIs(t, err, errNoCommit)
	}
	require.Zero(t, s.number(`SELECT COUNT(*) FROM orders`)+s.number(`SELECT COUNT(*) FROM idempotency_keys`))
	require.Equal(t, int64(40), s.available(sku))
	s.sound()
}
