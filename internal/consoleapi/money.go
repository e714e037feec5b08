package consoleapi

import (
	"context"
	"net/http"

	"panshi/internal/access"
	"panshi/internal/checkout"
	"panshi/internal/errs"
	"panshi/internal/id"
	"panshi/internal/payment"
	"panshi/internal/perm"
	"panshi/internal/web"
)

type transferIn struct {
	OrderPath
	Body struct {
		PaymentNo string `json:"payment_no" minLength:"1" maxLength:"32" pattern:"^[0-9A-Za-z]+$" doc:"An offline payment of the order."`
		Reference string `json:"reference" minLength:"1" maxLength:"64" doc:"The bank's own number of the transfer. It counts once for ever."`
		Received  int64  `json:"received" minimum:"1" maximum:"1000000000000" doc:"What came, in minor units. Another amount than was asked for is held for a decision."`
		Evidence  string `json:"evidence,omitempty" maxLength:"500" doc:"SHA-256 of a file that you keep, or words. Nothing personal."`
		Reason    string `json:"reason" minLength:"1" maxLength:"200" doc:"For who approves. Nothing personal."`
	}
}

type askIn struct {
	OrderPath
	Body struct {
		Reason string `json:"reason" minLength:"1" maxLength:"200" doc:"For the record."`
	}
}

type answerView struct {
	PaymentNo string `json:"payment_no" doc:"Which payment."`
	State     string `json:"state" enum:",open,paid,closed,failed,reversed" doc:"The platform's word; nothing if it gave none."`
	Outcome   string `json:"outcome" enum:"settled,repeated,late,refunding,held,ignored" doc:"What it did: settled and late deliver; repeated was known; ignored: no money came."`
	Code      string `json:"code,omitempty" doc:"Why there is no answer: payment_not_found, payment_busy, ..."`
}

type askOut struct {
	Body struct {
		Answers []answerView `json:"answers" doc:"One for each payment of the order."`
		Order   orderView    `json:"order" doc:"As it is now."`
	}
}

type holdRefundIn struct {
	ID   string `path:"id" format:"uuid" maxLength:"36" doc:"The case."`
	Body struct {
		Reason string `json:"reason" minLength:"1" maxLength:"200" doc:"For who approves."`
	}
}

type limitBody struct {
	RefundLimit int64 `json:"refund_limit" minimum:"0" maximum:"1000000000000" doc:"The most that one person may give back, in minor units."`
}

type (
	limitOut struct{ Body limitBody }
	limitIn  struct {
		Body struct {
			RefundLimit int64  `json:"refund_limit" minimum:"0" maximum:"1000000000000" doc:"The most that one person may give back, in minor units."`
			Reason      string `json:"reason" minLength:"1" maxLength:"500" doc:"For who approves."`
		}
	}
)

func (a *api) addMoney() {
	const order = "/console/api/v1/orders/{order_no}"
	unknown := []string{"order_not_found"}
	register(a, web.Operation{
		Method: http.MethodPost, Path: order + "/refund/request", ID: "request_refund", Tag: tagMoney, Status: http.StatusCreated,
		Summary:    "Ask for approval to give back a part of an order, or all that it still holds",
		Permission: perm.OrdersRefund, Priority: perm.Critical, Limit: web.LimitStaff,
		Errors: map[errs.Kind][]string{
			errs.NotFound: append([]string{"credit_unknown"}, unknown...), errs.Invalid: refundBodyCodes(),
			errs.Conflict: append(refundStateCodes(), "approval_pending"),
		},
	}, a.requestRefund)
	register(a, web.Operation{
		Method: http.MethodPost, Path: "/console/api/v1/holds/{id}/refund/request", ID: "request_hold_refund", Tag: tagMoney, Status: http.StatusCreated,
		Summary:    "Ask for approval to give a case's money back",
		Permission: perm.HoldsResolve, Priority: perm.Critical, Limit: web.LimitStaff,
		Errors: map[errs.Kind][]string{
			errs.NotFound: {"hold_unknown"}, errs.Invalid: {"hold_action"}, errs.Conflict: {"approval_pending"},
		},
	}, a.requestHoldRefund)
	register(a, web.Operation{
		Method: http.MethodPost, Path: order + "/transfer", ID: "confirm_transfer", Tag: tagMoney, Status: http.StatusCreated,
		Summary:    "Ask for approval to take a transfer as received",
		Permission: perm.OrdersSettle, Priority: perm.Critical, Limit: web.LimitStaff,
		Errors: map[errs.Kind][]string{
			errs.NotFound: {"order_not_found", "payment_unknown"},
			errs.Conflict: {"approval_pending", "payment_not_offline", "payment_settled", "reference_used"},
		},
	}, a.confirmTransfer)
	register(a, web.Operation{
		Method: http.MethodPost, Path: order + "/ask", ID: "ask_platforms", Tag: tagMoney,
		Summary:     "Make up for a lost payment: ask the platforms, and settle what they call paid",
		Description: "Only a platform's word settles, so that asking again does no harm. Offline payments are confirmed instead.",
		Permission:  perm.OrdersSettle, Priority: perm.Critical, Limit: web.LimitReveal,
		Errors: map[errs.Kind][]string{errs.NotFound: unknown},
	}, a.askPlatforms)
	a.addLimits()
}

func (a *api) addLimits() {
	const limit = "/console/api/v1/refund_limit"
	register(a, web.Operation{
		Method: http.MethodGet, Path: limit, ID: "get_refund_limit", Tag: tagMoney, Summary: "Show the limit above which refunds need an approval",
		Permission: perm.ApprovalsRead, Priority: perm.Normal, Limit: web.LimitStaff,
	}, a.getLimit)
	register(a, web.Operation{
		Method: http.MethodPost, Path: limit, ID: "request_refund_limit", Tag: tagMoney, Status: http.StatusCreated,
		Summary:    "Ask for approval to change the limit",
		Permission: perm.LimitsWrite, Priority: perm.Normal, Limit: web.LimitStaff,
		Errors: map[errs.Kind][]string{errs.Conflict: {"approval_pending"}},
	}, a.requestLimit)
}

func (a *api) requestRefund(ctx context.Context, p access.Principal, in *requestRefundIn) (*approvalOut, error) {
	r, err := in.Body.request(p, in.OrderNo)
	if err != nil {
		return nil, err
	}
	return showApproval(a.deps.Checkout.RequestRefund(ctx, r))
}

func (a *api) requestHoldRefund(ctx context.Context, p access.Principal, in *holdRefundIn) (*approvalOut, error) {
	holdID, err := id.Parse(in.ID)
	if err != nil {
		return nil, payment.ErrHoldUnknown
	}
	return showApproval(a.deps.Checkout.RequestHoldRefund(ctx, p.MerchantID, holdID, in.Body.Reason))
}

func (a *api) confirmTransfer(ctx context.Context, p access.Principal, in *transferIn) (*approvalOut, error) {
	return showApproval(a.deps.Checkout.ConfirmTransfer(ctx, p.MerchantID, checkout.Transfer{
		OrderNo: in.OrderNo, PaymentNo: in.Body.PaymentNo, Reference: in.Body.Reference, Received: in.Body.Received,
		Evidence: in.Body.Evidence, Reason: in.Body.Reason,
	}))
}

func (a *api) askPlatforms(ctx context.Context, p access.Principal, in *askIn) (*askOut, error) {
	v, answers, err := a.deps.Checkout.AskPlatforms(ctx, p.MerchantID, in.OrderNo, in.Body.Reason)
	if err != nil {
		return nil, err
	}
	shown, err := a.showOrder(ctx, v, nil)
	if err != nil {
		return nil, err
	}
	out := &askOut{}
	out.Body.Order, out.Body.Answers = shown.Body, make([]answerView, len(answers))
	for i, one := range answers {
		out.Body.Answers[i] = answerView{one.PaymentNo, string(one.State), string(one.Outcome), one.Code}
	}
	return out, nil
}

func (a *api) getLimit(ctx context.Context, p access.Principal, _ *struct{}) (*limitOut, error) {
	limit, err := a.deps.Checkout.RefundLimit(ctx, p.MerchantID)
	if err != nil {
		return nil, err
	}
	return &limitOut{limitBody{limit}}, nil
}

func (a *api) requestLimit(ctx context.Context, p access.Principal, in *limitIn) (*approvalOut, error) {
	return showApproval(a.deps.Checkout.RequestRefundLimit(ctx, p.MerchantID, in.Body.RefundLimit, in.Body.Reason))
}
