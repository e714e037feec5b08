package checkout

import (
	"slices"

	"panshi/internal/audit"
	"panshi/internal/db"
	"panshi/internal/delivery"
	"panshi/internal/errs"
	"panshi/internal/fault"
	"panshi/internal/id"
	"panshi/internal/order"
	"panshi/internal/stock"
)

var errCardsMissing = errs.New(errs.Integrity, "sold_cards_missing", "an order's cards do not match its lines")

// deliverTx sells what an order holds, writes its deliveries, moves it to
// delivered (or to paid, if something waits for a person), and records it.
func (s *Service) deliverTx(tx *db.Tx, o order.Order, trail audit.Record) error {
	lines, err := order.LinesTx(tx, o)
	if err != nil {
		return err
	}
	cards, err := stock.SellTx(tx, o.MerchantID, o.ID, claimsOf(lines))
	if err != nil {
		return err
	}
	fault.Point("checkout.deliver.sold")
	items, err := items(o, lines, cards, func(sku id.ID) (id.ID, error) {
		return stock.CurrentSharedTx(tx, o.MerchantID, sku)
	})
	if err != nil {
		return err
	}
	if err := delivery.AddTx(tx, o.MerchantID, items); err != nil {
		return err
	}
	fault.Point("checkout.deliver.items-written")
	if _, err := s.moveDeliveredTx(tx, o, items); err != nil {
		return err
	}
	return audit.RecordTx(tx, trail)
}

// moveDeliveredTx moves a paid order to delivered if nothing waits.
func (s *Service) moveDeliveredTx(tx *db.Tx, o order.Order, items []delivery.Item) (order.Order, error) {
	to, change := s.delivered(tx, o, items)
	if to == order.Paid && o.Status == order.Paid {
		return o, nil
	}
	return order.MoveTx(tx, o, to, change)
}

// delivered tells what a paid order becomes: delivered, or paid if one of its
// items waits for a person.
func (s *Service) delivered(tx *db.Tx, o order.Order, items []delivery.Item) (order.Status, order.Change) {
	change := order.Change{PaidAt: o.PaidAt}
	if change.PaidAt.IsZero() {
		change.PaidAt = tx.Now()
	}
	if slices.ContainsFunc(items, func(it delivery.Item) bool { return !it.Delivered }) {
		return order.Paid, change
	}
	change.DeliveredAt, change.DueAt = tx.Now(), tx.Now().Add(s.cfg.CompleteAfter)
	return order.Delivered, change
}

// items makes an order's delivery items: a card each, one shared text a line,
// one waiting item a line of manual work. shared names a SKU's current text.
func items(o order.Order, lines []order.Line, cards []stock.SoldCard, shared func(sku id.ID) (id.ID, error)) ([]delivery.Item, error) {
	bySKU := make(map[id.ID][]id.ID, len(lines))
	for _, c := range cards {
		bySKU[c.SKUID] = append(bySKU[c.SKUID], c.ID)
	}
	items := make([]delivery.Item, 0, len(cards)+len(lines))
	for _, l := range lines {
		item := delivery.Item{OrderID: o.ID, LineNo: l.No, ItemNo: 1, SKUID: l.SKUID, Kind: l.Kind}
		switch l.Kind {
		case "card":
			if len(bySKU[l.SKUID]) != l.Quantity {
				return nil, errCardsMissing
			}
			for n, card := range bySKU[l.SKUID] {
				item.ItemNo, item.CardID, item.Delivered = n+1, card, true
				items = append(items, item)
			}
			continue
		case "text":
			content, err := shared(l.SKUID)
			if err != nil {
				return nil, err
			}
			item.ContentID, item.Delivered = content, !content.IsZero()
		}
		items = append(items, item)
	}
	return items, nil
}

// claimsOf is what lines reserved of the stock.
func claimsOf(lines []order.Line) []stock.Claim {
	claims := make([]stock.Claim, len(lines))
	for i, l := range lines {
		claims[i] = stock.Claim{SKUID: l.SKUID, Mode: stock.Mode(l.StockMode), Quantity: l.Quantity}
	}
	return claims
}

// releaseTx gives back what an order reserved and did not get: its items, and
// its share of its contact's limits.
func (s *Service) releaseTx(tx *db.Tx, o order.Order) error {
	lines, err := order.LinesTx(tx, o)
	if err != nil {
		return err
	}
	if err := order.ReturnPurchasesTx(tx, o, lines); err != nil {
		return err
	}
	s.restockedTx(tx, claimsOf(lines))
	return stock.ReleaseTx(tx, o.MerchantID, o.ID, claimsOf(lines))
}

// withdrawTx takes back what an order's money comes back for and nobody has
// made yet: the work, its place in the stock and in the contact's limits.
func (s *Service) withdrawTx(tx *db.Tx, o order.Order) error {
	waited, err := delivery.WithdrawTx(tx, o.MerchantID, o.ID)
	if err != nil || len(waited) == 0 {
		return err
	}
	lines, err := order.LinesTx(tx, o)
	if err != nil {
		return err
	}
	back, err := backOfTx(tx, o)
	if err != nil {
		return err
	}
	lines = slices.DeleteFunc(lines, func(l order.Line) bool { return !slices.Contains(waited, l.No) })
	for i, l := range lines {
		lines[i].Quantity -= back[l.No].withdrawn
	}
	return s.unmakeTx(tx, o, lines)
}

// withdrawLinesTx does the same for items of lines. A line waits for staff as
// long as some of it is left.
func (s *Service) withdrawLinesTx(tx *db.Tx, o order.Order, takes []lineTake) error {
	var unmade []order.Line
	for _, t := range takes {
		if !t.unmade {
			continue
		}
		if t.left == 0 {
			if err := delivery.WithdrawLineTx(tx, o.MerchantID, o.ID, t.line.No); err != nil {
				return err
			}
		}
		t.line.Quantity = t.quantity
		unmade = append(unmade, t.line)
	}
	return s.unmakeTx(tx, o, unmade)
}

// unmakeTx gives back what lines took of the stock and of their contact's
// limits.
func (s *Service) unmakeTx(tx *db.Tx, o order.Order, lines []order.Line) error {
	if len(lines) == 0 {
		return nil
	}
	if err := order.ReturnPurchasesTx(tx, o, lines); err != nil {
		return err
	}
	s.restockedTx(tx, claimsOf(lines))
	return stock.UnsellTx(tx, o.MerchantID, claimsOf(lines))
}
