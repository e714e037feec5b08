package consoleapi

import (
	"context"
	"net/http"

	"panshi/internal/access"
	"panshi/internal/audit"
	"panshi/internal/errs"
	"panshi/internal/perm"
	"panshi/internal/web"
)

type auditEntry struct {
	AuditEvent
	ID          string `json:"id" doc:"The record."`
	Login       string `json:"login,omitempty" doc:"Of a member of staff who did it."`
	SubjectKind string `json:"subject_kind" doc:"What it is about: order, product, staff, ..."`
	SubjectID   string `json:"subject_id" doc:"Which one."`
}

type listAuditIn struct {
	web.Page
	ActorKind string `query:"actor_kind" enum:"system,buyer,staff,platform,command" doc:"Only what these did."`
}

type auditOut struct {
	Body struct {
		Items      []auditEntry `json:"items" doc:"The newest first; of the last half year. A page may be short and still have a next one."`
		NextCursor string       `json:"next_cursor" doc:"Nothing on the last page."`
	}
}

func (a *api) addAudit() {
	register(a, web.Operation{
		Method: http.MethodGet, Path: "/console/api/v1/audit", ID: "list_audit", Tag: tagAccess, Summary: "List who did what",
		Permission: perm.AuditRead, Priority: perm.Optional, Limit: web.LimitStaff,
		Errors: map[errs.Kind][]string{errs.Invalid: {"invalid_cursor"}},
	}, a.listAudit)
}

func (a *api) listAudit(ctx context.Context, p access.Principal, in *listAuditIn) (*auditOut, error) {
	before, err := cursorID(in.Cursor)
	if err != nil {
		return nil, err
	}
	page, next, err := a.deps.Trail.List(ctx, p.MerchantID, audit.Filter{ActorKind: in.ActorKind, Before: before, Limit: in.Limit})
	if err != nil {
		return nil, err
	}
	members, err := a.deps.Access.Members(ctx, p.MerchantID)
	if err != nil {
		return nil, err
	}
	logins := make(map[string]string, len(members))
	for _, m := range members {
		logins[m.ID.String()] = m.Login
	}
	out := &auditOut{}
	if !next.IsZero() {
		out.Body.NextCursor = next.String()
	}
	out.Body.Items = make([]auditEntry, len(page))
	for i, e := range page {
		out.Body.Items[i] = auditEntry{
			AuditEvent: eventOf(e.Record), ID: e.ID.String(), Login: logins[e.Actor.ID],
			SubjectKind: e.SubjectKind, SubjectID: e.SubjectID.String(),
		}
	}
	return out, nil
}
