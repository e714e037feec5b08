package checkout

import (
	"bytes"
	"cmp"
	"errors"
	"slices"
	"strconv"

	"panshi/internal/catalog"
	"panshi/internal/db"
	"panshi/internal/id"
	"panshi/internal/order"
	"panshi/internal/stock"
)

// placeBatch places many orders in one transaction by statements on sets of
// rows. Who cannot get an order is found before anything is written for it.
//
// Reads come in an order that makes every refusal true: the shelf, then the
// contacts' orders, then the keys. Whoever used a key before did so before the
// shelf could show it, so that a repeat is seen as one and never refused.
// Counters come last: a counter's row is locked for as short as possible.
type placeBatch struct {
	*Service
	tx       *db.Tx
	items    []placing
	results  []placeResult
	quotes   map[catalog.Wanted]catalog.Quote
	taken    map[shelf]int64   // of what the quotes tell, by the items before
	unpaid   map[contact]int   // pending orders, with those of the items before
	cards    map[id.ID][]id.ID // locked for this batch, by SKU
	accepted []int             // items that get an order, in order
}

type shelf struct{ merchant, sku id.ID }

type contact struct {
	merchant id.ID
	index    string
}

func (s *Service) placeBatchTx(tx *db.Tx, batch []placing) ([]placeResult, error) {
	b := &placeBatch{
		Service: s, tx: tx, items: batch, results: make([]placeResult, len(batch)),
		taken: make(map[shelf]int64), unpaid: make(map[contact]int),
	}
	for _, step := range []func() error{
		b.readContacts, b.readShelf, b.readKeys, b.judge, b.pickCards, b.takeKeys, b.write,
	} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return b.results, nil
}

// readContacts locks the contacts and counts their unpaid orders. The lock
// comes first in the transaction, as in that of a single order.
func (b *placeBatch) readContacts() error {
	if b.cfg.UnpaidLimit == 0 {
		return nil
	}
	var contacts []order.Unpaid
	for _, p := range b.items {
		contacts = append(contacts, order.Unpaid{MerchantID: p.MerchantID, ContactIndex: p.contactIndex})
	}
	if err := order.LockContactsTx(b.tx, contacts...); err != nil {
		return err
	}
	counted, err := order.UnpaidOfManyTx(b.tx, contacts)
	for _, u := range counted {
		b.unpaid[contact{u.MerchantID, string(u.ContactIndex)}] = u.Orders
	}
	return err
}

func (b *placeBatch) readShelf() (err error) {
	var wanted []catalog.Wanted
	for _, p := range b.items {
		for _, l := range p.Lines {
			wanted = append(wanted, catalog.Wanted{MerchantID: p.MerchantID, SKUID: l.SKUID, Lang: p.Lang})
		}
	}
	b.quotes, err = catalog.QuotesTx(b.tx, wanted)
	return err
}

// readKeys leaves those whose key is in use, also by another item of the
// batch, to the single path: it tells a repeat from another request.
func (b *placeBatch) readKeys() error {
	names := make([]keyName, len(b.items))
	for i, p := range b.items {
		names[i] = p.idempotency().name()
	}
	uses, err := usesTx(b.tx, names)
	if err != nil {
		return err
	}
	for i, name := range names {
		if _, used := uses[name]; used {
			b.results[i].err = errAlone
		}
		uses[name] = nil
	}
	return nil
}

func (b *placeBatch) keys(items []int) []idempotency {
	keys := make([]idempotency, len(items))
	for n, i := range items {
		keys[n] = b.items[i].idempotency()
	}
	return keys
}

// judge prices the items one after the other, each as if those before it had
// their orders already.
func (b *placeBatch) judge() error {
	for i := range b.items {
		if b.results[i].err != nil {
			continue
		}
		if b.results[i].err = b.judgeOne(i); b.results[i].err == nil {
			b.accepted = append(b.accepted, i)
		}
	}
	return nil
}

func (b *placeBatch) judgeOne(i int) error {
	p := b.items[i]
	lines, err := price(p, b.quote(p), notInBatches)
	if err != nil {
		return err
	}
	o, err := b.newOrder(b.tx.Now(), p, lines)
	if err != nil {
		return err
	}
	who := contact{p.MerchantID, string(p.contactIndex)}
	if err := b.checkUnpaid(b.unpaid[who]); err != nil {
		return err
	}
	b.unpaid[who]++
	for _, l := range lines {
		if stock.Mode(l.StockMode) != stock.Unlimited {
			b.taken[shelf{p.MerchantID, l.SKUID}] += int64(l.Quantity)
		}
	}
	b.results[i].order, b.results[i].lines = o, lines
	return nil
}

// quote gives what the shelf has after the items before.
func (b *placeBatch) quote(p placing) quoter {
	return func(l PlaceLine) (catalog.Quote, error) {
		q, found := b.quotes[catalog.Wanted{MerchantID: p.MerchantID, SKUID: l.SKUID, Lang: p.Lang}]
		if !found {
			return q, catalog.ErrSKUNotFound
		}
		q.Available -= b.taken[shelf{p.MerchantID, l.SKUID}]
		return q, nil
	}
}

// notInBatches leaves products with a limit per contact to the single path.
func notInBatches(catalog.Quote, int) error { return errAlone }

// pickCards locks cards for the accepted items. If others are just taking some
// there are fewer than the counter told: who gets none tries again alone.
func (b *placeBatch) pickCards() error {
	wants := make(map[shelf]int)
	for _, i := range b.accepted {
		for _, l := range b.results[i].lines {
			if l.StockMode == string(stock.Cards) {
				wants[shelf{b.items[i].MerchantID, l.SKUID}] += l.Quantity
			}
		}
	}
	var list []stock.Want
	for s, n := range wants {
		list = append(list, stock.Want{MerchantID: s.merchant, SKUID: s.sku, Quantity: n})
	}
	slices.SortFunc(list, func(x, y stock.Want) int { return bytes.Compare(x.SKUID[:], y.SKUID[:]) })
	var err error
	if b.cards, err = stock.PickCardsTx(b.tx, list); err != nil {
		return err
	}
	found := make(map[id.ID]int, len(b.cards))
	for sku, cards := range b.cards {
		found[sku] = len(cards)
	}
	b.drop(func(i int) bool { return !b.serve(i, found) })
	return nil
}

// serve takes an item's cards from those found, if there are enough of all.
func (b *placeBatch) serve(i int, found map[id.ID]int) bool {
	lines := b.results[i].lines
	for _, l := range lines {
		if l.StockMode == string(stock.Cards) && found[l.SKUID] < l.Quantity {
			return false
		}
	}
	for _, l := range lines {
		if l.StockMode == string(stock.Cards) {
			found[l.SKUID] -= l.Quantity
		}
	}
	return true
}

// drop leaves accepted items to the single path. Who was refused because of
// what they would have taken goes with them: it may be there after all.
func (b *placeBatch) drop(out func(i int) bool) {
	before := len(b.accepted)
	b.accepted = slices.DeleteFunc(b.accepted, func(i int) bool {
		if !out(i) {
			return false
		}
		b.results[i] = placeResult{err: errAlone}
		return true
	})
	if len(b.accepted) == before {
		return
	}
	for i, r := range b.results {
		if errors.Is(r.err, stock.ErrSoldOut) || errors.Is(r.err, errUnpaidLimit) {
			b.results[i].err = errAlone
		}
	}
}

// takeKeys claims the accepted items' keys. A key that another process took
// meanwhile is the single path's.
func (b *placeBatch) takeKeys() error {
	if len(b.accepted) == 0 {
		return nil
	}
	sorted := slices.Clone(b.accepted) // two batches take the same keys in the same order
	slices.SortFunc(sorted, func(x, y int) int { return cmp.Compare(b.items[x].Key, b.items[y].Key) })
	subjects := make([]id.ID, len(sorted))
	for n, i := range sorted {
		subjects[n] = b.items[i].orderID
	}
	fresh, err := claimKeysTx(b.tx, b.keys(sorted), subjects)
	if err != nil {
		return err
	}
	b.drop(func(i int) bool { return !fresh[b.items[i].orderID] })
	return nil
}

func (b *placeBatch) write() error {
	if len(b.accepted) == 0 {
		return nil
	}
	var placed []order.Placed
	var cards, holders []id.ID
	var tally stock.Tally
	for _, i := range b.accepted {
		r := b.results[i]
		placed = append(placed, order.Placed{Order: r.order, Lines: r.lines})
		tally.Add(r.order.MerchantID, claimsOf(r.lines))
		for _, l := range r.lines {
			if l.StockMode != string(stock.Cards) {
				continue
			}
			cards = append(cards, b.cards[l.SKUID][:l.Quantity]...)
			b.cards[l.SKUID] = b.cards[l.SKUID][l.Quantity:]
			for range l.Quantity {
				holders = append(holders, r.order.ID)
			}
		}
	}
	if err := order.InsertManyTx(b.tx, placed); err != nil {
		return err
	}
	if err := stock.HoldCardsTx(b.tx, cards, holders); err != nil {
		return err
	}
	return stock.HoldCountersTx(b.tx, tally)
}

// checkUnpaid compares a contact's unpaid orders with the limit.
func (s *Service) checkUnpaid(n int) error {
	if s.cfg.UnpaidLimit > 0 && n >= s.cfg.UnpaidLimit {
		return errUnpaidLimit.With("limit", strconv.Itoa(s.cfg.UnpaidLimit))
	}
	return nil
}
