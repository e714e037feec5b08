package storefront

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"panshi/internal/catalog"
	"panshi/internal/checkout"
	"panshi/internal/errs"
	"panshi/internal/id"
	"panshi/internal/money"
	"panshi/internal/order"
)

// cartLine is one line of the checkout form.
type cartLine struct {
	Slug      string
	SKUID     id.ID
	Title     string
	Image     string
	Raw       string // the quantity as it was typed
	Quantity  int    // 0: Raw is no quantity
	Max       int
	UnitPrice money.Amount
	Amount    money.Amount
	Problem   string // beside the quantity
}

// SKU is the id as the form carries it.
func (l cartLine) SKU() string { return l.SKUID.String() }

type cart struct {
	lines []cartLine
	total money.Amount // of the lines with a good quantity
}

// errEmptyCart says that the form names nothing to buy.
var errEmptyCart = errs.Field("sku", "nothing_chosen", "nothing to buy was chosen")

// readCart reads the lines of a form, the fields product, sku and quantity
// once a line, and finds what they name. Prices are for show: Place prices
// again.
func (s *Shop) readCart(v *visit, form url.Values) (cart, error) {
	slugs, skus, quantities := form["product"], form["sku"], form["quantity"]
	if len(slugs) == 0 || len(slugs) != len(skus) || len(skus) != len(quantities) {
		return cart{}, errEmptyCart
	}
	if len(slugs) > order.MaxLines {
		return cart{}, errs.Field("sku", "out_of_range", "an order has at most 50 lines")
	}
	c := cart{total: money.Of(0, v.shop.Currency)}
	for i := range slugs {
		line, err := s.readLine(v, slugs[i], skus[i], quantities[i])
		if err != nil {
			return cart{}, err
		}
		if c.total, err = c.total.Add(line.Amount); err != nil {
			return cart{}, err
		}
		c.lines = append(c.lines, line)
	}
	return c, nil
}

func (s *Shop) readLine(v *visit, slug, sku, quantity string) (cartLine, error) {
	skuID, err := id.Parse(sku)
	if err != nil {
		return cartLine{}, errEmptyCart
	}
	from := s.Catalog
	if v.r.Method == http.MethodPost {
		from = s.Ordering
	}
	p, err := from.BySlug(v.r.Context(), v.shop.ID, slug)
	if err != nil {
		return cartLine{}, err
	}
	for _, k := range p.SKUs {
		if k.ID == skuID {
			return s.priceLine(v, p, k, quantity)
		}
	}
	return cartLine{}, catalog.ErrSKUNotFound
}

func (s *Shop) priceLine(v *visit, p catalog.Product, k catalog.SKU, quantity string) (cartLine, error) {
	if !p.On || !k.On {
		return cartLine{}, errs.New(errs.Conflict, "sku_off_sale", "this product is not on sale")
	}
	title, _, _ := p.In(string(v.lang))
	if variant := k.In(string(v.lang)); variant != "" {
		title += " · " + variant
	}
	line := cartLine{
		Slug: p.Slug, SKUID: k.ID, Title: title, Image: p.Image, Raw: quantity, Max: maxQuantity(p),
		UnitPrice: k.Price, Amount: money.Of(0, k.Price.Currency),
	}
	n, ok := quantityOf(quantity)
	if !ok {
		line.Problem = s.text(v, "shop.checkout.bad_quantity", "max", strconv.Itoa(line.Max))
		return line, nil
	}
	var err error
	line.Quantity = n
	line.Amount, err = k.Price.Times(int64(n))
	return line, err
}

func quantityOf(text string) (n int, ok bool) {
	n, err := strconv.Atoi(text)
	return n, err == nil && n >= 1 && n <= order.MaxQuantity
}

// good tells whether every line has a quantity.
func (c cart) good() bool {
	for _, l := range c.lines {
		if l.Quantity == 0 {
			return false
		}
	}
	return true
}

func (c cart) placeLines() []checkout.PlaceLine {
	out := make([]checkout.PlaceLine, 0, len(c.lines))
	for _, l := range c.lines {
		out = append(out, checkout.PlaceLine{SKUID: l.SKUID, Quantity: l.Quantity})
	}
	return out
}

// digest is a SHA-256 of what an order form means, for its idempotency key.
// The form's own random key is part of it: a contact has too few possible
// values to stand under a plain hash that others can share.
func digest(key string, lines []checkout.PlaceLine, contact order.Contact) []byte {
	h := sha256.New()
	_, _ = fmt.Fprintf(h, "place %q %q %q", key, string(contact.Kind), contact.Value) // a hash never fails
	for _, l := range lines {
		_, _ = fmt.Fprintf(h, " %s %d", l.SKUID, l.Quantity)
	}
	return h.Sum(nil)
}
