package stock

import (
	"bytes"
	"slices"

	"panshi/internal/cache"
	"panshi/internal/db"
	"panshi/internal/id"
)

// Functions of this file serve a batch of orders by one statement each. They
// are written for PostgreSQL, where a round trip is what costs; SQLite runs
// each order as a closure of its own, which is the fast way there.

// Want is how many cards of a SKU a batch of orders needs.
type Want struct {
	MerchantID id.ID
	SKUID      id.ID
	Quantity   int
}

// pickCards locks the oldest available cards of many SKUs; see claimCards.
const pickCards = `SELECT w.sku_id, c.id FROM UNNEST($1::BYTEA[], $2::BYTEA[], $3::BIGINT[]) AS w(sku_id, merchant_id, n)
	CROSS JOIN LATERAL (SELECT id FROM cards WHERE sku_id = w.sku_id AND merchant_id = w.merchant_id AND status = 'available'
	ORDER BY sku_id, id LIMIT w.n FOR UPDATE SKIP LOCKED) c ORDER BY c.id`

// PickCardsTx locks available cards for others to keep off, and returns them
// by SKU, the oldest first. It may find fewer than are wanted, also while
// others are only thinking of taking the rest: that is no proof of sold out.
func PickCardsTx(tx *db.Tx, wants []Want) (map[id.ID][]id.ID, error) {
	picked := make(map[id.ID][]id.ID, len(wants))
	if len(wants) == 0 {
		return picked, nil
	}
	var skus, merchants []id.ID
	var quantities []int64
	for _, w := range wants {
		skus, merchants, quantities = append(skus, w.SKUID), append(merchants, w.MerchantID), append(quantities, int64(w.Quantity))
	}
	_, err := db.Collect(tx, func(rows db.Rows) (none struct{}, err error) {
		var sku, card id.ID
		err = rows.Scan(&sku, &card)
		picked[sku] = append(picked[sku], card)
		return none, err
	}, pickCards, skus, merchants, quantities)
	return picked, err
}

// HoldCardsTx holds picked cards, each for the order at the same place.
// COALESCE is there for the planner: see payment.SettledManyTx.
func HoldCardsTx(tx *db.Tx, cards, orders []id.ID) error {
	if len(cards) == 0 {
		return nil
	}
	changed, err := tx.Exec(`UPDATE cards SET status = 'held', order_id = h.order_id
		FROM UNNEST($1::BYTEA[], $2::BYTEA[]) AS h(id, order_id)
		WHERE cards.id = h.id AND COALESCE(cards.status = 'available', FALSE)`, cards, orders)
	if err == nil && changed != int64(len(cards)) {
		return errHeldCardsMissing
	}
	return err
}

// SellHeldTx turns the held cards of orders into sold ones and returns them by
// order, the oldest first. The counters are the caller's.
func SellHeldTx(tx *db.Tx, orders []id.ID) (map[id.ID][]SoldCard, error) {
	sold := make(map[id.ID][]SoldCard, len(orders))
	_, err := db.Collect(tx, func(rows db.Rows) (none struct{}, err error) {
		var owner id.ID
		var c SoldCard
		err = rows.Scan(&owner, &c.ID, &c.SKUID)
		sold[owner] = append(sold[owner], c)
		return none, err
	}, `UPDATE cards SET status = 'sold' WHERE order_id = ANY($1) AND status = 'held' RETURNING order_id, id, sku_id`, orders)
	for _, cards := range sold {
		slices.SortFunc(cards, func(a, b SoldCard) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	}
	return sold, err
}

// Tally adds up what orders do to the counters of their SKUs.
type Tally struct{ rows map[tallied]*sums }

type tallied struct{ sku, merchant id.ID }

type sums struct{ items, onShelf int64 }

// Add counts an order's claims.
func (t *Tally) Add(merchantID id.ID, claims []Claim) {
	if t.rows == nil {
		t.rows = make(map[tallied]*sums)
	}
	for _, c := range claims {
		key := tallied{c.SKUID, merchantID}
		if t.rows[key] == nil {
			t.rows[key] = &sums{}
		}
		t.rows[key].items += int64(c.Quantity)
		t.rows[key].onShelf += int64(c.onShelf())
	}
}

// Each update locks its rows in the order of SKU ids first, as every other
// change of several counters does.
const (
	holdCounters = `UPDATE stock SET available = available - d.shelf, held = held + d.items, updated_at = $1
		FROM (SELECT s.sku_id, w.items, w.shelf FROM UNNEST($2::BYTEA[], $3::BYTEA[], $4::BIGINT[], $5::BIGINT[])
			AS w(sku_id, merchant_id, items, shelf)
			JOIN stock s ON s.sku_id = w.sku_id AND s.merchant_id = w.merchant_id ORDER BY s.sku_id FOR UPDATE OF s) d
		WHERE stock.sku_id = d.sku_id AND stock.available >= d.shelf
		RETURNING stock.merchant_id, stock.available, d.shelf`
	sellCounters = `UPDATE stock SET held = held - d.items, sold = sold + d.items, updated_at = $1
		FROM (SELECT s.sku_id, w.items FROM UNNEST($2::BYTEA[], $3::BYTEA[], $4::BIGINT[], $5::BIGINT[])
			AS w(sku_id, merchant_id, items, shelf)
			JOIN stock s ON s.sku_id = w.sku_id AND s.merchant_id = w.merchant_id ORDER BY s.sku_id FOR UPDATE OF s) d
		WHERE stock.sku_id = d.sku_id`
)

// HoldCountersTx takes what the tally counted from the shelf, and notes for
// whom something is less or gone. It fails with ErrSoldOut if a counter has too
// little: nothing may be committed then.
func HoldCountersTx(tx *db.Tx, t Tally) error {
	if len(t.rows) == 0 {
		return nil
	}
	crossed := map[id.ID]bool{}
	left, err := db.Collect(tx, func(rows db.Rows) (left int64, err error) {
		var merchant id.ID
		var shelf int64
		err = rows.Scan(&merchant, &left, &shelf)
		crossed[merchant] = crossed[merchant] || left == 0 && shelf > 0
		return left, err
	}, holdCounters, t.args(tx)...)
	if err != nil {
		return err
	}
	if len(left) != len(t.rows) {
		return ErrSoldOut
	}
	for merchant, gone := range crossed {
		if err := cache.SupplyTx(tx, merchant, gone); err != nil {
			return err
		}
	}
	return nil
}

// SellCountersTx moves what the tally counted from held to sold.
func SellCountersTx(tx *db.Tx, t Tally) error {
	if len(t.rows) == 0 {
		return nil
	}
	changed, err := tx.Exec(sellCounters, t.args(tx)...)
	if err == nil && changed != int64(len(t.rows)) {
		return errNoStockRow
	}
	return err
}

// args are the time and, as lists, the rows of the tally.
func (t Tally) args(tx *db.Tx) []any {
	var skus, merchants []id.ID
	var items, shelf []int64
	for key, n := range t.rows {
		skus, merchants = append(skus, key.sku), append(merchants, key.merchant)
		items, shelf = append(items, n.items), append(shelf, n.onShelf)
	}
	return []any{db.Millis(tx.Now()), skus, merchants, items, shelf}
}
