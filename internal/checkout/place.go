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
	p, err := s.checked(r)
	if err != nil {
		return Placed{}, err
	}
	if err := s.refuseSoldOut(ctx, p); err != nil {
		return Placed{}, err
	}
	if p, err = s.sealed(p); err != nil {
		return Placed{}, err
	}
	res, err := s.placeAny(ctx, p)
	if errors.Is(err, stock.ErrSoldOut) {
		s.soldOut.note(p)
	}
	if err != nil {
		return Placed{}, err
	}
	fault.Point("checkout.place.committed")
	return Placed{Order: res.order, Lines: res.lines, AccessToken: s.Access(res.order.ID), Repeated: res.repeated}, nil
}

// placeAny places an order the way that is fastest on the engine: in a batch
// where round trips cost, as a closure of its own where the engine itself
// commits many closures at once.
func (s *Service) placeAny(ctx context.Context, p placing) (placeResult, error) {
	engine, err := s.engine.of(ctx, s.db)
	if err != nil {
		return placeResult{}, err
	}
	if engine == db.Postgres {
		res, err := s.places.do(ctx, p)
		if err == nil {
			err = res.err
		}
		if !runsAlone(err) {
			return res, err
		}
	}
	var res placeResult
	err = patiently(ctx, func() (err error) {
		res, err = s.placeAlone(ctx, p)
		return err
	})
	return res, err
}

// placeAlone places an order in a transaction of its own.
func (s *Service) placeAlone(ctx context.Context, p placing) (res placeResult, err error) {
	err = s.db.Update(ctx, func(tx *db.Tx) error {
		res = s.placeOneTx(tx, p)
		return res.err
	})
	return res, err
}

// placeMany places a batch of orders in one transaction.
func (s *Service) placeMany(ctx context.Context, batch []placing) (results []placeResult, err error) {
	err = s.db.Update(ctx, func(tx *db.Tx) (err error) {
		results, err = s.placeTx(tx, batch)
		return err
	})
	return results, err
}

// checked refuses what can be refused without the database.
func (s *Service) checked(r PlaceRequest) (placing, error) {
	if err := checkKey(r.Key); err != nil {
		return placing{}, err
	}
	if err := checkLines(r.Lines); err != nil {
		return placing{}, err
	}
	return placing{PlaceRequest: r, orderID: id.New(), digest: s.keepable(r.MerchantID, r.BodyDigest)}, nil
}

// sealed hides the contact of a request that is worth it.
func (s *Service) sealed(p placing) (placing, error) {
	sealed, err := s.vault.Seal(vault.PII, order.ContactCell(p.orderID), []byte(p.Contact.Value))
	p.contactSealed = sealed
	p.contactIndex = s.vault.Fingerprint(vault.PII, p.MerchantID, order.ContactIndexPurpose,
		[]byte(string(p.Contact.Kind)+":"+p.Contact.Value))
	return p, err
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

// placeTx places a batch of orders. If it fails nothing may be committed;
// an item of several that fails has an error in its result and wrote nothing.
func (s *Service) placeTx(tx *db.Tx, batch []placing) ([]placeResult, error) {
	if len(batch) > 1 {
		return s.placeBatchTx(tx, batch)
	}
	res := s.placeOneTx(tx, batch[0])
	return []placeResult{res}, res.err
}

func (s *Service) placeOneTx(tx *db.Tx, p placing) placeResult {
	if err := s.lockContactTx(tx, p); err != nil {
		return placeResult{err: err}
	}
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

// rows is the most that placing writes: key, number and order, and for each
// line itself, its counter and its cards.
func (p placing) rows() int {
	cards := 0
	for _, l := range p.Lines {
		cards += l.Quantity
	}
	return 3 + 2*len(p.Lines) + min(cards, order.MaxCards)
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

// quoter tells what the shop knows of a line's SKU; counter counts a line
// towards its contact's limit.
type (
	quoter  func(l PlaceLine) (catalog.Quote, error)
	counter func(q catalog.Quote, quantity int) error
)

// priceTx prices an order from the database.
func priceTx(tx *db.Tx, p placing) ([]order.Line, error) {
	quote := func(l PlaceLine) (catalog.Quote, error) { return catalog.QuoteTx(tx, p.MerchantID, l.SKUID, p.Lang) }
	count := func(q catalog.Quote, quantity int) error {
		return order.CountPurchaseTx(tx, p.MerchantID, q.ProductID, p.contactIndex, quantity, q.PerContactLimit)
	}
	return price(p, quote, count)
}

// price takes price, title and stock mode of every line from the shop's own
// data; nothing that a client says of them counts.
func price(p placing, quote quoter, count counter) ([]order.Line, error) {
	lines := make([]order.Line, len(p.Lines))
	sum := sums{ofProduct: make(map[id.ID]int, len(p.Lines))}
	for i, l := range p.Lines {
		q, err := quote(l)
		if err != nil {
			return nil, atLine(i, err)
		}
		if err := sum.add(q, l.Quantity); err != nil {
			return nil, atLine(i, err)
		}
		if err := checkQuote(q, l.Quantity, count); err != nil {
			return nil, atLine(i, err)
		}
		if lines[i], err = lineOf(i+1, q, l.Quantity); err != nil {
			return nil, atLine(i, err)
		}
	}
	if sum.cards > order.MaxCards {
		return nil, errTooManyCards
	}
	return lines, nil
}

func lineOf(no int, q catalog.Quote, quantity int) (order.Line, error) {
	amount, err := q.Price.Times(int64(quantity))
	return order.Line{
		No: no, ProductID: q.ProductID, SKUID: q.SKUID, Kind: string(q.Kind), Title: q.Title,
		Quantity: quantity, UnitPrice: q.Price, Amount: amount,
		StockMode: string(q.Mode), Limited: q.PerContactLimit > 0,
	}, err
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

func checkQuote(q catalog.Quote, quantity int, count counter) error {
	switch {
	case !q.ShopOpen:
		return errShopClosed
	case !q.OnSale:
		return errOffSale
	case q.Mode != stock.Unlimited && q.Available < int64(quantity):
		return stock.ErrSoldOut
	case q.PerContactLimit > 0:
		return count(q, quantity)
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

// lockContactTx keeps others from counting a contact's unpaid orders while this
// order is added to them.
func (s *Service) lockContactTx(tx *db.Tx, p placing) error {
	if s.cfg.UnpaidLimit == 0 {
		return nil
	}
	return order.LockContactsTx(tx, order.Unpaid{MerchantID: p.MerchantID, ContactIndex: p.contactIndex})
}

func (s *Service) checkUnpaidTx(tx *db.Tx, p placing) error {
	if s.cfg.UnpaidLimit == 0 {
		return nil
	}
	n, err := order.UnpaidOfTx(tx, p.MerchantID, p.contactIndex)
	if err != nil {
		return err
	}
	return s.checkUnpaid(n)
}
