package imports

import (
	"bytes"
	"context"
	"errors"
	"time"

	"panshi/internal/audit"
	"panshi/internal/db"
	"panshi/internal/errs"
	"panshi/internal/id"
	"panshi/internal/order"
	"panshi/internal/stock"
	"panshi/internal/vault"
)

// ErrCardUnknown says that no card of the merchant has this content.
var ErrCardUnknown = errs.New(errs.NotFound, "card_unknown", "this shop has no such card")

// FoundCard is where a card is, without its content.
type FoundCard struct {
	ID       id.ID
	SKUCode  string
	Title    string // of the product
	TitleEN  string
	Status   string // available, held, sold or disabled
	BatchID  id.ID
	StoredAt time.Time
	OrderNo  string // of a held or sold one
}

// FindCard looks a card up by its content, as a buyer would tell it who says
// that it does not work. Its fingerprint is compared, so that nothing is opened;
// what was found leaves a record. Codes: card_unknown.
func (s *Service) FindCard(ctx context.Context, merchantID id.ID, content string) (found FoundCard, err error) {
	if err := s.vault.Ready(vault.Cards); err != nil {
		return FoundCard{}, err
	}
	text := bytes.TrimFunc([]byte(content), blank) // as imports do
	index := s.vault.Fingerprint(vault.Cards, merchantID, stock.CardIndexPurpose, text)
	actor, request := audit.Origin(ctx)
	err = s.db.Update(ctx, func(tx *db.Tx) error {
		if found, err = findCardTx(tx, merchantID, index); err != nil {
			return err
		}
		return audit.RecordTx(tx, audit.Record{
			MerchantID: merchantID, Actor: actor, Action: "card.found", SubjectKind: "card", SubjectID: found.ID, RequestID: request,
		})
	})
	return found, err
}

func findCardTx(tx *db.Tx, merchantID id.ID, index []byte) (f FoundCard, err error) {
	var orderID id.ID
	var stored db.Time
	err = tx.Get([]any{&f.ID, &f.Status, &f.BatchID, &orderID, &stored, &f.SKUCode, &f.Title, &f.TitleEN},
		`SELECT c.id, c.status, c.batch_id, c.order_id, c.created_at, k.code, p.title, p.title_en
		FROM cards c JOIN skus k ON k.id = c.sku_id JOIN products p ON p.id = k.product_id
		WHERE c.merchant_id = $1 AND c.content_index = $2`, merchantID, index)
	if errors.Is(err, db.ErrNoRows) {
		return FoundCard{}, ErrCardUnknown
	}
	f.StoredAt = stored.Time
	if err != nil || orderID.IsZero() {
		return f, err
	}
	o, err := order.ByIDTx(tx, merchantID, orderID)
	f.OrderNo = o.No
	return f, err
}
