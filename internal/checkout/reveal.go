package checkout

import (
	"context"
	"strconv"

	"panshi/internal/audit"
	"panshi/internal/db"
	"panshi/internal/delivery"
	"panshi/internal/errs"
	"panshi/internal/id"
	"panshi/internal/order"
	"panshi/internal/stock"
	"panshi/internal/vault"
)

// Revealed is one delivered thing in clear. It is never stored, logged or
// cached.
type Revealed struct {
	LineNo  int
	SKUID   id.ID
	Title   string
	Kind    string // card, text, manual
	Content string
}

// String hides the content from logs.
func (r Revealed) String() string { return "[revealed " + r.Kind + "]" }

// GoString hides the content from %#v.
func (r Revealed) GoString() string { return r.String() }

// errNotDelivered says that there is nothing to show yet.
var errNotDelivered = errs.New(errs.Conflict, "not_delivered", "nothing of this order has been delivered yet")

// errGoodsRefunded says that the buyer got, or gets, the money back instead.
var errGoodsRefunded = errs.New(errs.Conflict, "goods_refunded", "the money of this order goes back; its goods are not shown any more")

// sealedItem is a delivered item before it is opened.
type sealedItem struct {
	Revealed
	class  vault.Class
	cell   vault.Cell
	sealed []byte
}

// Reveal shows what was delivered to the holder of an order's token. That it
// was shown is recorded, and the record is durable before the first byte is
// opened. Decryption happens outside of the transaction.
func (s *Service) Reveal(ctx context.Context, merchantID id.ID, orderNo, token string) ([]Revealed, error) {
	var items []sealedItem
	err := s.db.Update(ctx, func(tx *db.Tx) error {
		o, err := s.orderOfBuyerTx(tx, merchantID, orderNo, token)
		if err != nil {
			return err
		}
		if items, err = sealedItemsTx(tx, o); err != nil {
			return err
		}
		if len(items) == 0 {
			return errNotDelivered
		}
		if goesBack(o) {
			return errGoodsRefunded
		}
		actor, request := audit.Origin(ctx)
		return audit.RecordTx(tx, audit.Record{
			MerchantID: merchantID, Actor: actor, RequestID: request, Action: "order.goods_revealed",
			SubjectKind: "order", SubjectID: o.ID, Detail: map[string]string{"items": strconv.Itoa(len(items))},
		})
	})
	if err != nil {
		return nil, err
	}
	revealed := make([]Revealed, len(items))
	for i, it := range items {
		content, err := s.vault.Unseal(it.class, it.cell, it.sealed)
		if err != nil {
			return nil, err
		}
		revealed[i] = it.Revealed
		revealed[i].Content = string(content)
	}
	return revealed, nil
}

func sealedItemsTx(tx *db.Tx, o order.Order) ([]sealedItem, error) {
	lines, err := order.LinesTx(tx, o)
	if err != nil {
		return nil, err
	}
	titles := make(map[int]string, len(lines))
	for _, l := range lines {
		titles[l.No] = l.Title
	}
	items, err := delivery.OfTx(tx, o.MerchantID, o.ID)
	if err != nil {
		return nil, err
	}
	var sealed []sealedItem
	for _, it := range items {
		if !it.Delivered {
			continue
		}
		one, err := sealedItemTx(tx, o, it)
		if err != nil {
			return nil, err
		}
		one.Revealed = Revealed{LineNo: it.LineNo, SKUID: it.SKUID, Title: titles[it.LineNo], Kind: it.Kind}
		sealed = append(sealed, one)
	}
	return sealed, nil
}

func sealedItemTx(tx *db.Tx, o order.Order, it delivery.Item) (one sealedItem, err error) {
	one.class = vault.Cards
	switch {
	case !it.CardID.IsZero():
		one.cell = stock.CardCell(it.CardID)
		one.sealed, err = stock.CardContentTx(tx, o.MerchantID, it.CardID)
	case !it.ContentID.IsZero():
		one.cell = stock.SharedCell(it.ContentID)
		one.sealed, err = stock.SharedContentTx(tx, o.MerchantID, it.ContentID)
	default:
		one.cell, one.sealed = delivery.ManualCell(o.ID, it.LineNo, it.ItemNo), it.Sealed
	}
	return one, err
}
