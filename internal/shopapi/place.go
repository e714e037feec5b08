package shopapi

import (
	"context"
	"errors"
	"fmt"
	"time"

	"panshi/internal/checkout"
	"panshi/internal/id"
	"panshi/internal/order"
	"panshi/internal/web"
)

type placeLine struct {
	SKUID    string `json:"sku_id" format:"uuid" maxLength:"36" example:"0198f3a0-0000-7000-8000-000000000002" doc:"From the product's skus; once an order."`
	Quantity int    `json:"quantity" minimum:"1" maximum:"999" example:"1" doc:"How many items."`
}

type placeContact struct {
	Email string `json:"email,omitempty" maxLength:"254" example:"buyer@example.com" doc:"An e-mail address. Give this or phone, not both."`
	Phone string `json:"phone,omitempty" maxLength:"32" doc:"A mainland mobile number, or another with + and country code."`
}

type placeBody struct {
	Lines   []placeLine  `json:"lines" minItems:"1" maxItems:"50" doc:"What is bought."`
	Contact placeContact `json:"contact" doc:"How the buyer can be reached. It is stored encrypted and never shown again."`
	Lang    string       `json:"lang,omitempty" enum:"zh-CN,en" maxLength:"8" example:"en" doc:"The language of titles and messages; if missing, that of Accept-Language."`
}

type placeIn struct {
	web.IdempotencyHeader
	Body placeBody
}

type placedOrder struct {
	OrderNo     string    `json:"order_no" example:"20260504M7KQ2Z8R4T6V0XWY" doc:"For the buyer to keep."`
	Status      string    `json:"status" enum:"pending,paid,delivered,completed,closed,refunding,refunded,held" example:"pending" doc:"Where the order stands; a repeat shows how far it got."`
	Total       int64     `json:"total" example:"4900" doc:"To pay, in minor units."`
	Currency    string    `json:"currency" example:"CNY" doc:"ISO 4217."`
	CreatedAt   time.Time `json:"created_at" example:"2026-05-04T03:02:01.000Z" doc:"When it was placed."`
	ExpiresAt   time.Time `json:"expires_at" example:"2026-05-04T03:17:01.000Z" doc:"When it closes if it is not paid."`
	AccessToken string    `json:"access_token" example:"q83vEjRWeJq83vEjRWeJqw" doc:"Opens this order; keep it secret."`
}

type placeOut struct{ Body placedOrder }

func (a *api) placeOrder(ctx context.Context, shop id.ID, in *placeIn) (*placeOut, error) {
	lines, badLine := parseLines(in.Body.Lines)
	contact, badContact := order.ParseContact(in.Body.Contact.Email, in.Body.Contact.Phone)
	if err := errors.Join(badLine, badContact); err != nil {
		return nil, err
	}
	lang := in.Body.Lang
	if lang == "" {
		lang = string(web.Lang(ctx))
	}
	placed, err := a.deps.Orders.Place(ctx, checkout.PlaceRequest{
		MerchantID: shop, Key: in.IdempotencyKey, BodyDigest: placeDigest(lines, contact),
		Lines: lines, Contact: contact, Lang: lang,
	})
	if err != nil {
		return nil, err
	}
	o := placed.Order
	return &placeOut{placedOrder{
		OrderNo: o.No, Status: string(o.Status), Total: o.Total.Minor, Currency: string(o.Total.Currency),
		CreatedAt: moment(o.CreatedAt), ExpiresAt: moment(o.ExpiresAt), AccessToken: placed.AccessToken,
	}}, nil
}

// parseLines reads the ids and names every one that is wrong.
func parseLines(in []placeLine) ([]checkout.PlaceLine, error) {
	var wrong []error
	lines := make([]checkout.PlaceLine, len(in))
	for i, l := range in {
		sku, err := parseID(fmt.Sprintf("lines[%d].sku_id", i), l.SKUID)
		if err != nil {
			wrong = append(wrong, err)
		}
		lines[i] = checkout.PlaceLine{SKUID: sku, Quantity: l.Quantity}
	}
	return lines, errors.Join(wrong...)
}

// moment is t as answers show it: UTC, in milliseconds as they are stored.
func moment(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }

// momentOrNone leaves out what has not happened.
func momentOrNone(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = moment(t)
	return &t
}
