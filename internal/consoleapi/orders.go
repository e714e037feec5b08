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

type refundIn struct {
	OrderPath
	Body struct {
		Reason   string `json:"reason" minLength:"1" maxLength:"200" doc:"For the record and the platform."`
		To       string `json:"to,omitempty" enum:"payer,credit" doc:"payer: back the way it came. credit: what platforms took becomes store credit, at once and for good. Nothing: payer."`
		CreditID string `json:"credit_id,omitempty" format:"uuid" maxLength:"36" doc:"With to credit: which account; nothing: a new one for the order's contact."`
	}
}

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
		Method: http.MethodPost, Path: one + "/refund", ID: "refund_order", Tag: tagOrders, Summary: "Give back all that an order still holds",
		Permission: perm.OrdersRefund, Priority: perm.Critical, Limit: web.LimitStaff,
		Errors: map[errs.Kind][]string{errs.NotFound: append([]string{"credit_unknown"}, unknown...), errs.Invalid: {"credit_not_taken"}, errs.Conflict: {"order_state", "nothing_to_refund", "order_on_hold", "approval_required", "credit_state", "credit_currency"}},
	}, a.refund)
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
	creditID, to, err := in.credit()
	if err != nil {
		return nil, err
	}
	if !to {
		v, err := a.deps.Checkout.RefundOrder(ctx, p.MerchantID, in.OrderNo, in.Body.Reason)
		return a.showOrder(ctx, v, err)
	}
	v, err := a.deps.Checkout.RefundToCredit(ctx, p.MerchantID, in.OrderNo, creditID, in.Body.Reason)
	return a.showOrder(ctx, v, err)
}

// credit tells whether a refund becomes store credit, and which account's.
func (in *refundIn) credit() (creditID id.ID, to bool, err error) {
	to = in.Body.To == "credit"
	if in.Body.CreditID == "" {
		return id.ID{}, to, nil
	}
	if !to {
		return id.ID{}, false, errs.Field("credit_id", "credit_not_taken", "an account of store credit is named, and the refund goes to the payer")
	}
	creditID, err = parseCredit(in.Body.CreditID)
	return creditID, true, err
}
