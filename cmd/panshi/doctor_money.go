package main

import (
	"strings"
	"time"

	"panshi/internal/adminsock"
	"panshi/internal/money"
	"panshi/internal/payment"
	"panshi/internal/reconcile"
)

// doctorPayments judges how the shop learned of the payments of a day.
func doctorPayments(s adminsock.Status) []finding {
	var out []finding
	switch paid := s.ByCallback + s.ByQuery; {
	case paid == 0:
		out = append(out, ok("callbacks", "no payment in the last 24 hours, so nothing is known"))
	case payment.Told{ByCallback: s.ByCallback, ByQuery: s.ByQuery}.CallbacksBroken():
		out = append(out, bad("callbacks", "none arrived in the last 24 hours: %s had to be asked for; is %s",
			plural(s.ByQuery, "payment"), "the notification address reachable from outside?"))
	case s.ByQuery > s.ByCallback:
		out = append(out, warn("callbacks", "most do not arrive: of %s in 24 hours %s had to be asked for", plural(paid, "payment"), count(s.ByQuery)))
	default:
		out = append(out, ok("callbacks", "of %s in 24 hours %s had to be asked for", plural(paid, "payment"), count(s.ByQuery)))
	}
	if s.Holds > 0 {
		out = append(out, warn("holds", "%s waiting for a person at the hold desk of the console", plural(s.Holds, "payment")))
	}
	return out
}

// doctorAccounts tells which payment accounts failed in the last hour, as the
// running process saw it.
func doctorAccounts(s adminsock.Status) []finding {
	if s.Since.IsZero() {
		return nil // a shop that stands still asks nobody
	}
	if len(s.Failing) == 0 {
		return []finding{ok("accounts", "no payment account failed in the last hour")}
	}
	var out []finding
	for _, a := range s.Failing {
		name := strings.Join([]string{a.Merchant, a.Provider, a.Method, a.Number}, " ")
		if a.Bills {
			name += " (bills)"
		}
		last := a.FailedAt.Format(time.RFC3339)
		switch {
		case a.Breaker != "closed":
			out = append(out, bad("accounts", "%s fails since %s and is asked by a probe every few seconds only; others take its payments",
				name, a.Since.Format(time.RFC3339)))
		case !a.Since.IsZero():
			out = append(out, warn("accounts", "%s has not answered since %s", name, a.Since.Format(time.RFC3339)))
		default:
			out = append(out, warn("accounts", "%s answers, and failed at %s; %.0f%% of its calls failed lately", name, last, 100*a.Errors))
		}
	}
	return out
}

// nobodyTries is the age of a day from which the shop reconciles it no more by
// itself.
const nobodyTries = 8 * 24 * time.Hour

// doctorReconcile tells which days should be closed by now.
func doctorReconcile(s adminsock.Status, now time.Time) []finding {
	late := s.Unreconciled
	if late.Days == 0 {
		return []finding{ok("reconcile", "no day is open for more than two days")}
	}
	sums := make([]string, 0, len(late.Money))
	for _, m := range late.Money {
		sums = append(sums, m.Currency+" "+money.Of(m.Minor, money.Currency(m.Currency)).Decimal())
	}
	about := ""
	if len(sums) > 0 {
		about = " about " + strings.Join(sums, ", ")
	}
	judge := warn
	if day, err := reconcile.ParseDate(late.Oldest); err == nil && now.Sub(day) > nobodyTries {
		judge = bad
	}
	return []finding{judge("reconcile", "%s not closed since %s, with %s%s: `panshi reconcile --date %s` tells more",
		plural(late.Days, "day"), late.Oldest, plural(late.Cases, "open case"), about, late.Oldest)}
}
