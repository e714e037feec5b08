package stock

import (
	"bytes"
	"errors"
	"slices"

	"panshi/internal/cache"
	"panshi/internal/db"
	"panshi/internal/id"
)

// claimCards takes the oldest available cards of a SKU for an order. The order
// of (sku_id, id) follows the index; by id alone PostgreSQL would walk the
// primary key past every sold card. Where writers run side by side, cards that
// another order is just taking are passed over; SQLite has one writer.
func claimCards(engine db.Engine, quantity int) string {
	switch {
	case engine == db.Postgres:
		return claimCardsPostgres
	case quantity == 1:
		return claimCardSQLite
	}
	return claimCardsSQLite
}

const claimCardsPostgres = `UPDATE cards SET status = 'held', order_id = $1 WHERE id IN
	(SELECT id FROM cards WHERE sku_id = $2 AND merchant_id = $3 AND status = 'available'
	 ORDER BY sku_id, id LIMIT $4 FOR UPDATE SKIP LOCKED)`

const claimCardsSQLite = `UPDATE cards SET status = 'held', order_id = $1 WHERE id IN
	(SELECT id FROM cards WHERE sku_id = $2 AND merchant_id = $3 AND status = 'available'
	 ORDER BY sku_id, id LIMIT $4)`

// claimCardSQLite is the same for one card, which most orders want: a list
// makes SQLite keep a table of it and a journal for the statement, an id does not.
const claimCardSQLite = `UPDATE cards SET status = 'held', order_id = $1 WHERE id =
	(SELECT id FROM cards WHERE sku_id = $2 AND merchant_id = $3 AND status = 'available'
	 ORDER BY sku_id, id LIMIT $4)`

// HoldTx reserves the items of an order, for card SKUs the very cards. If one
// claim cannot be met it returns ErrSoldOut or ErrCardsBusy, and the caller
// rolls back.
func HoldTx(tx *db.Tx, merchantID, orderID id.ID, claims []Claim) error {
	for _, c := range claims {
		if c.Mode != Cards {
			continue
		}
		got, err := tx.Exec(claimCards(tx.Engine(), c.Quantity), orderID, c.SKUID, merchantID, c.Quantity)
		if err != nil {
			return err
		}
		if got != int64(c.Quantity) {
			return short(tx.Engine())
		}
	}
	crossed := false
	for _, c := range bySKU(claims) {
		left, err := holdCounter(tx, merchantID, c)
		if err != nil {
			return err
		}
		crossed = crossed || c.emptied(left)
	}
	return cache.SupplyTx(tx, merchantID, crossed)
}

// short is what too few cards mean. Cards that SKIP LOCKED passed over may come
// back, when an order that was taking them fails. Where one writes at a time
// there are no such cards: all that the counter tells of are in sight.
func short(engine db.Engine) error {
	if engine == db.Postgres {
		return ErrCardsBusy
	}
	return ErrSoldOut
}

// holdCounter moves a claim's counters and returns how many items are left.
func holdCounter(tx *db.Tx, merchantID id.ID, c Claim) (left int64, err error) {
	taken := c.onShelf()
	err = tx.Get([]any{&left}, `UPDATE stock SET available = available - $1, held = held + $2, updated_at = $3
		WHERE sku_id = $4 AND merchant_id = $5 AND available >= $6 RETURNING available`,
		taken, c.Quantity, db.Millis(tx.Now()), c.SKUID, merchantID, taken)
	if errors.Is(err, db.ErrNoRows) {
		return 0, ErrSoldOut
	}
	return left, err
}

// SellTx turns an order's held items into sold ones and returns its cards.
func SellTx(tx *db.Tx, merchantID, orderID id.ID, claims []Claim) ([]SoldCard, error) {
	sold, err := sellCards(tx, merchantID, orderID, claims)
	if err != nil {
		return nil, err
	}
	for _, c := range bySKU(claims) {
		if _, err := tx.Exec(`UPDATE stock SET held = held - $1, sold = sold + $2, updated_at = $3
			WHERE sku_id = $4 AND merchant_id = $5`,
			c.Quantity, c.Quantity, db.Millis(tx.Now()), c.SKUID, merchantID); err != nil {
			return nil, err
		}
	}
	return sold, nil
}

func sellCards(tx *db.Tx, merchantID, orderID id.ID, claims []Claim) ([]SoldCard, error) {
	want := 0
	for _, c := range claims {
		if c.Mode == Cards {
			want += c.Quantity
		}
	}
	if want == 0 {
		return nil, nil
	}
	sold, err := db.Collect(tx, scanSold, `UPDATE cards SET status = 'sold'
		WHERE order_id = $1 AND merchant_id = $2 AND status = 'held'
		RETURNING id, sku_id`, orderID, merchantID)
	if err != nil {
		return nil, err
	}
	if len(sold) != want {
		return nil, errHeldCardsMissing
	}
	return sold, nil
}

// ReleaseTx gives an order's held items back to the shelf.
func ReleaseTx(tx *db.Tx, merchantID, orderID id.ID, claims []Claim) error {
	if _, err := tx.Exec(`UPDATE cards SET status = 'available', order_id = NULL
		WHERE order_id = $1 AND merchant_id = $2 AND status = 'held'`, orderID, merchantID); err != nil {
		return err
	}
	return restock(tx, merchantID, claims, `UPDATE stock SET available = available + $1, held = held - $2, updated_at = $3
		WHERE sku_id = $4 AND merchant_id = $5 RETURNING available`)
}

// restock puts claims back on the shelf by an UPDATE that returns how many
// items there are then; it may find no row.
func restock(tx *db.Tx, merchantID id.ID, claims []Claim, update string) error {
	crossed := false
	for _, c := range bySKU(claims) {
		var there int64
		err := tx.Get([]any{&there}, update, c.onShelf(), c.Quantity, db.Millis(tx.Now()), c.SKUID, merchantID)
		switch {
		case errors.Is(err, db.ErrNoRows):
			continue
		case err != nil:
			return err
		}
		crossed = crossed || c.refilled(there)
	}
	return cache.SupplyTx(tx, merchantID, crossed)
}

// UnsellTx takes sold items that never left the shop back to the shelf. Cards
// are never among them: a sold card counts as seen.
func UnsellTx(tx *db.Tx, merchantID id.ID, claims []Claim) error {
	return restock(tx, merchantID, claims, `UPDATE stock SET available = available + $1, sold = sold - $2, updated_at = $3
		WHERE sku_id = $4 AND merchant_id = $5 AND mode <> 'cards' RETURNING available`)
}

// onShelf is how many items a claim takes from the shelf or puts back.
func (c Claim) onShelf() int {
	if c.Mode == Unlimited {
		return 0
	}
	return c.Quantity
}

// emptied tells whether taking the claim left the shelf empty.
func (c Claim) emptied(left int64) bool { return left == 0 && c.onShelf() > 0 }

// refilled tells whether putting the claim back filled an empty shelf.
func (c Claim) refilled(there int64) bool { return there == int64(c.onShelf()) && c.onShelf() > 0 }

func bySKU(claims []Claim) []Claim {
	if len(claims) < 2 {
		return claims
	}
	sorted := slices.Clone(claims)
	slices.SortFunc(sorted, func(a, b Claim) int { return bytes.Compare(a.SKUID[:], b.SKUID[:]) })
	return sorted
}

func scanSold(rows db.Rows) (SoldCard, error) {
	var c SoldCard
	err := rows.Scan(&c.ID, &c.SKUID)
	return c, err
}
