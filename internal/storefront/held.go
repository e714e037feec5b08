package storefront

import (
	"net/http"
	"strings"

	"panshi/internal/checkout"
	"panshi/internal/errs"
	"panshi/internal/web"
)

// held is an order that the visitor proved to hold.
type held struct {
	checkout.View
	no, token string
}

func (h held) path() string { return "/orders/" + h.no }

// arrival is where a buyer goes who need not pay any more. Who comes back from a
// platform's page is there for the goods: the page shows them at once, as it
// does to those who paid by a code.
func (h held) arrival(back bool) string {
	if back {
		return h.path() + "#goods"
	}
	return h.path()
}

// errNoToken stands for an order page whose cookie is missing or wrong.
var errNoToken = errs.New(errs.NotFound, "order_not_found", "there is no such order")

// heldOrder reads the order of the address with the token of its cookie. All
// ways to fail are one error, so that numbers cannot be probed.
func (s *Shop) heldOrder(v *visit) (held, error) {
	h := held{no: v.r.PathValue("no")}
	if !validOrderNo(h.no) {
		return h, errNoToken
	}
	if h.token = tokenOf(v.r, h.no); h.token == "" {
		return h, errNoToken
	}
	var err error
	h.View, err = s.Orders.Order(v.r.Context(), v.shop.ID, h.no, h.token)
	return h, err
}

// withOrder shows an order's page to its holder, and the look-up form to
// everybody else.
func (s *Shop) withOrder(v *visit, then func(held) error) error {
	h, err := s.heldOrder(v)
	if errs.CodeOf(err) == errNoToken.Code {
		return s.askToken(v, h.no, err)
	}
	if err != nil {
		return err
	}
	return then(h)
}

// lookupData is the form by which a guest finds an order.
type lookupData struct {
	OrderNo string
	Problem string
}

func (s *Shop) lookupForm(v *visit) error {
	return s.showLookup(v, http.StatusOK, lookupData{})
}

func (s *Shop) showLookup(v *visit, status int, d lookupData) error {
	return s.show(v, status, "lookup", screen{
		Title: s.text(v, "shop.lookup.title"), Private: true, Back: "/lookup", Data: d,
	})
}

// askToken is what a stranger to an order sees.
func (s *Shop) askToken(v *visit, no string, err error) error {
	d := lookupData{Problem: s.text(v, "shop.lookup.needed")}
	if validOrderNo(no) {
		d.OrderNo = no
	}
	return s.showLookup(v, web.ProblemOf(v.r.Context(), v.w.Header(), err).Status, d)
}

// lookup opens an order with its number and look-up code.
func (s *Shop) lookup(v *visit) error {
	form, err := v.form()
	if err != nil {
		return err
	}
	no := strings.ToUpper(strings.TrimSpace(form.Get("order_no")))
	token := strings.TrimSpace(form.Get("token"))
	err = errNoToken
	if validOrderNo(no) && validToken(token) {
		_, err = s.findOrder(v, no, token)
	}
	if errs.CodeOf(err) == errNoToken.Code {
		d := lookupData{OrderNo: clip(no, maxOrderNo), Problem: s.text(v, "shop.lookup.wrong")}
		return s.showLookup(v, web.ProblemOf(v.r.Context(), v.w.Header(), err).Status, d)
	}
	if err != nil {
		return err
	}
	s.keepToken(v, no, token)
	return v.see("/orders/" + no)
}

func (s *Shop) findOrder(v *visit, no, token string) (checkout.View, error) {
	return s.Orders.Order(v.r.Context(), v.shop.ID, no, token)
}

func clip(s string, most int) string {
	runes := []rune(s)
	return string(runes[:min(len(runes), most)])
}
