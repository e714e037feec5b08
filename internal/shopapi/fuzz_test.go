package shopapi

import (
	"context"
	"io"
	"net/http"
	"testing"
	"unicode/utf8"

	"panshi/internal/audit"
	"panshi/internal/checkout"
	"panshi/internal/id"
	"panshi/internal/order"
	"panshi/internal/web"
)

// originSpy notes who reveals.
type originSpy struct {
	*fakes
	actor   audit.Actor
	request string
}

func (s *originSpy) Reveal(ctx context.Context, m id.ID, no, token string) ([]checkout.Revealed, error) {
	s.actor, s.request = audit.Origin(ctx)
	return s.fakes.Reveal(ctx, m, no, token)
}

// FuzzPlaceOrderBody sends any bytes as an order: the answer is 201, or a
// problem that is the sender's, and what reaches checkout keeps its bounds.
func FuzzPlaceOrderBody(f *testing.F) {
	good := placeJSON(lineJSON("1"), mail)
	for _, seed := range []string{
		good, placeJSON(lineJSON("1")+","+lineJSON("999"), `{"phone":"+86 138-0013-8000"}`), `{"lang":"en",` + good[1:],
		"{}", "null", "[]", `{"lines":null,"contact":null}`, placeJSON(`{"sku_id":"0198f3a0000070008000000000000002","quantity":1}`, mail),
		placeJSON(lineJSON("1e0"), mail), placeJSON(lineJSON("1"), `{"email":"a\u0000@b.c"}`), "{\"lines\":[{\"sku_\xff\":1}]}", good + "{}",
	} {
		f.Add([]byte(seed))
	}
	fake := &fakes{}
	h := server(f, fake, io.Discard)
	f.Fuzz(func(t *testing.T, body []byte) {
		fake.place = func(r checkout.PlaceRequest) (checkout.Placed, error) {
			holdBounds(t, r)
			return checkout.Placed{Order: anOrder(), AccessToken: goodToken}, nil
		}
		w := post(ordersPath, string(body)).do(h)
		if w.Code == http.StatusCreated {
			return
		}
		if p := decode[web.Problem](t, w); w.Code < 400 || w.Code >= 500 || p.Code == "" || p.Status != w.Code {
			t.Errorf("status %d, body %s", w.Code, w.Body)
		}
	})
}

func holdBounds(t *testing.T, r checkout.PlaceRequest) {
	t.Helper()
	if len(r.Lines) < 1 || len(r.Lines) > order.MaxLines || len(r.BodyDigest) != 32 || r.Key == "" {
		t.Errorf("out of bounds: %d lines", len(r.Lines))
	}
	for _, l := range r.Lines {
		if l.Quantity < 1 || l.Quantity > order.MaxQuantity {
			t.Errorf("quantity %d", l.Quantity)
		}
	}
	if v := r.Contact.Value; v == "" || len(v) > 254 || !utf8.ValidString(v) || (r.Lang != "zh-CN" && r.Lang != "en") {
		t.Errorf("contact %q, language %q", v, r.Lang)
	}
}
