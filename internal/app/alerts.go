package app

import (
	"context"

	"panshi/internal/adminsock"
	"panshi/internal/consoleapi"
	"panshi/internal/i18n"
	"panshi/internal/id"
	"panshi/internal/notify"
)

// maxAlertLines is how many open alerts a command shows.
const maxAlertLines = 200

// TestChannels implements adminsock.Alerts.
func (s *Shop) TestChannels(ctx context.Context, channel string) ([]notify.TestResult, error) {
	return s.notify.Test(ctx, channel)
}

// OpenAlerts implements adminsock.Alerts.
func (s *Shop) OpenAlerts(ctx context.Context, lang string) ([]adminsock.AlertLine, error) {
	open, err := s.notify.Open(ctx, maxAlertLines)
	lines := make([]adminsock.AlertLine, len(open))
	for i, a := range open {
		lines[i] = adminsock.AlertLine{
			ID: a.ID.String(), Merchant: a.MerchantID.String(), Code: a.Code, Severity: string(a.Severity), State: string(a.State),
			Title: s.notify.Title(i18n.Lang(lang), a), Count: a.Count, OpenedAt: a.OpenedAt, LastAt: a.LastAt, AcknowledgedBy: a.AcknowledgedBy,
		}
	}
	return lines, err
}

// AcknowledgeAlert implements adminsock.Alerts.
func (s *Shop) AcknowledgeAlert(ctx context.Context, alertID string) error {
	parsed, err := id.Parse(alertID)
	if err != nil {
		return notify.ErrUnknown
	}
	return s.notify.Acknowledge(ctx, notify.Scope{All: true}, parsed, "panshi notify ack")
}

// staffAlerts shows alerts to a merchant's staff: their own, and to those of the
// default merchant, who run the installation, what is about all of it.
type staffAlerts struct{ shop *Shop }

var _ consoleapi.Alerts = staffAlerts{}

func (a staffAlerts) scope(ctx context.Context, merchantID id.ID) (notify.Scope, error) {
	all, err := a.shop.merchants.All(ctx)
	sc := notify.Scope{MerchantID: merchantID}
	for _, m := range all {
		sc.Platform = sc.Platform || m.ID == merchantID && m.IsDefault
	}
	return sc, err
}

// List implements consoleapi.Alerts.
func (a staffAlerts) List(ctx context.Context, merchantID, before id.ID, limit int) ([]notify.Stored, error) {
	sc, err := a.scope(ctx, merchantID)
	if err != nil {
		return nil, err
	}
	return a.shop.notify.List(ctx, sc, before, limit)
}

// Acknowledge implements consoleapi.Alerts.
func (a staffAlerts) Acknowledge(ctx context.Context, merchantID, alertID id.ID, by string) error {
	sc, err := a.scope(ctx, merchantID)
	if err != nil {
		return err
	}
	return a.shop.notify.Acknowledge(ctx, sc, alertID, by)
}

// Title implements consoleapi.Alerts.
func (a staffAlerts) Title(lang i18n.Lang, s notify.Stored) string {
	return a.shop.notify.Title(lang, s)
}
