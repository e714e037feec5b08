package consoleapi

import (
	"context"
	"net/http"
	"time"

	"panshi/internal/access"
	"panshi/internal/errs"
	"panshi/internal/id"
	"panshi/internal/payment"
	"panshi/internal/perm"
	"panshi/internal/web"
)

type holdView struct {
	ID        string    `json:"id" doc:"The case."`
	OrderID   string    `json:"order_id" doc:"Nothing if the money fits no order."`
	OrderNo   string    `json:"order_no" doc:"The order's number; nothing if the money fits no order."`
	Amount    int64     `json:"amount" doc:"The money that it is about, in minor units."`
	Currency  string    `json:"currency" doc:"ISO 4217."`
	PaymentID string    `json:"payment_id" doc:"Nothing if the money fits no payment."`
	Reason    string    `json:"reason" doc:"Why a person must decide."`
	Detail    string    `json:"detail" doc:"What is known."`
	CreatedAt time.Time `json:"created_at" doc:"Since when."`
}

type holdsOut struct {
	Body struct {
		Items      []holdView `json:"items" doc:"Open cases, the newest first."`
		NextCursor string     `json:"next_cursor" doc:"Nothing on the last page."`
	}
}

type listHoldsIn struct{ web.Page }

type resolveIn struct {
	ID   string `path:"id" format:"uuid" maxLength:"36" doc:"The case."`
	Body struct {
		Action string `json:"action" enum:"refund,accept,dismiss" doc:"refund: give the money back; accept: take it as good and deliver; dismiss: it was settled elsewhere."`
		Note   string `json:"note,omitempty" maxLength:"1000" doc:"For the record."`
	}
}

func (a *api) addHolds() {
	register(a, web.Operation{
		Method: http.MethodGet, Path: "/console/api/v1/holds", ID: "list_holds", Tag: tagHolds, Summary: "List money that a person must decide about",
		Permission: perm.OrdersRead, Priority: perm.Normal, Limit: web.LimitStaff,
		Errors: map[errs.Kind][]string{errs.Invalid: {"invalid_cursor"}},
	}, a.listHolds)
	register(a, web.Operation{
		Method: http.MethodPost, Path: "/console/api/v1/holds/{id}/resolve", ID: "resolve_hold", Tag: tagHolds, Summary: "Close a case",
		Permission: perm.HoldsResolve, Priority: perm.Critical, Limit: web.LimitStaff, Status: http.StatusNoContent,
		Errors: map[errs.Kind][]string{errs.NotFound: {"hold_unknown"}, errs.Invalid: {"hold_action"}, errs.Conflict: {"order_state", "approval_required"}},
	}, a.resolveHold)
}

func (a *api) listHolds(ctx context.Context, p access.Principal, in *listHoldsIn) (*holdsOut, error) {
	before, err := cursorID(in.Cursor)
	if err != nil {
		return nil, err
	}
	list, err := a.deps.Checkout.Holds(ctx, p.MerchantID, before, in.Limit+1)
	if err != nil {
		return nil, err
	}
	out := &holdsOut{}
	list, out.Body.NextCursor = pageOf(list, in.Limit, func(h payment.Hold) id.ID { return h.ID })
	numbers, err := a.deps.Checkout.NumbersOf(ctx, p.MerchantID, list)
	if err != nil {
		return nil, err
	}
	out.Body.Items = make([]holdView, len(list))
	for i, h := range list {
		out.Body.Items[i] = viewOfHold(h, numbers[h.OrderID])
	}
	return out, nil
}

func viewOfHold(h payment.Hold, orderNo string) holdView {
	return holdView{
		ID: h.ID.String(), OrderID: h.OrderID.String(), OrderNo: orderNo, PaymentID: h.PaymentID.String(),
		Amount: h.Amount.Minor, Currency: string(h.Amount.Currency),
		Reason: h.Reason, Detail: h.Detail, CreatedAt: h.CreatedAt,
	}
}

func (a *api) resolveHold(ctx context.Context, p access.Principal, in *resolveIn) (*struct{}, error) {
	holdID, err := id.Parse(in.ID)
	if err != nil {
		return nil, payment.ErrHoldUnknown
	}
	return nil, a.deps.Checkout.ResolveHold(ctx, p.MerchantID, holdID, in.Body.Action, in.Body.Note)
}
