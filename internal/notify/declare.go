package notify

import (
	"panshi/internal/dataclass"
	"panshi/internal/invariant"
)

// Invariants declares what `panshi check` verifies of alerts.
func Invariants() []invariant.Invariant {
	return []invariant.Invariant{
		{
			Name: "notify.alert_has_message", About: "every alert that is not resolved was told or waits to be",
			Query: `SELECT a.code, a.subject FROM alerts a WHERE a.state <> 'resolved'
				AND NOT EXISTS (SELECT 1 FROM alert_deliveries d WHERE d.alert_id = a.id AND d.state IN ('due', 'sent'))`,
		},
		{
			Name: "notify.sent_by_channel", About: "a message that was sent names the channel that took it",
			Query: `SELECT alert_id, event FROM alert_deliveries WHERE (state = 'sent') <> (sent_at IS NOT NULL AND channel <> '')`,
		},
		{
			Name: "notify.told_of_what_happened", About: "no message told of more than happened",
			Query: `SELECT code, 'told ' || told_count || ', happened ' || count FROM alerts WHERE told_count > count`,
		},
	}
}

// Columns declares the data classes of this package's tables.
func Columns() []dataclass.Table {
	return []dataclass.Table{
		dataclass.Of("alerts", dataclass.Trade, []string{
			"id", "merchant_id", "dedup", "code", "subject", "severity", "state", "args", "count", "told_count", "opened_at", "last_at",
			"told_at", "escalated_at", "next_at", "acknowledged_at", "acknowledged_by", "resolved_at",
		}),
		dataclass.Of("alert_deliveries", dataclass.Trade, []string{
			"id", "merchant_id", "alert_id", "event", "state", "step", "step_attempts", "step_since", "attempts", "rounds", "next_try_at",
			"channel", "last_error", "created_at", "sent_at",
		}),
	}
}
