package mirror

import (
	"fmt"
	"log/slog"
	"sync"

	"panshi/internal/clock"
)

// alarms tells each change of each alarm once.
type alarms struct {
	clock clock.Clock
	log   *slog.Logger
	tell  func(Alert)

	mu sync.Mutex
	on map[string]bool // by label and code; guarded by mu
}

// set raises an alarm or ends it.
func (a *alarms) set(label, code string, on bool, detail any) {
	a.mu.Lock()
	key := label + " " + code
	changed := a.on[key] != on
	a.on[key] = on
	a.mu.Unlock()
	if changed {
		a.send(label, code, on, detail)
	}
}

// event tells of something that happened and does not end.
func (a *alarms) event(label, code string, detail any) { a.send(label, code, true, detail) }

func (a *alarms) send(label, code string, on bool, detail any) {
	text := ""
	if detail != nil {
		text = fmt.Sprint(detail)
	}
	a.log.Warn("backup alarm", "code", code, "destination", label, "raised", on, "detail", text)
	a.tell(Alert{Code: code, Label: label, Raised: on, Detail: text, At: a.clock.Now()})
}

// active lists the codes of the alarms that are on for a destination.
func (a *alarms) active(label string) []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	var out []string
	for _, code := range []string{
		AlarmFailing, AlarmLag, AlarmNeedsFull, AlarmLie, AlarmSplitBrain, AlarmVanished, AlarmRetention,
		AlarmSurplus, AlarmQuiet, AlarmSpool, AlarmIntake, AlarmBulk,
	} {
		if a.on[label+" "+code] {
			out = append(out, code)
		}
	}
	return out
}
