package adminsock

import (
	"context"
	"net/http"
	"time"

	"panshi/internal/notify"
)

// Alerts is what commands do about alerts. The composition root implements it
// on an open shop, Client on one that runs in another process.
type Alerts interface {
	// TestChannels sends a test message through one channel, or through each
	// for "", and tells what came of it.
	TestChannels(ctx context.Context, channel string) ([]notify.TestResult, error)
	// OpenAlerts lists what is not resolved, of all merchants, the newest first.
	OpenAlerts(ctx context.Context, lang string) ([]AlertLine, error)
	// AcknowledgeAlert notes that somebody is at it.
	AcknowledgeAlert(ctx context.Context, alertID string) error
}

// AlertLine is an open alert as commands show it.
type AlertLine struct {
	ID             string    `json:"id"`
	Merchant       string    `json:"merchant,omitempty"` // id; "" is the whole installation
	Code           string    `json:"code"`
	Severity       string    `json:"severity"`
	State          string    `json:"state"` // "open" or "acknowledged"
	Title          string    `json:"title"`
	Count          int64     `json:"count"`
	OpenedAt       time.Time `json:"opened_at"`
	LastAt         time.Time `json:"last_at"`
	AcknowledgedBy string    `json:"acknowledged_by,omitempty"`
}

// Wire forms of what Alerts takes.
type (
	channelRequest struct {
		Channel string `json:"channel,omitempty"`
	}
	linesRequest struct {
		Lang string `json:"lang"`
	}
	alertRequest struct {
		ID string `json:"id"`
	}
)

// TestChannels implements Alerts.
func (c *Client) TestChannels(ctx context.Context, channel string) (results []notify.TestResult, err error) {
	err = c.do(ctx, ask{method: http.MethodPost, path: "/v1/notify_test", request: channelRequest{channel}}, &results)
	return results, err
}

// OpenAlerts implements Alerts.
func (c *Client) OpenAlerts(ctx context.Context, lang string) (lines []AlertLine, err error) {
	err = c.do(ctx, ask{method: http.MethodGet, path: "/v1/alerts", request: linesRequest{lang}}, &lines)
	return lines, err
}

// AcknowledgeAlert implements Alerts.
func (c *Client) AcknowledgeAlert(ctx context.Context, alertID string) error {
	return c.do(ctx, ask{method: http.MethodPost, path: "/v1/alert_acknowledge", request: alertRequest{alertID}}, nil)
}

func (s *server) testChannels(ctx context.Context, c call) (any, error) {
	var r channelRequest
	if err := c.request(&r); err != nil {
		return nil, err
	}
	return s.alerts.TestChannels(ctx, r.Channel)
}

func (s *server) openAlerts(ctx context.Context, c call) (any, error) {
	var r linesRequest
	if err := c.request(&r); err != nil {
		return nil, err
	}
	return s.alerts.OpenAlerts(ctx, r.Lang)
}

func (s *server) acknowledge(ctx context.Context, c call) (any, error) {
	var r alertRequest
	if err := c.request(&r); err != nil {
		return nil, err
	}
	return nil, s.alerts.AcknowledgeAlert(ctx, r.ID)
}
