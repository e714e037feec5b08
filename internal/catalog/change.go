package catalog

import (
	"context"
	"strconv"

	"panshi/internal/audit"
	"panshi/internal/db"
	"panshi/internal/errs"
	"panshi/internal/id"
	"panshi/internal/stock"
)

// Change edits a product that exists, in the transaction that read it, so that
// two people who change different things lose nothing. edit may change what
// Put may; its error ends it.
func (s *Service) Change(ctx context.Context, merchantID id.ID, slug string, edit func(p *Product) error) (stored Product, err error) {
	err = s.db.Update(ctx, func(tx *db.Tx) error {
		if err := AloneTx(tx, merchantID); err != nil {
			return err
		}
		p, err := BySlugTx(tx, merchantID, slug)
		if err != nil {
			return err
		}
		if err := edit(&p); err != nil {
			return err
		}
		if stored, err = PutTx(tx, p); err != nil {
			return err
		}
		actor, request := audit.Origin(ctx)
		detail := map[string]string{"slug": stored.Slug, "on_sale": strconv.FormatBool(stored.On)}
		for _, k := range stored.SKUs {
			detail["price "+k.Code] = k.Price.String()
		}
		return audit.RecordTx(tx, audit.Record{
			MerchantID: merchantID, Actor: actor, Action: "product.saved", SubjectKind: "product",
			SubjectID: stored.ID, Detail: detail, RequestID: request,
		})
	})
	return stored, err
}

var errCountOfCards = errs.New(errs.Conflict, "stock_of_cards", "the stock of card keys is the number of cards; import some")

// Level returns the kept counters of the SKU with a code.
func (s *Service) Level(ctx context.Context, merchantID id.ID, code string) (l stock.Level, err error) {
	err = s.db.View(ctx, func(tx *db.Tx) error {
		k, err := SKUByCodeTx(tx, merchantID, code)
		if err != nil {
			return err
		}
		l, err = stock.LevelTx(tx, merchantID, k.ID)
		return err
	})
	return l, err
}

// SetCount sets how many items of a SKU that sells no cards are available;
// limited false makes it unlimited. It is recorded.
func (s *Service) SetCount(ctx context.Context, merchantID id.ID, code string, limited bool, available int64) (l stock.Level, err error) {
	mode := stock.Unlimited
	if limited {
		mode = stock.Counted
	}
	err = s.db.Update(ctx, func(tx *db.Tx) error {
		k, err := SKUByCodeTx(tx, merchantID, code)
		if err != nil {
			return err
		}
		if k.Mode == stock.Cards {
			return errCountOfCards
		}
		if err := stock.SetCountTx(tx, merchantID, k.ID, mode, available); err != nil {
			return err
		}
		actor, request := audit.Origin(ctx)
		if err := audit.RecordTx(tx, audit.Record{
			MerchantID: merchantID, Actor: actor, Action: "stock.set", SubjectKind: "sku", SubjectID: k.ID, RequestID: request,
			Detail: map[string]string{"mode": string(mode), "available": strconv.FormatInt(available, 10)},
		}); err != nil {
			return err
		}
		l, err = stock.LevelTx(tx, merchantID, k.ID)
		return err
	})
	return l, err
}
