package payment

import (
	"slices"
	"strings"
	"time"

	"panshi/internal/errs"
)

// span is a part of the week in minutes since Monday began; it may reach into
// the next week.
type span struct{ from, to int }

const (
	dayMinutes  = 24 * 60
	weekMinutes = 7 * dayMinutes
	maxHours    = 500 // bytes of an account's hours
)

func weekdays() []string { return []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"} }

// parseHours reads "mon-fri 09:00-18:00, sat 10:00-02:00": days, and from when
// to when; an end that is not after the beginning is on the next day. Parts are
// joined by commas, "" is always.
func parseHours(text string) ([]span, error) {
	if text == "" {
		return nil, nil
	}
	var spans []span
	for part := range strings.SplitSeq(text, ",") {
		fields := strings.Fields(part)
		if len(text) > maxHours || len(fields) != 2 {
			return nil, errHours()
		}
		first, last, ok := parseDays(fields[0])
		from, to, clock := parseTimes(fields[1])
		if !ok || !clock {
			return nil, errHours()
		}
		for day := first; day <= last; day++ {
			spans = append(spans, span{day*dayMinutes + from, day*dayMinutes + to})
		}
	}
	return spans, nil
}

func errHours() error {
	return errs.Field("hours", "invalid_hours", "hours are like: mon-fri 09:00-18:00, sat 10:00-02:00")
}

func parseDays(text string) (first, last int, ok bool) {
	from, to, ranged := strings.Cut(text, "-")
	if !ranged {
		to = from
	}
	first, last = slices.Index(weekdays(), from), slices.Index(weekdays(), to)
	return first, last, first >= 0 && first <= last
}

func parseTimes(text string) (from, to int, ok bool) {
	begin, end, ranged := strings.Cut(text, "-")
	from, okFrom := parseClock(begin)
	to, okTo := parseClock(end)
	if to <= from {
		to += dayMinutes
	}
	return from, to, ranged && okFrom && okTo && from < dayMinutes
}

// parseClock reads hours and minutes of a day, 24:00 too.
func parseClock(text string) (minutes int, ok bool) {
	if text == "24:00" {
		return dayMinutes, true
	}
	t, err := time.Parse("15:04", text)
	return t.Hour()*60 + t.Minute(), err == nil && len(text) == len("15:04")
}

// openAt tells whether hours include a time. Hours that cannot be read include
// none: nobody stored them through here.
func openAt(hours string, now time.Time) bool {
	if hours == "" {
		return true
	}
	spans, err := parseHours(hours)
	if err != nil {
		return false
	}
	local := now.In(zone())
	minute := (int(local.Weekday())+6)%7*dayMinutes + local.Hour()*60 + local.Minute()
	return slices.ContainsFunc(spans, func(s span) bool {
		return s.from <= minute && minute < s.to || s.from <= minute+weekMinutes && minute+weekMinutes < s.to
	})
}
