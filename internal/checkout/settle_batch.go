package checkout

import (
	"panshi/internal/audit"
	"panshi/internal/db"
	"panshi/internal/delivery"
	"panshi/internal/id"
	"panshi/internal/ledger"
	"panshi/internal/order"
	"panshi/internal/payment"
	"panshi/internal/stock"
)

// rowsOfSettling is what settling an order writes besides its goods:
// transaction, payment, entry with two legs, order, record.
const rowsOfSettling = 7

// rows is what a report is expected to write: settling an order of one card.
// How many goods its order has is known only when it was read: what is too
// much for one transaction then runs alone.
func (settling) rows() int { return rowsOfSettling + rowsOfOneCard }

// rowsOfOneCard are the card, its delivery and its counter.
const rowsOfOneCard = 3

// rowsOfGoods is what giving lines writes: a counter a line, and a delivery
// with its card for every key, or one delivery for any other line.
func rowsOfGoods(lines []order.Line) int {
	n := len(lines) + 2*cardsOf(lines)
	for _, l := range lines {
		if l.StockMode != string(stock.Cards) {
			n++
		}
	}
	return n
}

// settleBatch settles many reports in one transaction by statements on sets
// of rows: those that are as they should be. Every other report is found before
// anything is written for it and left to the single path. Counters come last.
type settleBatch struct {
	*Service
	tx      *db.Tx
	items   []settling
	results []settleResult
	chosen  []*settled
	shared  map[id.ID]id.ID // current shared text by SKU
}

// settled is an item that gets its goods.
type settled struct {
	n       int // its place in the batch
	in      settling
	payment payment.Payment
	order   order.Order
	lines   []order.Line
}

func (s *Service) settleBatchTx(tx *db.Tx, batch []settling) ([]settleResult, error) {
	b := &settleBatch{
		Service: s, tx: tx, items: batch, results: make([]settleResult, len(batch)), shared: make(map[id.ID]id.ID),
	}
	for i := range b.results {
		b.results[i].err = errAlone
	}
	for _, step := range []func() error{b.readPayments, b.lockOrders, b.readLines, b.claim, b.book, b.give} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	for _, c := range b.chosen {
		b.results[c.n] = settleResult{outcome: Settled}
	}
	return b.results, nil
}

// readPayments chooses the reports that fit a payment which waits for money;
// of several about one order only the first.
func (b *settleBatch) readPayments() error {
	numbers := make([]string, len(b.items))
	for i, in := range b.items {
		numbers[i] = in.report.PaymentNo
	}
	payments, err := payment.ByNosTx(b.tx, numbers)
	if err != nil {
		return err
	}
	taken := make(map[id.ID]bool, len(b.items))
	transactions := make(map[transaction]bool, len(b.items))
	for i, in := range b.items {
		p, known := payments[in.report.PaymentNo]
		t := transaction{in.account.ID, in.report.TransactionID}
		if !known || p.AccountID != in.account.ID || mismatch(in, p) != "" || taken[p.OrderID] || transactions[t] {
			continue
		}
		taken[p.OrderID], transactions[t] = true, true
		b.chosen = append(b.chosen, &settled{n: i, in: in, payment: p})
	}
	return nil
}

type transaction struct {
	account id.ID
	number  string
}

// keep goes on with the chosen items that pass; the others run alone.
func (b *settleBatch) keep(passes func(*settled) bool) {
	kept := b.chosen[:0]
	for _, c := range b.chosen {
		if passes(c) {
			kept = append(kept, c)
		}
	}
	b.chosen = kept
}

// lockOrders locks the orders before anything of them changes, and keeps the
// items whose order waits for this money.
func (b *settleBatch) lockOrders() error {
	if len(b.chosen) == 0 {
		return nil
	}
	ids := make([]id.ID, len(b.chosen))
	for i, c := range b.chosen {
		ids[i] = c.payment.OrderID
	}
	locked, err := order.LockManyTx(b.tx, ids)
	if err != nil {
		return err
	}
	byID := make(map[id.ID]order.Order, len(locked))
	for _, o := range locked {
		byID[o.ID] = o
	}
	b.keep(func(c *settled) bool {
		o, found := byID[c.payment.OrderID]
		c.order = o
		return found && o.MerchantID == c.payment.MerchantID && o.Status == order.Pending
	})
	return nil
}

// readLines reads what was bought, and keeps as many items as one transaction
// may write.
func (b *settleBatch) readLines() error {
	if len(b.chosen) == 0 {
		return nil
	}
	orders := make([]order.Order, len(b.chosen))
	for i, c := range b.chosen {
		orders[i] = c.order
	}
	lines, err := order.LinesOfManyTx(b.tx, orders)
	if err != nil {
		return err
	}
	total := 0
	b.keep(func(c *settled) bool {
		c.lines = lines[c.order.ID]
		rows := rowsOfSettling + rowsOfGoods(c.lines)
		if total+rows > db.MaxRows {
			return false
		}
		total += rows
		return true
	})
	return nil
}

// cardsOf is how many card keys lines have.
func cardsOf(lines []order.Line) (n int) {
	for _, l := range lines {
		if l.StockMode == string(stock.Cards) {
			n += l.Quantity
		}
	}
	return n
}

// claim claims the transactions; one that is taken is a repeat.
func (b *settleBatch) claim() error {
	if len(b.chosen) == 0 {
		return nil
	}
	fresh, err := payment.TransactionsTx(b.tx, b.settlings())
	if err != nil {
		return err
	}
	b.keep(func(c *settled) bool { return fresh[c.payment.ID] })
	return nil
}

func (b *settleBatch) settlings() []payment.Settling {
	all := make([]payment.Settling, len(b.chosen))
	for i, c := range b.chosen {
		r := c.in.report
		all[i] = payment.Settling{Payment: c.payment, Report: r, Settlement: payment.Settlement{
			Status: payment.Paid, Received: r.Amount.Minor, TransactionID: r.TransactionID, By: c.in.by, PaidAt: b.tx.Now(),
		}}
	}
	return all
}

// book writes what came. From here on nothing is left out: what does not fit
// any more undoes the batch, and each report runs alone.
func (b *settleBatch) book() error {
	if len(b.chosen) == 0 {
		return nil
	}
	if err := payment.SettledManyTx(b.tx, b.settlings()); err != nil {
		return err
	}
	entries := make([]ledger.Entry, len(b.chosen))
	for i, c := range b.chosen {
		entries[i] = bookedAs(c.payment)
	}
	return ledger.PostManyTx(b.tx, entries)
}

// give turns what the orders hold into what they get.
func (b *settleBatch) give() error {
	if len(b.chosen) == 0 {
		return nil
	}
	ids := make([]id.ID, len(b.chosen))
	for i, c := range b.chosen {
		ids[i] = c.order.ID
	}
	sold, err := stock.SellHeldTx(b.tx, ids)
	if err != nil {
		return err
	}
	var goods []delivery.Owned
	var tally stock.Tally
	moves := make([]order.Move, len(b.chosen))
	trail := make([]audit.Record, len(b.chosen))
	for i, c := range b.chosen {
		if len(sold[c.order.ID]) != cardsOf(c.lines) {
			return errCardsMissing
		}
		items, err := items(c.order, c.lines, sold[c.order.ID], b.sharedOf(c.order))
		if err != nil {
			return err
		}
		for _, it := range items {
			goods = append(goods, delivery.Owned{MerchantID: c.order.MerchantID, Item: it})
		}
		to, change := b.delivered(b.tx, c.order, items)
		moves[i] = order.Move{Order: c.order, To: to, Change: change}
		trail[i] = record(c.order, c.in, "order.settled", c.payment)
		tally.Add(c.order.MerchantID, claimsOf(c.lines))
	}
	return b.writeGoods(goods, moves, trail, tally)
}

func (b *settleBatch) writeGoods(goods []delivery.Owned, moves []order.Move, trail []audit.Record, t stock.Tally) error {
	if err := delivery.AddManyTx(b.tx, goods); err != nil {
		return err
	}
	if err := order.MoveManyTx(b.tx, moves); err != nil {
		return err
	}
	if err := audit.RecordManyTx(b.tx, trail); err != nil {
		return err
	}
	return stock.SellCountersTx(b.tx, t)
}

// sharedOf reads each SKU's shared text once.
func (b *settleBatch) sharedOf(o order.Order) func(id.ID) (id.ID, error) {
	return func(sku id.ID) (id.ID, error) {
		if content, read := b.shared[sku]; read {
			return content, nil
		}
		content, err := stock.CurrentSharedTx(b.tx, o.MerchantID, sku)
		b.shared[sku] = content
		return content, err
	}
}
