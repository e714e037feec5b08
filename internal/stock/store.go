package stock

import (
	"errors"
	"fmt"
	"iter"
	"strings"

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

// cardsAtOnce is how many cards one statement stores. All but the last few of
// an import go through the same text, so that few are prepared.
const cardsAtOnce = 25

// AddCardsTx stores new cards of a SKU as available and raises its counter. It
// returns the positions in cards of those that the merchant has already, which
// are not stored again. At most db.MaxRows cards a call.
func AddCardsTx(tx *db.Tx, merchantID, skuID, batchID id.ID, cards []SealedCard) (duplicates []int, err error) {
	stored := make(map[id.ID]bool, len(cards))
	for part := range portions(cards) {
		query, args := insertCards(tx, merchantID, skuID, batchID, part)
		ids, err := db.Collect(tx, func(rows db.Rows) (cardID id.ID, err error) {
			err = rows.Scan(&cardID)
			return cardID, err
		}, query, args...)
		if err != nil {
			return nil, err
		}
		for _, cardID := range ids {
			stored[cardID] = true
		}
	}
	for i, c := range cards {
		if !stored[c.ID] {
			duplicates = append(duplicates, i)
		}
	}
	changed, err := tx.Exec(`UPDATE stock SET available = available + $1, updated_at = $2
		WHERE sku_id = $3 AND merchant_id = $4 AND mode = 'cards'`,
		len(stored), db.Millis(tx.Now()), skuID, merchantID)
	if err == nil && changed == 0 {
		err = errNotCards
	}
	if err != nil {
		return nil, err
	}
	return duplicates, cache.BumpTx(tx, merchantID)
}

// portions cuts cards into parts of cardsAtOnce, and what is left into single
// ones.
func portions(cards []SealedCard) iter.Seq[[]SealedCard] {
	return func(yield func([]SealedCard) bool) {
		for len(cards) > 0 {
			n := 1
			if len(cards) >= cardsAtOnce {
				n = cardsAtOnce
			}
			if !yield(cards[:n]) {
				return
			}
			cards = cards[n:]
		}
	}
}

// insertCards is the statement that stores cards and tells which were new. Of
// two that are equal the first is.
func insertCards(tx *db.Tx, merchantID, skuID, batchID id.ID, cards []SealedCard) (query string, args []any) {
	var b strings.Builder
	b.WriteString(`INSERT INTO cards
		(id, merchant_id, sku_id, batch_id, status, content_sealed, content_index, created_at) VALUES `)
	for i, c := range cards {
		n := len(args)
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "($%d, $%d, $%d, $%d, 'available', $%d, $%d, $%d)", n+1, n+2, n+3, n+4, n+5, n+6, n+7)
		args = append(args, c.ID, merchantID, skuID, batchID, c.Content, c.Index, db.Millis(tx.Now()))
	}
	b.WriteString(` ON CONFLICT (merchant_id, content_index) DO NOTHING RETURNING id`)
	return b.String(), args
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
