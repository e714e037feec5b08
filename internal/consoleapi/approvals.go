package consoleapi

import (
	"context"
	"encoding/hex"
	"net/http"
	"time"

	"panshi/internal/access"
	"panshi/internal/errs"
	"panshi/internal/id"
	"panshi/internal/perm"
	"panshi/internal/web"
)

type approvalView struct {
	ID            string            `json:"id" doc:"The request."`
	Kind          string            `json:"kind" enum:"refund,hold_refund,offline_payment,refund_limit,payment_account,payment_account_rules,credit_grant,credit_take_back,reconcile_adjust,staff_invite" doc:"What is asked."`
	Status        string            `json:"status" enum:"pending,approved,rejected,withdrawn,expired" doc:"approved: it was done, in the same moment."`
	SubjectKind   string            `json:"subject_kind" doc:"What it is about: order, payment, hold, payment_account, credit, reconcile_case, staff or merchant."`
	SubjectID     string            `json:"subject_id" doc:"Which one."`
	Amount        int64             `json:"amount,omitempty" doc:"In minor units; nothing if it is not about money."`
	Currency      string            `json:"currency,omitempty" doc:"ISO 4217."`
	Reason        string            `json:"reason" doc:"Why, in the words of who asked."`
	Detail        map[string]string `json:"detail" doc:"What there is to check; never a secret."`
	Digest        string            `json:"digest" doc:"Sums up all that is asked. Send it back to approve exactly this."`
	Maker         string            `json:"maker" doc:"Login of who asked."`
	MakerID       string            `json:"maker_id" doc:"Who asked."`
	RequestedAt   time.Time         `json:"requested_at" doc:"When."`
	ExpiresAt     time.Time         `json:"expires_at" doc:"Too late then."`
	DecidableFrom *time.Time        `json:"decidable_from,omitempty" doc:"Only in a shop of one person: when the maker may approve, once the alert was sent."`
	AlertedAt     *time.Time        `json:"alerted_at,omitempty" doc:"Only in a shop of one person: when the alert was sent."`
	DeciderID     string            `json:"decider_id,omitempty" doc:"Who decided."`
	DecidedAt     *time.Time        `json:"decided_at,omitempty" doc:"When."`
	Note          string            `json:"note,omitempty" doc:"The words of who rejected it."`
}

type (
	approvalOut  struct{ Body approvalView }
	approvalsOut struct {
		Body struct {
			Items      []approvalView `json:"items" doc:"The newest first."`
			NextCursor string         `json:"next_cursor" doc:"Nothing on the last page."`
		}
	}
)

type listApprovalsIn struct {
	web.Page
	Status string `query:"status" enum:"pending,approved,rejected,withdrawn,expired" doc:"Only requests of this state."`
}

// ApprovalPath is embedded in the input of an operation on a request.
type ApprovalPath struct {
	ID string `path:"id" format:"uuid" maxLength:"36" doc:"The request."`
}

type approveIn struct {
	ApprovalPath
	Body struct {
		Code   string `json:"code" minLength:"1" maxLength:"32" doc:"Six digits of the app that were not used yet, or a recovery code."`
		Digest string `json:"digest" minLength:"64" maxLength:"64" pattern:"^[0-9a-f]+$" doc:"Of the request as you were shown it."`
	}
}

type rejectIn struct {
	ApprovalPath
	Body struct {
		Note string `json:"note,omitempty" maxLength:"500" doc:"Why."`
	}
}

// undecidable are the states in which a request cannot be decided.
func undecidable(more ...string) []string {
	return append([]string{"approval_decided", "approval_expired"}, more...)
}

func (a *api) addApprovals() {
	const all, one = "/console/api/v1/approvals", "/console/api/v1/approvals/{id}"
	unknown := []string{"approval_not_found"}
	register(a, web.Operation{
		Method: http.MethodGet, Path: all, ID: "list_approvals", Tag: tagMoney, Summary: "List requests for approval",
		Permission: perm.ApprovalsRead, Priority: perm.Normal, Limit: web.LimitStaff,
		Errors: map[errs.Kind][]string{errs.Invalid: {"invalid_cursor"}},
	}, a.listApprovals)
	register(a, web.Operation{
		Method: http.MethodGet, Path: one, ID: "get_approval", Tag: tagMoney, Summary: "Show a request for approval",
		Permission: perm.ApprovalsRead, Priority: perm.Normal, Limit: web.LimitStaff,
		Errors: map[errs.Kind][]string{errs.NotFound: unknown},
	}, a.getApproval)
	register(a, web.Operation{
		Method: http.MethodPost, Path: one + "/approve", ID: "approve", Tag: tagMoney, Summary: "Approve a request; it is done at once",
		Description: "Who asked cannot approve, except in a shop of one person from decidable_from on. The errors of what is to be done come here too, and leave the request waiting.",
		Permission:  perm.ApprovalsDecide, Priority: perm.Critical, Limit: web.LimitSignIn,
		Errors: map[errs.Kind][]string{
			errs.NotFound: unknown, errs.Unauthenticated: {"sign_in_failed"}, errs.TooMany: {"sign_in_delayed"},
			errs.Forbidden: {"approval_self"},
			errs.Conflict: undecidable("approval_changed", "approval_early", "approval_stale", "order_state", "order_on_hold",
				"nothing_to_refund", "payment_settled", "reference_used", "account_is_sandbox", "credit_insufficient", "credit_state", "credit_currency"),
		},
	}, a.approve)
	register(a, web.Operation{
		Method: http.MethodPost, Path: one + "/reject", ID: "reject_approval", Tag: tagMoney, Summary: "Reject what somebody else asked",
		Permission: perm.ApprovalsDecide, Priority: perm.Normal, Limit: web.LimitStaff,
		Errors: map[errs.Kind][]string{errs.NotFound: unknown, errs.Forbidden: {"approval_self"}, errs.Conflict: undecidable()},
	}, a.reject)
	register(a, web.Operation{
		Method: http.MethodPost, Path: one + "/withdraw", ID: "withdraw_approval", Tag: tagMoney, Summary: "Withdraw one's own request",
		Permission: perm.ApprovalsRead, Priority: perm.Normal, Limit: web.LimitStaff,
		Errors: map[errs.Kind][]string{errs.NotFound: unknown, errs.Forbidden: {"approval_not_maker"}, errs.Conflict: undecidable()},
	}, a.withdraw)
}

func (a *api) listApprovals(ctx context.Context, p access.Principal, in *listApprovalsIn) (*approvalsOut, error) {
	before, err := cursorID(in.Cursor)
	if err != nil {
		return nil, err
	}
	list, err := a.deps.Approvals.List(ctx, p.MerchantID, access.ApprovalFilter{
		Status: access.ApprovalStatus(in.Status), Before: before, Limit: in.Limit + 1,
	})
	if err != nil {
		return nil, err
	}
	out := &approvalsOut{}
	if len(list) > in.Limit {
		list = list[:in.Limit]
		out.Body.NextCursor = list[in.Limit-1].ID.String()
	}
	out.Body.Items = make([]approvalView, len(list))
	for i, one := range list {
		out.Body.Items[i] = viewOfApproval(one)
	}
	return out, nil
}

func (a *api) getApproval(ctx context.Context, p access.Principal, in *ApprovalPath) (*approvalOut, error) {
	approvalID, err := in.id()
	if err != nil {
		return nil, err
	}
	return showApproval(a.deps.Approvals.Get(ctx, p.MerchantID, approvalID))
}

func (a *api) approve(ctx context.Context, p access.Principal, in *approveIn) (*approvalOut, error) {
	approvalID, err := in.id()
	if err != nil {
		return nil, err
	}
	digest, err := hex.DecodeString(in.Body.Digest)
	if err != nil {
		return nil, errs.Field("digest", "invalid_format", "a digest is hexadecimal")
	}
	return showApproval(a.deps.Approvals.Approve(ctx, p, approvalID, in.Body.Code, digest))
}

func (a *api) reject(ctx context.Context, p access.Principal, in *rejectIn) (*approvalOut, error) {
	approvalID, err := in.id()
	if err != nil {
		return nil, err
	}
	return showApproval(a.deps.Approvals.Reject(ctx, p, approvalID, in.Body.Note))
}

func (a *api) withdraw(ctx context.Context, p access.Principal, in *ApprovalPath) (*approvalOut, error) {
	approvalID, err := in.id()
	if err != nil {
		return nil, err
	}
	return showApproval(a.deps.Approvals.Withdraw(ctx, p, approvalID))
}

func (p ApprovalPath) id() (id.ID, error) {
	approvalID, err := id.Parse(p.ID)
	if err != nil {
		return id.ID{}, access.ErrApprovalUnknown
	}
	return approvalID, nil
}

func showApproval(one access.Approval, err error) (*approvalOut, error) {
	if err != nil {
		return nil, err
	}
	return &approvalOut{viewOfApproval(one)}, nil
}

func viewOfApproval(one access.Approval) approvalView {
	return approvalView{
		ID: one.ID.String(), Kind: one.Kind, Status: string(one.Status), SubjectKind: one.SubjectKind, SubjectID: one.SubjectID.String(),
		Amount: one.Amount.Minor, Currency: string(one.Amount.Currency), Reason: one.Reason, Detail: one.Detail,
		Digest: hex.EncodeToString(one.Digest), Maker: one.Maker, MakerID: one.RequestedBy.String(),
		RequestedAt: one.RequestedAt, ExpiresAt: one.ExpiresAt, DecidableFrom: momentOrNone(one.AloneFrom),
		AlertedAt: momentOrNone(one.AlertedAt), DeciderID: one.DecidedBy.String(), DecidedAt: momentOrNone(one.DecidedAt), Note: one.Note,
	}
}
