package drill

import (
	"context"
	"errors"

	"panshi/internal/db"
	"panshi/internal/errs"
	"panshi/internal/id"
)

// offer is something that seems to be on sale.
type offer struct{ merchant, sku id.ID }

// tries is how many offers are tried before a shop counts as sold out.
const tries = 50

// offers lists what a shop seems to sell; placing decides.
func offers(ctx context.Context, d db.DB) (all []offer, err error) {
	err = d.View(db.WithLong(ctx), func(tx *db.Tx) error {
		all, err = db.Collect(tx, func(rows db.Rows) (o offer, err error) { return o, rows.Scan(&o.merchant, &o.sku) },
			`SELECT s.merchant_id, s.id FROM skus s JOIN stock t ON t.sku_id = s.id WHERE s.status = 'on' AND (t.mode = 'unlimited' OR t.available > 0)
			ORDER BY s.id LIMIT $1`, tries)
		return err
	})
	return all, err
}

// order has a shop take an order of what it sells. Code drill_nothing_to_sell.
func order(ctx context.Context, s Shop) (no string, err error) {
	all, err := offers(ctx, s.DB())
	if err != nil {
		return "", err
	}
	for _, o := range all {
		no, err = s.Place(ctx, o.merchant, o.sku)
		if err == nil || errs.KindOf(err) != errs.Conflict {
			return no, err
		}
	}
	return "", errs.New(errs.NotFound, "drill_nothing_to_sell", "nothing is on sale")
}

// openCard opens one card key of a shop. Codes vault_cards_shut, drill_no_card.
func openCard(ctx context.Context, s Shop) error {
	var card id.ID
	var sealed []byte
	err := s.DB().View(ctx, func(tx *db.Tx) error {
		return tx.Get([]any{&card, &sealed}, `SELECT id, content_sealed FROM cards ORDER BY id LIMIT 1`)
	})
	if errors.Is(err, db.ErrNoRows) {
		return errs.New(errs.NotFound, "drill_no_card", "there is no card key to try")
	}
	if err != nil {
		return err
	}
	return s.Unseal(card, sealed)
}
