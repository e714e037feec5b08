package consoleapi

import (
	"context"
	"net/http"

	"panshi/internal/access"
	"panshi/internal/checkout"
	"panshi/internal/errs"
	"panshi/internal/id"
	"panshi/internal/order"
	"panshi/internal/perm"
	"panshi/internal/web"
)

// OrderPath is embedded in the input of an operation on an order.
type OrderPath struct {
	OrderNo string `path:"order_no" minLength:"1" maxLength:"32" pattern:"^[0-9A-Za-z]+$" doc:"The order's number."`
}

type listOrdersIn struct {
	web.Page
	Status string `query:"status" enum:"pending,paid,delivered,completed,closed,refunding,refunded,held" doc:"Only orders of this state."`
}

type ordersOut struct {
	Body struct {
		Items      []OrderSummary `json:"items" doc:"The newest first."`
		NextCursor string         `json:"next_cursor" doc:"Nothing on the last page."`
	}
}

type orderOut struct{ Body orderView }

type contactOut struct {
	Body struct {
		Kind  string `json:"kind" enum:"email,phone" doc:"How the buyer can be reached."`
		Value string `json:"value" doc:"In clear. This look was recorded."`
	}
}

type deliverIn struct {
	OrderPath
	Body struct {
		LineNo  int    `json:"line_no" minimum:"1" maximum:"50" doc:"A line of a manual product."`
		Content string `json:"content" minLength:"1" maxLength:"16384" doc:"What the buyer gets; stored sealed."`
	}
}

// RefundBody says what of an order is to be given back, and where to.
type RefundBody struct {
	Reason   string           `json:"reason" minLength:"1" maxLength:"200" doc:"For the record and the platform."`
	Amount   int64            `json:"amount,omitempty" minimum:"1" maximum:"1000000000000" doc:"A part, in minor units. Without amount and lines: all that is left."`
	Lines    []refundLineBody `json:"lines,omitempty" minItems:"1" maxItems:"50" doc:"Items of lines at their unit price, instead of an amount. A line is never given back twice."`
	To       string           `json:"to,omitempty" enum:"payer,credit" doc:"payer: back the way it came. credit: what platforms took becomes store credit, at once and for good. Nothing: payer."`
	CreditID string           `json:"credit_id,omitempty" format:"uuid" maxLength:"36" doc:"With to credit: which account; nothing: a new one for the order's contact."`
}

type refundLineBody struct {
	LineNo   int `json:"line_no" minimum:"1" maximum:"50" doc:"The order's line."`
	Quantity int `json:"quantity" minimum:"1" maximum:"999" doc:"How many items of it."`
}

type (
	refundIn struct {
		OrderPath
		web.IdempotencyHeader
		Body RefundBody
	}
	requestRefundIn struct {
		OrderPath
		Body RefundBody
	}
)

func (a *api) addOrders() {
	const one = "/console/api/v1/orders/{order_no}"
	unknown := []string{"order_not_found"}
	register(a, web.Operation{
		Method: http.MethodGet, Path: "/console/api/v1/orders", ID: "list_orders", Tag: tagOrders, Summary: "List orders, contacts masked",
		Permission: perm.OrdersRead, Priority: perm.Normal, Limit: web.LimitStaff,
		Errors: map[errs.Kind][]string{errs.Invalid: {"invalid_cursor"}},
	}, a.listOrders)
	register(a, web.Operation{
		Method: http.MethodGet, Path: one, ID: "get_order", Tag: tagOrders, Summary: "Show an order with its history, contact masked",
		Permission: perm.OrdersRead, Priority: perm.Normal, Limit: web.LimitStaff,
		Errors: map[errs.Kind][]string{errs.NotFound: unknown},
	}, a.getOrder)
	register(a, web.Operation{
		Method: http.MethodPost, Path: one + "/contact/reveal", ID: "reveal_contact", Tag: tagOrders, Summary: "Show an order's contact in clear; recorded",
		Permission: perm.ContactReveal, Priority: perm.Normal, Limit: web.LimitReveal,
		Errors: map[errs.Kind][]string{errs.NotFound: unknown},
	}, a.revealContact)
	register(a, web.Operation{
		Method: http.MethodPost, Path: one + "/deliver", ID: "deliver_by_hand", Tag: tagOrders, Summary: "Deliver a line of a manual product",
		Permission: perm.OrdersDeliver, Priority: perm.Critical, Limit: web.LimitStaff,
		Errors: map[errs.Kind][]string{errs.NotFound: unknown, errs.Conflict: {"order_state", "nothing_waiting"}},
	}, a.deliver)
	register(a, web.Operation{
		Method: http.MethodPost, Path: one + "/refund", ID: "refund_order", Tag: tagOrders, Summary: "Give back a part of an order, or all that it still holds",
		Description: "A part leaves the order's state; when nothing is left the order is refunding, and refunded when all is back: store credit at once, the rest when the platform has paid it. Work that still waits is withdrawn and its stock is back on the shelf; cards that were delivered stay with the buyer. approval_required: all that staff gave back of this order, together with this, is above the limit.",
		Permission:  perm.OrdersRefund, Priority: perm.Critical, Limit: web.LimitStaff,
		Errors: map[errs.Kind][]string{
			errs.NotFound: append([]string{"credit_unknown"}, unknown...),
			errs.Invalid:  append(refundBodyCodes(), "idempotency_key_missing", "idempotency_key_invalid"),
			errs.Conflict: append(refundStateCodes(), "approval_required", "idempotency_conflict"),
		},
	}, a.refund)
}

// refundBodyCodes are those of a part that an order cannot give back, and of a
// place that it cannot go to.
func refundBodyCodes() []string {
	return []string{"refund_too_much", "refund_part_ambiguous", "refund_line_unknown", "refund_line_too_much", "duplicate_line", "credit_not_taken"}
}

// refundStateCodes are those of an order or a credit account that allows no
// refund as it is now.
func refundStateCodes() []string {
	return []string{"order_state", "order_on_hold", "nothing_to_refund", "too_many_refunds", "credit_state", "credit_currency"}
}

func (a *api) listOrders(ctx context.Context, p access.Principal, in *listOrdersIn) (*ordersOut, error) {
	before, err := cursorID(in.Cursor)
	if err != nil {
		return nil, err
	}
	list, err := a.deps.Checkout.Orders(ctx, p.MerchantID, order.Filter{
		Status: order.Status(in.Status), Before: before, Limit: in.Limit + 1,
	})
	if err != nil {
		return nil, err
	}
	out := &ordersOut{}
	list, out.Body.NextCursor = pageOf(list, in.Limit, func(o order.Order) id.ID { return o.ID })
	out.Body.Items = make([]OrderSummary, len(list))
	for i, o := range list {
		if out.Body.Items[i], err = a.summaryOf(o); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// cursorID reads a cursor that is the id of the last item of the page before.
func cursorID(cursor string) (id.ID, error) {
	if cursor == "" {
		return id.ID{}, nil
	}
	last, err := id.Parse(cursor)
	if err != nil {
		return id.ID{}, errs.Field("cursor", "invalid_cursor", "this cursor is not from a list of ours")
	}
	return last, nil
}

// pageOf cuts a list that was asked for with one item more than the limit, and
// gives the cursor that leads on; "" if nothing follows.
func pageOf[T any](list []T, limit int, idOf func(T) id.ID) (page []T, next string) {
	if len(list) <= limit {
		return list, ""
	}
	return list[:limit], idOf(list[limit-1]).String()
}

func (a *api) getOrder(ctx context.Context, p access.Principal, in *OrderPath) (*orderOut, error) {
	v, err := a.deps.Checkout.OrderForStaff(ctx, p.MerchantID, in.OrderNo)
	return a.showOrder(ctx, v, err)
}

// showOrder adds the history to what a service answered.
func (a *api) showOrder(ctx context.Context, v checkout.View, err error) (*orderOut, error) {
	if err != nil {
		return nil, err
	}
	trail, err := a.deps.Trail.Of(ctx, v.Order.MerchantID, v.Order.ID)
	if err != nil {
		return nil, err
	}
	body, err := a.viewOf(v, trail)
	if err != nil {
		return nil, err
	}
	return &orderOut{Body: body}, nil
}

func (a *api) revealContact(ctx context.Context, p access.Principal, in *OrderPath) (*contactOut, error) {
	c, err := a.deps.Checkout.ContactOf(ctx, p.MerchantID, in.OrderNo)
	if err != nil {
		return nil, err
	}
	out := &contactOut{}
	out.Body.Kind, out.Body.Value = string(c.Kind), c.Value
	return out, nil
}

func (a *api) deliver(ctx context.Context, p access.Principal, in *deliverIn) (*orderOut, error) {
	v, err := a.deps.Checkout.DeliverByHand(ctx, p.MerchantID, in.OrderNo, in.Body.LineNo, in.Body.Content)
	return a.showOrder(ctx, v, err)
}

func (a *api) refund(ctx context.Context, p access.Principal, in *refundIn) (*orderOut, error) {
	r, err := in.Body.request(p, in.OrderNo)
	if err != nil {
		return nil, err
	}
	r.Key = in.IdempotencyKey
	v, err := a.deps.Checkout.RefundOrder(ctx, r)
	return a.showOrder(ctx, v, err)
}

func (b RefundBody) request(p access.Principal, orderNo string) (r checkout.RefundRequest, err error) {
	r = checkout.RefundRequest{
		MerchantID: p.MerchantID, OrderNo: orderNo, Reason: b.Reason,
		Part: checkout.Part{Minor: b.Amount}, Target: checkout.Target{ToCredit: b.To == "credit"},
	}
	for _, l := range b.Lines {
		r.Lines = append(r.Lines, checkout.PartLine(l))
	}
	if b.CreditID != "" {
		r.CreditID, err = parseCredit(b.CreditID)
	}
	return r, err
}
