package storefront

import (
	"crypto/rand"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"panshi/internal/checkout"
	"panshi/internal/errs"
	"panshi/internal/money"
	"panshi/internal/order"
	"panshi/internal/stock"
	"panshi/internal/web"
)

// maxContact bounds the contact field; package order has the exact rules.
const maxContact = 254

// checkoutData is the checkout form.
type checkoutData struct {
	Key            string // idempotency key, one a form
	Lines          []cartLine
	Total          money.Amount
	Contact        string
	ContactProblem string
	Problem        string // of the form as a whole
	Notice         string // not a mistake of the buyer: the total changed
}

// checkoutForm shows the form for what a product's page chose.
func (s *Shop) checkoutForm(v *visit) error {
	if err := v.open(); err != nil {
		return err
	}
	q, err := v.query()
	if err != nil {
		return err
	}
	c, err := s.readCart(v, q)
	if err != nil {
		return err
	}
	status := http.StatusOK
	if !c.good() {
		status = http.StatusUnprocessableEntity
	}
	return s.showCheckout(v, status, c, checkoutData{Key: rand.Text()})
}

// showCheckout shows the form with its lines. The language switch leads to the
// same lines; the contact is in no address.
func (s *Shop) showCheckout(v *visit, status int, c cart, d checkoutData) error {
	d.Lines, d.Total = c.lines, c.total
	back := url.Values{}
	for _, l := range c.lines {
		back.Add("product", l.Slug)
		back.Add("sku", l.SKU())
		back.Add("quantity", l.Raw)
	}
	return s.show(v, status, "checkout", screen{
		Title: s.text(v, "shop.checkout.title"), Private: true, Back: "/checkout?" + back.Encode(), Data: d,
	})
}

// place takes the form: it places the order and leads to payment, or shows the
// form again with what must change.
func (s *Shop) place(v *visit) error {
	if err := v.open(); err != nil {
		return err
	}
	form, err := v.form()
	if err != nil {
		return err
	}
	c, err := s.readCart(v, form)
	if err != nil {
		return err
	}
	d := checkoutData{Key: form.Get("key"), Contact: strings.TrimSpace(form.Get("contact"))}
	if d.Key == "" {
		d.Key = rand.Text()
	}
	contact, err := readContact(d.Contact)
	if err != nil {
		return s.formFailed(v, c, d, err)
	}
	if !c.good() {
		return s.showCheckout(v, http.StatusUnprocessableEntity, c, d)
	}
	if shown := form.Get("total"); shown != strconv.FormatInt(c.total.Minor, 10) {
		d.Notice = s.text(v, "shop.checkout.total_changed", "total", s.priceText(v.lang, c.total))
		return s.showCheckout(v, http.StatusOK, c, d)
	}
	return s.placeOrder(v, c, d, contact)
}

func (s *Shop) placeOrder(v *visit, c cart, d checkoutData, contact order.Contact) error {
	lines := c.placeLines()
	placed, err := s.Orders.Place(v.r.Context(), checkout.PlaceRequest{
		MerchantID: v.shop.ID, Key: d.Key, BodyDigest: digest(d.Key, lines, contact),
		Lines: lines, Contact: contact, Lang: string(v.lang),
	})
	if err != nil {
		return s.formFailed(v, c, d, err)
	}
	s.keepToken(v, placed.Order.No, placed.AccessToken)
	return v.see("/orders/" + placed.Order.No + "/pay")
}

// readContact reads the one contact field: with an @ it is an e-mail address.
func readContact(text string) (order.Contact, error) {
	if len(text) > maxContact {
		return order.Contact{}, errs.Field("contact", "too_long", "a contact is shorter than this").
			With("max", strconv.Itoa(maxContact))
	}
	if strings.Contains(text, "@") {
		return order.ParseContact(text, "")
	}
	return order.ParseContact("", text)
}

// formFailed shows the form again with the text of a failure in its place, the
// page for sold out, or gives the failure on.
func (s *Shop) formFailed(v *visit, c cart, d checkoutData, err error) error {
	var e *errs.Error
	if !errors.As(err, &e) {
		return err
	}
	if errors.Is(err, stock.ErrSoldOut) {
		return s.soldOut(v, c, err)
	}
	contactWrong := e.Field == "contact" || strings.HasPrefix(e.Field, "contact.")
	line := lineOf(e.Field, len(c.lines))
	if !contactWrong && line < 0 && !ofForm(e.Code) {
		return err
	}
	p := web.ProblemOf(v.r.Context(), v.w.Header(), err)
	switch {
	case contactWrong:
		d.ContactProblem = p.Detail
	case line >= 0:
		c.lines[line].Problem = p.Detail
	default:
		d.Problem = p.Detail
	}
	if strings.HasPrefix(e.Code, "idempotency_") { // this form was used up: the next press is another order
		d.Key, d.Problem = rand.Text(), s.text(v, "shop.checkout.used_form")
	}
	return s.showCheckout(v, p.Status, c, d)
}

// ofForm tells which failures the buyer mends in the form.
func ofForm(code string) bool {
	switch code {
	case "order_limit", "contact_limit", "unpaid_limit",
		"idempotency_conflict", "idempotency_key_missing", "idempotency_key_invalid":
		return true
	}
	return false
}

// lineOf reads the i of "lines[i].quantity"; -1 if the field is none of ours.
func lineOf(field string, lines int) int {
	rest, ok := strings.CutPrefix(field, "lines[")
	if !ok {
		return -1
	}
	number, _, _ := strings.Cut(rest, "]")
	i, err := strconv.Atoi(number)
	if err != nil || i < 0 || i >= lines {
		return -1
	}
	return i
}

// soldOutData is the page for those who come too late.
type soldOutData struct {
	Products []cartLine
}

func (s *Shop) soldOut(v *visit, c cart, err error) error {
	p := web.ProblemOf(v.r.Context(), v.w.Header(), err)
	return s.show(v, p.Status, "soldout", screen{
		Title: s.text(v, "shop.soldout.title"), Private: true, Back: "/p/" + url.PathEscape(c.lines[0].Slug),
		Data: soldOutData{Products: c.lines},
	})
}
