package order

import (
	"strconv"

	"panshi/internal/db"
	"panshi/internal/id"
)

// CountPurchaseTx adds quantity to what a contact bought of a product, and
// fails with ErrContactLimit if that would pass limit.
func CountPurchaseTx(tx *db.Tx, merchantID, productID id.ID, contactIndex []byte, quantity, limit int) error {
	exceeded := ErrContactLimit.With("limit", strconv.Itoa(limit))
	if quantity > limit {
		return exceeded
	}
	changed, err := tx.Exec(`INSERT INTO purchase_counts (merchant_id, product_id, contact_index, quantity)
		VALUES ($1, $2, $3, $4) ON CONFLICT (merchant_id, product_id, contact_index)
		DO UPDATE SET quantity = purchase_counts.quantity + excluded.quantity
		WHERE purchase_counts.quantity + excluded.quantity <= $5`,
		merchantID, productID, contactIndex, quantity, limit)
	if err == nil && changed == 0 {
		return exceeded
	}
	return err
}

// ReturnPurchasesTx gives back what lines took of their contact's limits.
func ReturnPurchasesTx(tx *db.Tx, o Order, lines []Line) error {
	return changePurchasesTx(tx, o, lines, -1)
}

// RetakePurchasesTx takes again what ReturnPurchasesTx gave back, whatever the
// limit is: the buyer has paid.
func RetakePurchasesTx(tx *db.Tx, o Order, lines []Line) error {
	return changePurchasesTx(tx, o, lines, 1)
}

func changePurchasesTx(tx *db.Tx, o Order, lines []Line, sign int) error {
	for _, l := range lines {
		if !l.Limited {
			continue
		}
		if _, err := tx.Exec(`UPDATE purchase_counts SET quantity = quantity + $1
			WHERE merchant_id = $2 AND product_id = $3 AND contact_index = $4`,
			sign*l.Quantity, o.MerchantID, l.ProductID, o.ContactIndex); err != nil {
			return err
		}
	}
	return nil
}
