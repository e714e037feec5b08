package consoleapi

import (
	"context"
	"net/http"
	"time"

	"panshi/internal/access"
	"panshi/internal/errs"
	"panshi/internal/i18n"
	"panshi/internal/id"
	"panshi/internal/notify"
	"panshi/internal/perm"
	"panshi/internal/web"
)

// Alerts are what a merchant's staff must know of. Of a merchant's means: about
// it, and for those who run the installation about all of that.
type Alerts interface {
	// List gives the newest first; before is the last id of the page before.
	List(ctx context.Context, merchantID, before id.ID, limit int) ([]notify.Stored, error)
	// Acknowledge notes who is at it; repeating it changes nothing.
	Acknowledge(ctx context.Context, merchantID, alertID id.ID, by string) error
	Title(lang i18n.Lang, a notify.Stored) string
}

type alertView struct {
	ID             string            `json:"id" doc:"The alert."`
	Platform       bool              `json:"platform" doc:"Whether it is about the whole installation."`
	Code           string            `json:"code" doc:"What it is, for programs."`
	Title          string            `json:"title" doc:"What it is, for people, in Chinese."`
	TitleEN        string            `json:"title_en" doc:"The same in English."`
	Subject        string            `json:"subject" doc:"What it is about among alerts of one code, or nothing."`
	Severity       string            `json:"severity" enum:"info,warning,critical" doc:"How much it matters."`
	State          string            `json:"state" enum:"open,acknowledged,resolved" doc:"acknowledged: somebody is at it."`
	Args           map[string]string `json:"args" doc:"Figures that its text mentions."`
	Count          int64             `json:"count" doc:"How often it happened."`
	OpenedAt       time.Time         `json:"opened_at" doc:"When it first happened."`
	LastAt         time.Time         `json:"last_at" doc:"When it last happened."`
	AcknowledgedAt time.Time         `json:"acknowledged_at" doc:"When somebody took it."`
	AcknowledgedBy string            `json:"acknowledged_by" doc:"Who: a login, or the command."`
	ResolvedAt     time.Time         `json:"resolved_at" doc:"When it was over."`
}

type alertsOut struct {
	Body struct {
		Items      []alertView `json:"items" doc:"Alerts, the newest first, those that are over too."`
		NextCursor string      `json:"next_cursor" doc:"Nothing on the last page."`
	}
}

type (
	listAlertsIn struct{ web.Page }
	alertIn      struct {
		ID string `path:"id" format:"uuid" maxLength:"36" doc:"The alert."`
	}
)

func (a *api) addAlerts() {
	register(a, web.Operation{
		Method: http.MethodGet, Path: "/console/api/v1/alerts", ID: "list_alerts", Tag: tagAlerts, Summary: "List what somebody must know of",
		Permission: perm.AlertsRead, Priority: perm.Normal, Limit: web.LimitStaff,
		Errors: map[errs.Kind][]string{errs.Invalid: {"invalid_cursor"}},
	}, a.listAlerts)
	register(a, web.Operation{
		Method: http.MethodPost, Path: "/console/api/v1/alerts/{id}/acknowledge", ID: "acknowledge_alert", Tag: tagAlerts,
		Summary: "Tell that somebody is at it: no reminders and no escalation follow", Permission: perm.AlertsAcknowledge,
		Priority: perm.Critical, Limit: web.LimitStaff, Status: http.StatusNoContent,
		Errors: map[errs.Kind][]string{errs.NotFound: {"alert_unknown"}},
	}, a.acknowledgeAlert)
}

func (a *api) listAlerts(ctx context.Context, p access.Principal, in *listAlertsIn) (*alertsOut, error) {
	before, err := cursorID(in.Cursor)
	if err != nil {
		return nil, err
	}
	list, err := a.deps.Alerts.List(ctx, p.MerchantID, before, in.Limit+1)
	if err != nil {
		return nil, err
	}
	out := &alertsOut{}
	list, out.Body.NextCursor = pageOf(list, in.Limit, func(s notify.Stored) id.ID { return s.ID })
	out.Body.Items = make([]alertView, len(list))
	for i, s := range list {
		out.Body.Items[i] = a.viewOfAlert(s)
	}
	return out, nil
}

func (a *api) viewOfAlert(s notify.Stored) alertView {
	return alertView{
		ID: s.ID.String(), Platform: s.MerchantID.IsZero(), Code: s.Code, Title: a.deps.Alerts.Title(i18n.Chinese, s),
		TitleEN: a.deps.Alerts.Title(i18n.English, s), Subject: s.Subject, Severity: string(s.Severity), State: string(s.State),
		Args: s.Args, Count: s.Count, OpenedAt: s.OpenedAt, LastAt: s.LastAt, AcknowledgedAt: s.AcknowledgedAt,
		AcknowledgedBy: s.AcknowledgedBy, ResolvedAt: s.ResolvedAt,
	}
}

func (a *api) acknowledgeAlert(ctx context.Context, p access.Principal, in *alertIn) (*struct{}, error) {
	alertID, err := id.Parse(in.ID)
	if err != nil {
		return nil, notify.ErrUnknown
	}
	return nil, a.deps.Alerts.Acknowledge(ctx, p.MerchantID, alertID, p.Login)
}
