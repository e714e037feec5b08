package shopapi

import (
	"context"
	"log/slog"
	"net/http"

	"panshi/internal/errs"
	"panshi/internal/id"
	"panshi/internal/order"
	"panshi/internal/payment"
	"panshi/internal/perm"
	"panshi/internal/web"
)

// OrderRef names an order and proves that the caller may see it. It is exported
// because parameters of embedded types that are not are left out.
type OrderRef struct {
	web.BearerHeader
	OrderNo string `path:"order_no" maxLength:"32" pattern:"^[0-9A-Za-z]+$" example:"20260504M7KQ2Z8R4T6V0XWY" doc:"The order's number."`
}

type (
	orderOut  struct{ Body orderView }
	revealOut struct{ Body deliveryList }
)

type deliveryList struct {
	Deliveries []delivery `json:"deliveries" doc:"What was delivered so far, in the order of the lines."`
}

type delivery struct {
	LineNo  int    `json:"line_no" example:"1" doc:"The order's line."`
	SKUID   string `json:"sku_id" format:"uuid" example:"0198f3a0-0000-7000-8000-000000000002" doc:"What was bought."`
	Title   string `json:"title" example:"Game card 50" doc:"As the buyer read it."`
	Kind    string `json:"kind" enum:"card,text,file,shipment" example:"card" doc:"What content is: a card key, or a text; files and shipments are to come."`
	Content string `json:"content" example:"ABCD-EFGH-IJKL" doc:"The goods."`
}

func (a *api) addOrders() {
	register(a, web.Operation{
		Method: http.MethodPost, Path: "/api/v1/orders", ID: "place_order", Tag: tagOrders, Status: http.StatusCreated,
		Summary:     "Place an order",
		Description: "Prices are the server's, and the goods are held until expires_at. Coupons and addresses are not there yet: coupon_code and address_id are refused as unknown fields.",
		Permission:  perm.Anyone, Priority: perm.Critical, Limit: web.LimitOrder,
		Errors: map[errs.Kind][]string{
			errs.Invalid: fieldCodes("invalid_id", "invalid_choice", "invalid_email", "invalid_phone", "contact_ambiguous",
				"sku_not_found", "duplicate_line", "amount_out_of_range", "currency_mismatch", "idempotency_key_missing", "idempotency_key_invalid"),
			errs.Conflict: {"sold_out", "sku_off_sale", "order_limit", "contact_limit", "unpaid_limit", "idempotency_conflict"},
		},
	}, a.placeOrder)
	register(a, heldOrder(web.Operation{
		Method: http.MethodGet, Path: "/api/v1/orders/{order_no}", ID: "get_order", Limit: web.LimitRead,
		Summary:     "Show an order",
		Description: "Ask again every few seconds while the buyer pays: the payment platform is then asked as well, at most once in 10 s.",
	}), a.getOrder)
	register(a, heldOrder(web.Operation{
		Method: http.MethodPost, Path: "/api/v1/orders/{order_no}/deliveries/reveal", ID: "reveal_deliveries", Limit: web.LimitReveal,
		Summary:     "Show what was delivered",
		Description: "May be repeated; every time is recorded.",
	}, "not_delivered"), a.reveal)
	cancel := heldOrder(web.Operation{
		Method: http.MethodPost, Path: "/api/v1/orders/{order_no}/cancel", ID: "cancel_order", Limit: web.LimitOrder,
		Summary:     "Close an order that is not paid",
		Description: "Cancelling a closed order again succeeds. If the payment turns out to have been made, the order is paid and the answer is order_state; payment_checking: the platform does not tell yet.",
	}, "order_state")
	cancel.Errors[errs.Unavailable] = []string{"payment_checking"}
	register(a, cancel, a.cancel)
}

// heldOrder fills in what operations on one order have in common.
func heldOrder(op web.Operation, conflicts ...string) web.Operation {
	op.Tag, op.Permission, op.Priority, op.Auth = tagOrders, perm.OrderHeld, perm.Critical, orderToken
	op.Errors = map[errs.Kind][]string{
		errs.Invalid:  {"too_long", "invalid_format", "duplicate_field"},
		errs.NotFound: {"order_not_found"},
	}
	if len(conflicts) > 0 {
		op.Errors[errs.Conflict] = conflicts
	}
	return op
}

func (a *api) getOrder(ctx context.Context, shop id.ID, in *OrderRef) (*orderOut, error) {
	token, err := in.Token()
	if err != nil {
		return nil, err
	}
	v, err := a.deps.Orders.Order(ctx, shop, in.OrderNo, token)
	if err != nil {
		return nil, err
	}
	if v.Order.Status == order.Pending && anyOpen(v.Payments) {
		a.nudge(ctx, v.Order)
	}
	return &orderOut{viewOf(v)}, nil
}

// nudge asks for what a waiting buyer waits for. The answer does not depend on
// it: sweeps ask anyway.
func (a *api) nudge(ctx context.Context, o order.Order) {
	if err := a.deps.Payments.Nudge(ctx, o.MerchantID, o.ID); err != nil {
		a.deps.Logger.LogAttrs(ctx, slog.LevelWarn, "payment not asked about sooner",
			slog.String("code", errs.CodeOf(err)), slog.String("order_no", o.No), slog.String("request_id", web.RequestID(ctx)))
	}
}

func anyOpen(payments []payment.Payment) bool {
	for _, p := range payments {
		if p.Status == payment.Open {
			return true
		}
	}
	return false
}

func (a *api) cancel(ctx context.Context, shop id.ID, in *OrderRef) (*orderOut, error) {
	token, err := in.Token()
	if err != nil {
		return nil, err
	}
	v, err := a.deps.Orders.Cancel(ctx, shop, in.OrderNo, token)
	if err != nil {
		return nil, err
	}
	return &orderOut{viewOf(v)}, nil
}

func (a *api) reveal(ctx context.Context, shop id.ID, in *OrderRef) (*revealOut, error) {
	token, err := in.Token()
	if err != nil {
		return nil, err
	}
	items, err := a.deps.Orders.Reveal(ctx, shop, in.OrderNo, token)
	if err != nil {
		return nil, err
	}
	out := deliveryList{Deliveries: make([]delivery, len(items))}
	for i, it := range items {
		out.Deliveries[i] = delivery{
			LineNo: it.LineNo, SKUID: it.SKUID.String(), Title: it.Title, Kind: contentKind(it.Kind), Content: it.Content,
		}
	}
	return &revealOut{out}, nil
}

// contentKind names what a buyer gets: what staff delivered by hand is a text.
func contentKind(productKind string) string {
	if productKind == "card" {
		return "card"
	}
	return "text"
}
