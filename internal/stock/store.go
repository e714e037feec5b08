package stock

import (
	"errors"

	"panshi/internal/cache"
	"panshi/internal/db"
	"panshi/internal/errs"
	"panshi/internal/id"
)

var (
	errHeldCardsMissing = errs.New(errs.Integrity, "held_cards_missing", "an order's held cards are not there")
	errNoStockRow       = errs.New(errs.NotFound, "sku_not_found", "there is no such SKU")
)

// InitTx gives a new SKU its counters; a SKU that has them keeps them.
func InitTx(tx *db.Tx, merchantID, skuID id.ID, mode Mode) error {
	_, err := tx.Exec(`INSERT INTO stock (sku_id, merchant_id, mode, updated_at) VALUES ($1, $2, $3, $4)
		ON CONFLICT (sku_id) DO NOTHING`, skuID, merchantID, string(mode), db.Millis(tx.Now()))
	return err
}

// SetCountTx sets how many items of a counted SKU are available, and switches
// between counted and unlimited. Card SKUs are refused: their cards decide.
func SetCountTx(tx *db.Tx, merchantID, skuID id.ID, mode Mode, available int64) error {
	if available < 0 || available > 1_000_000_000 {
		return errs.Field("available", "out_of_range", "a count is 0 to 1,000,000,000")
	}
	changed, err := tx.Exec(`UPDATE stock SET mode = $1, available = $2, updated_at = $3
		WHERE sku_id = $4 AND merchant_id = $5 AND mode <> 'cards'`,
		string(mode), available, db.Millis(tx.Now()), skuID, merchantID)
	if err == nil && changed == 0 {
		err = errNoStockRow
	}
	if err != nil {
		return err
	}
	return cache.BumpTx(tx, merchantID)
}

// LevelTx reads a SKU's counters.
func LevelTx(tx *db.Tx, merchantID, skuID id.ID) (Level, error) {
	l := Level{SKUID: skuID}
	var mode string
	err := tx.Get([]any{&mode, &l.Available, &l.Held, &l.Sold},
		`SELECT mode, available, held, sold FROM stock WHERE sku_id = $1 AND merchant_id = $2`, skuID, merchantID)
	if errors.Is(err, db.ErrNoRows) {
		return Level{}, errNoStockRow
	}
	l.Mode = Mode(mode)
	return l, err
}

// AddCardsTx stores new cards of a SKU as available and raises its counter. It
// returns the positions in cards of those that the merchant has already, which
// are not stored again. At most db.MaxRows cards a call.
func AddCardsTx(tx *db.Tx, merchantID, skuID, batchID id.ID, cards []SealedCard) (duplicates []int, err error) {
	added := 0
	for i, c := range cards {
		n, err := tx.Exec(`INSERT INTO cards
			(id, merchant_id, sku_id, batch_id, status, content_sealed, content_index, created_at)
			VALUES ($1, $2, $3, $4, 'available', $5, $6, $7)
			ON CONFLICT (merchant_id, content_index) DO NOTHING`,
			c.ID, merchantID, skuID, batchID, c.Content, c.Index, db.Millis(tx.Now()))
		if err != nil {
			return nil, err
		}
		if n == 0 {
			duplicates = append(duplicates, i)
			continue
		}
		added++
	}
	changed, err := tx.Exec(`UPDATE stock SET available = available + $1, updated_at = $2
		WHERE sku_id = $3 AND merchant_id = $4 AND mode = 'cards'`,
		added, db.Millis(tx.Now()), skuID, merchantID)
	if err == nil && changed == 0 {
		err = errNotCards
	}
	if err != nil {
		return nil, err
	}
	return duplicates, cache.BumpTx(tx, merchantID)
}

var errNotCards = errs.Field("sku", "sku_not_cards", "this SKU does not sell card keys")

// PutSharedTx stores a new version of a SKU's shared text; orders paid from
// now on get it, earlier deliveries keep theirs.
func PutSharedTx(tx *db.Tx, merchantID, skuID, contentID id.ID, sealed []byte) error {
	_, err := tx.Exec(`INSERT INTO shared_contents (id, merchant_id, sku_id, content_sealed, created_at)
		VALUES ($1, $2, $3, $4, $5)`, contentID, merchantID, skuID, sealed, db.Millis(tx.Now()))
	return err
}

// CurrentSharedTx names the version of a SKU's shared text that is sold now;
// the zero id if it has none.
func CurrentSharedTx(tx *db.Tx, merchantID, skuID id.ID) (contentID id.ID, err error) {
	err = tx.Get([]any{&contentID}, `SELECT id FROM shared_contents
		WHERE sku_id = $1 AND merchant_id = $2 ORDER BY sku_id DESC, id DESC LIMIT 1`, skuID, merchantID)
	if errors.Is(err, db.ErrNoRows) {
		return id.ID{}, nil
	}
	return contentID, err
}

// CardContentTx reads a card's sealed content.
func CardContentTx(tx *db.Tx, merchantID, cardID id.ID) (sealed []byte, err error) {
	err = tx.Get([]any{&sealed}, `SELECT content_sealed FROM cards WHERE id = $1 AND merchant_id = $2`, cardID, merchantID)
	return sealed, err
}

// SharedContentTx reads a shared text's sealed content.
func SharedContentTx(tx *db.Tx, merchantID, contentID id.ID) (sealed []byte, err error) {
	err = tx.Get([]any{&sealed}, `SELECT content_sealed FROM shared_contents WHERE id = $1 AND merchant_id = $2`,
		contentID, merchantID)
	return sealed, err
}
