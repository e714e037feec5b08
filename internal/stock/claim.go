package stock

import (
	"bytes"
	"slices"

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
	for _, c := range bySKU(claims) {
		if err := holdCounter(tx, merchantID, c); err != nil {
			return err
		}
	}
	return nil
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

func holdCounter(tx *db.Tx, merchantID id.ID, c Claim) error {
	taken := c.onShelf()
	changed, err := tx.Exec(`UPDATE stock SET available = available - $1, held = held + $2, updated_at = $3
		WHERE sku_id = $4 AND merchant_id = $5 AND available >= $6`,
		taken, c.Quantity, db.Millis(tx.Now()), c.SKUID, merchantID, taken)
	if err != nil {
		return err
	}
	if changed != 1 {
		return ErrSoldOut
	}
	return nil
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
	for _, c := range bySKU(claims) {
		if _, err := tx.Exec(`UPDATE stock SET available = available + $1, held = held - $2, updated_at = $3
			WHERE sku_id = $4 AND merchant_id = $5`,
			c.onShelf(), c.Quantity, db.Millis(tx.Now()), c.SKUID, merchantID); err != nil {
			return err
		}
	}
	return nil
}

// UnsellTx takes sold items that never left the shop back to the shelf. Cards
// are never among them: a sold card counts as seen.
func UnsellTx(tx *db.Tx, merchantID id.ID, claims []Claim) error {
	for _, c := range bySKU(claims) {
		if _, err := tx.Exec(`UPDATE stock SET available = available + $1, sold = sold - $2, updated_at = $3
			WHERE sku_id = $4 AND merchant_id = $5 AND mode <> 'cards'`,
			c.onShelf(), c.Quantity, db.Millis(tx.Now()), c.SKUID, merchantID); err != nil {
			return err
		}
	}
	return nil
}

// onShelf is how many items a claim takes from the shelf or puts back.
func (c Claim) onShelf() int {
	if c.Mode == Unlimited {
		return 0
	}
	return c.Quantity
}

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
