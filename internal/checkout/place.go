package checkout

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"panshi/internal/catalog"
	"panshi/internal/db"
	"panshi/internal/errs"
	"panshi/internal/fault"
	"panshi/internal/id"
	"panshi/internal/money"
	"panshi/internal/order"
	"panshi/internal/stock"
	"panshi/internal/vault"
)

// PlaceLine asks for items of a SKU.
type PlaceLine struct {
	SKUID    id.ID
	Quantity int
}

// PlaceRequest asks for an order.
type PlaceRequest struct {
	MerchantID id.ID
	Key        string // Idempotency-Key
	BodyDigest []byte // SHA-256 of what the request means
	Lines      []PlaceLine
	Contact    order.Contact
	Lang       string // "zh-CN" or "en": the language of titles and mails
}

// Placed is an order that stands.
type Placed struct {
	Order       order.Order
	Lines       []order.Line
	AccessToken string
	Repeated    bool // the key was used before: nothing new happened
}

// Errors of Place.
var (
	errShopClosed   = errs.New(errs.Conflict, "shop_closed", "this shop takes no orders at the moment")
	errOffSale      = errs.New(errs.Conflict, "sku_off_sale", "this product is not on sale")
	errOrderLimit   = errs.New(errs.Conflict, "order_limit", "more of this product than one order may have")
	errTooManyCards = errs.Field("lines", "too_many_cards", "an order has at most 200 card keys; place several").With("max", strconv.Itoa(order.MaxCards))
	errUnpaidLimit  = errs.New(errs.Conflict, "unpaid_limit", "this contact has too many unpaid orders; pay or cancel one first")
)

// placing is a request made ready outside of the transaction: what is random,
// sealed or slow is done.
type placing struct {
	PlaceRequest
	orderID       id.ID
	contactSealed []byte
	contactIndex  []byte
	digest        []byte
}

type placeResult struct {
	order    order.Order
	lines    []order.Line
	repeated bool
	err      error
}

// Place prices, reserves and writes an order in one transaction. Repeating it
// with the same key and request returns the same order and token.
func (s *Service) Place(ctx context.Context, r PlaceRequest) (Placed, error) {
	p, err := s.prepare(r)
	if err != nil {
		return Placed{}, err
	}
	if err := s.refuseSoldOut(ctx, p); err != nil {
		return Placed{}, err
	}
	var res placeResult
	err = s.db.Update(ctx, func(tx *db.Tx) error {
		res = s.placeTx(tx, []placing{p})[0]
		return res.err
	})
	if errors.Is(err, stock.ErrSoldOut) {
		s.soldOut.note(r.Lines)
	}
	if err != nil {
		return Placed{}, err
	}
	fault.Point("checkout.place.committed")
	return Placed{Order: res.order, Lines: res.lines, AccessToken: s.Access(res.order.ID), Repeated: res.repeated}, nil
}

func (s *Service) prepare(r PlaceRequest) (placing, error) {
	if err := checkKey(r.Key); err != nil {
		return placing{}, err
	}
	if err := checkLines(r.Lines); err != nil {
		return placing{}, err
	}
	p := placing{PlaceRequest: r, orderID: id.New(), digest: s.keepable(r.MerchantID, r.BodyDigest)}
	sealed, err := s.vault.Seal(vault.PII, order.ContactCell(p.orderID), []byte(r.Contact.Value))
	if err != nil {
		return placing{}, err
	}
	p.contactSealed = sealed
	p.contactIndex = s.vault.Fingerprint(vault.PII, r.MerchantID, order.ContactIndexPurpose,
		[]byte(string(r.Contact.Kind)+":"+r.Contact.Value))
	return p, nil
}

func checkLines(lines []PlaceLine) error {
	if len(lines) == 0 {
		return errs.Field("lines", "required", "an order needs at least one line")
	}
	if len(lines) > order.MaxLines {
		return errs.Field("lines", "out_of_range", "an order has at most 50 lines")
	}
	seen := make(map[id.ID]bool, len(lines))
	for i, l := range lines {
		if l.Quantity < 1 || l.Quantity > order.MaxQuantity {
			return errs.Field(fmt.Sprintf("lines[%d].quantity", i), "out_of_range", "a quantity is 1 to 999")
		}
		if seen[l.SKUID] {
			return errs.Field(fmt.Sprintf("lines[%d].sku_id", i), "duplicate_line", "this SKU is in the order twice; add the quantities")
		}
		seen[l.SKUID] = true
	}
	return nil
}

// placeTx places a batch of orders. An item that fails has an error in its
// result and must not be committed: where items share a transaction, its
// caller rolls back and repeats without it.
func (s *Service) placeTx(tx *db.Tx, batch []placing) []placeResult {
	results := make([]placeResult, len(batch))
	for i, p := range batch {
		results[i] = s.placeOneTx(tx, p)
	}
	return results
}

func (s *Service) placeOneTx(tx *db.Tx, p placing) placeResult {
	owner, fresh, err := p.idempotency().claimTx(tx, p.orderID)
	if err != nil {
		return placeResult{err: err}
	}
	if !fresh {
		return repeatedTx(tx, p.MerchantID, owner)
	}
	lines, err := priceTx(tx, p)
	if err != nil {
		return placeResult{err: err}
	}
	o, err := s.newOrder(tx.Now(), p, lines)
	if err != nil {
		return placeResult{err: err}
	}
	if err := s.checkUnpaidTx(tx, p); err != nil {
		return placeResult{err: err}
	}
	if err := order.InsertTx(tx, o, lines); err != nil {
		return placeResult{err: err}
	}
	fault.Point("checkout.place.order-written")
	if err := stock.HoldTx(tx, p.MerchantID, o.ID, claimsOf(lines)); err != nil {
		return placeResult{err: err}
	}
	fault.Point("checkout.place.stock-held")
	return placeResult{order: o, lines: lines}
}

func (p placing) idempotency() idempotency {
	return idempotency{p.MerchantID, "order", p.Key, p.digest}
}

// repeatedTx returns the order that an earlier use of the key made.
func repeatedTx(tx *db.Tx, merchantID, orderID id.ID) placeResult {
	o, err := order.ByIDTx(tx, merchantID, orderID)
	if err != nil {
		return placeResult{err: err}
	}
	lines, err := order.LinesTx(tx, o)
	return placeResult{order: o, lines: lines, repeated: true, err: err}
}

// priceTx reads price, title and stock mode of every line from the database;
// nothing that a client says of them counts.
func priceTx(tx *db.Tx, p placing) ([]order.Line, error) {
	lines := make([]order.Line, len(p.Lines))
	sum := sums{ofProduct: make(map[id.ID]int, len(p.Lines))}
	for i, l := range p.Lines {
		q, err := catalog.QuoteTx(tx, p.MerchantID, l.SKUID, p.Lang)
		if err != nil {
			return nil, atLine(i, err)
		}
		if err := sum.add(q, l.Quantity); err != nil {
			return nil, atLine(i, err)
		}
		if err := checkQuoteTx(tx, p, q, l.Quantity); err != nil {
			return nil, atLine(i, err)
		}
		amount, err := q.Price.Times(int64(l.Quantity))
		if err != nil {
			return nil, atLine(i, err)
		}
		lines[i] = order.Line{
			No: i + 1, ProductID: q.ProductID, SKUID: l.SKUID, Kind: string(q.Kind), Title: q.Title,
			Quantity: l.Quantity, UnitPrice: q.Price, Amount: amount,
			StockMode: string(q.Mode), Limited: q.PerContactLimit > 0,
		}
	}
	if sum.cards > order.MaxCards {
		return nil, errTooManyCards
	}
	return lines, nil
}

// sums are what the limits of one order count.
type sums struct {
	ofProduct map[id.ID]int // items, over all SKUs
	cards     int
}

func (s *sums) add(q catalog.Quote, quantity int) error {
	s.ofProduct[q.ProductID] += quantity
	if q.Kind == catalog.Card {
		s.cards += quantity
	}
	if q.PerOrderLimit > 0 && s.ofProduct[q.ProductID] > q.PerOrderLimit {
		return errOrderLimit.With("limit", strconv.Itoa(q.PerOrderLimit))
	}
	return nil
}

func checkQuoteTx(tx *db.Tx, p placing, q catalog.Quote, quantity int) error {
	switch {
	case !q.ShopOpen:
		return errShopClosed
	case !q.OnSale:
		return errOffSale
	case q.Mode != stock.Unlimited && q.Available < int64(quantity):
		return stock.ErrSoldOut
	case q.PerContactLimit > 0:
		return order.CountPurchaseTx(tx, p.MerchantID, q.ProductID, p.contactIndex, quantity, q.PerContactLimit)
	}
	return nil
}

// atLine makes an error that the buyer can mend name the line's SKU.
func atLine(i int, err error) error {
	var e *errs.Error
	if !errors.As(err, &e) || (e.Kind != errs.Invalid && e.Kind != errs.NotFound && e.Kind != errs.Conflict) {
		return err
	}
	c := *e
	c.Field = fmt.Sprintf("lines[%d].sku_id", i)
	if c.Kind == errs.NotFound {
		c.Kind = errs.Invalid
	}
	return &c
}

func (s *Service) newOrder(now time.Time, p placing, lines []order.Line) (order.Order, error) {
	total := money.Of(0, lines[0].Amount.Currency)
	for _, l := range lines {
		sum, err := total.Add(l.Amount)
		if err != nil {
			return order.Order{}, err
		}
		total = sum
	}
	return order.Order{
		ID: p.orderID, MerchantID: p.MerchantID, No: id.Number("", now.In(shopZone())), Status: order.Pending,
		Total: total, ContactKind: p.Contact.Kind, ContactSealed: p.contactSealed, ContactIndex: p.contactIndex,
		Lang: p.Lang, ExpiresAt: now.Add(s.cfg.OrderTTL), DueAt: now.Add(s.cfg.OrderTTL), CreatedAt: now,
	}, nil
}

// shopZone is the zone of the day in order numbers: China has one.
func shopZone() *time.Location { return time.FixedZone("UTC+8", 8*60*60) }

func (s *Service) checkUnpaidTx(tx *db.Tx, p placing) error {
	if s.cfg.UnpaidLimit == 0 {
		return nil
	}
	n, err := order.UnpaidOfTx(tx, p.MerchantID, p.contactIndex)
	if err == nil && n >= s.cfg.UnpaidLimit {
		return errUnpaidLimit.With("limit", strconv.Itoa(s.cfg.UnpaidLimit))
	}
	return err
}
