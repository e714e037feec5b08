package consoleapi

import (
	"context"
	"net/http"
	"time"

	"panshi/internal/access"
	"panshi/internal/errs"
	"panshi/internal/id"
	"panshi/internal/perm"
	"panshi/internal/web"
)

type memberView struct {
	ID         string     `json:"id" doc:"The member of staff."`
	Login      string     `json:"login" doc:"How they sign in."`
	Role       string     `json:"role" enum:"owner,operator,support,engineer,auditor,custodian" doc:"What they are to the shop."`
	Active     bool       `json:"active" doc:"Whether they may sign in."`
	CreatedAt  time.Time  `json:"created_at" doc:"Since when."`
	SignedInAt *time.Time `json:"signed_in_at,omitempty" doc:"When they last signed in; missing: never."`
}

type membersOut struct {
	Body struct {
		Items []memberView `json:"items" doc:"The oldest first, 200 at most."`
	}
}

type inviteIn struct {
	Body struct {
		Role   string `json:"role" enum:"operator,support,engineer,auditor,custodian" doc:"What the new one will be. Owners are let in by a command on the server."`
		Reason string `json:"reason" minLength:"1" maxLength:"500" doc:"Who it is, for who approves."`
	}
}

type inviteOut struct {
	Body struct {
		Path     string       `json:"path" doc:"The set-up link below the console's address; shown once. It opens nothing until the request is approved, and is good for 24 hours and one use from then on."`
		Approval approvalView `json:"approval" doc:"The request."`
	}
}

type memberIn struct {
	ID string `path:"id" format:"uuid" maxLength:"36" doc:"The member of staff."`
}

func (a *api) addStaff() {
	const staff = "/console/api/v1/staff"
	register(a, web.Operation{
		Method: http.MethodGet, Path: staff, ID: "list_staff", Tag: tagAccess, Summary: "List who works here",
		Permission: perm.StaffRead, Priority: perm.Normal, Limit: web.LimitStaff,
	}, a.listStaff)
	register(a, web.Operation{
		Method: http.MethodPost, Path: staff + "/invitations", ID: "invite_staff", Tag: tagAccess, Status: http.StatusCreated,
		Summary:    "Ask for approval to let somebody new in",
		Permission: perm.StaffWrite, Priority: perm.Normal, Limit: web.LimitReveal,
	}, a.inviteStaff)
	register(a, web.Operation{
		Method: http.MethodPost, Path: staff + "/{id}/disable", ID: "disable_staff", Tag: tagAccess, Status: http.StatusNoContent,
		Summary: "Shut a member of staff out, from this moment on", Permission: perm.StaffWrite, Priority: perm.Critical, Limit: web.LimitStaff,
		Errors: map[errs.Kind][]string{errs.NotFound: {access.ErrStaffUnknown.Code}, errs.Conflict: {"staff_self"}},
	}, a.disableStaff)
}

func (a *api) listStaff(ctx context.Context, p access.Principal, _ *struct{}) (*membersOut, error) {
	list, err := a.deps.Access.Members(ctx, p.MerchantID)
	if err != nil {
		return nil, err
	}
	out := &membersOut{}
	out.Body.Items = make([]memberView, len(list))
	for i, m := range list {
		out.Body.Items[i] = memberView{
			ID: m.ID.String(), Login: m.Login, Role: string(m.Role), Active: m.Active,
			CreatedAt: m.CreatedAt.Time, SignedInAt: momentOrNone(m.SignedInAt.Time),
		}
	}
	return out, nil
}

func (a *api) inviteStaff(ctx context.Context, p access.Principal, in *inviteIn) (*inviteOut, error) {
	token, asked, err := a.deps.Access.Invite(ctx, p, access.Role(in.Body.Role), in.Body.Reason)
	if err != nil {
		return nil, err
	}
	out := &inviteOut{}
	out.Body.Path, out.Body.Approval = "/setup#"+token, viewOfApproval(asked)
	return out, nil
}

func (a *api) disableStaff(ctx context.Context, p access.Principal, in *memberIn) (*struct{}, error) {
	staffID, err := id.Parse(in.ID)
	if err != nil {
		return nil, access.ErrStaffUnknown
	}
	return nil, a.deps.Access.Disable(ctx, p, staffID)
}
