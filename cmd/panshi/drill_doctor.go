package main

import (
	"strings"
	"time"

	"panshi/internal/app"
	"panshi/internal/backup/drill"
)

// doctorDrills sums up in a line which disasters the shop would survive, by
// drills that passed lately.
func doctorDrills(cfg app.Config, now time.Time) []finding {
	if cfg.DB.URL != "" || !cfg.Backup.Enabled() || len(cfg.Backup.Destinations) == 0 {
		return nil // told by what is missing
	}
	store, err := app.Drills(cfg)
	if err != nil {
		return nil // without a sheet there is no report; the checklist says so
	}
	standings, err := store.Standings()
	if err != nil {
		return []finding{bad("drills", "%v", err)}
	}
	var open []string
	for _, d := range drill.All() {
		if !drill.Overdue(standings[d.Name], time.Time{}, now).IsZero() || standings[d.Name].Passed == nil || standings[d.Name].Worrying(now) {
			open = append(open, string(d.Name))
		}
	}
	if len(open) == 0 {
		return []finding{ok("drills", "all %d disasters were rehearsed and survived within 31 days", len(drill.All()))}
	}
	return []finding{warn("drills", "%d of %d disasters were rehearsed and survived within 31 days; open: %s (panshi drill list)",
		len(drill.All())-len(open), len(drill.All()), strings.Join(open, ", "))}
}
