package payment

import (
	"errors"
	"slices"
	"strings"
	"time"

	"panshi/internal/errs"
	"panshi/internal/money"
)

// Limits say which payments an account takes. The zero value takes all.
type Limits struct {
	MinAmount int64          // of one payment, minor units
	MaxAmount int64          // of one payment, minor units; 0: no limit
	DayAmount int64          // of all payments of a day that are not closed unpaid; 0: no limit
	DayCount  int64          // how many of them; 0: no limit
	Currency  money.Currency // "": any
	Clients   string         // names of clients, joined by commas; "": all
	Hours     string         // when it is open, as parseHours reads it; "": always
	Weight    int64          // its share among accounts that are equally good; 0 is 1
}

// Want is a payment that looks for an account. A zero field asks for nothing.
type Want struct {
	Amount money.Amount
	Client string // "web", "miniprogram", "api"
}

// clients are those that a limit may name.
func clients() []string { return []string{"web", "miniprogram", "api"} }

// zone is that of an account's day and hours: China has one, and merchants have
// no other.
func zone() *time.Location { return time.FixedZone("UTC+8", 8*60*60) }

// Validate reports every limit that cannot be kept.
func (l Limits) Validate() error {
	var faults []error
	for _, f := range []struct {
		name  string
		value int64
	}{{"min_amount", l.MinAmount}, {"max_amount", l.MaxAmount}, {"day_amount", l.DayAmount}, {"day_count", l.DayCount}} {
		if f.value < 0 || f.value > 1e14 {
			faults = append(faults, errs.Field(f.name, "out_of_range", "a limit is 0 (none) to 10^14"))
		}
	}
	if l.MaxAmount > 0 && l.MinAmount > l.MaxAmount {
		faults = append(faults, errs.Field("max_amount", "out_of_range", "the largest amount is below the smallest"))
	}
	if l.Weight < 0 || l.Weight > 100 {
		faults = append(faults, errs.Field("weight", "out_of_range", "a weight is 1 to 100"))
	}
	if len(l.Currency) != 0 && len(l.Currency) != 3 || strings.ToUpper(string(l.Currency)) != string(l.Currency) {
		faults = append(faults, errs.Field("currency", "invalid_choice", "a currency is three capital letters"))
	}
	for _, c := range names(l.Clients) {
		if !slices.Contains(clients(), c) {
			faults = append(faults, errs.Field("clients", "invalid_choice", "a client is one of "+strings.Join(clients(), ", ")))
		}
	}
	if _, err := parseHours(l.Hours); err != nil {
		faults = append(faults, err)
	}
	return errors.Join(faults...)
}

func names(list string) []string {
	if list == "" {
		return nil
	}
	return strings.Split(list, ",")
}

// fit tells whether one payment alone keeps within the limits at a time.
func (l Limits) fit(w Want, now time.Time) bool {
	if w.Amount.Currency != "" {
		if l.Currency != "" && l.Currency != w.Amount.Currency {
			return false
		}
		if w.Amount.Minor < l.MinAmount || (l.MaxAmount > 0 && w.Amount.Minor > l.MaxAmount) {
			return false
		}
	}
	if w.Client != "" && l.Clients != "" && !slices.Contains(names(l.Clients), w.Client) {
		return false
	}
	return openAt(l.Hours, now)
}

// counted tells whether the payments of a day must be counted.
func (l Limits) counted() bool { return l.DayAmount > 0 || l.DayCount > 0 }

// leaves tells whether one more payment fits beside what a day has already.
func (l Limits) leaves(w Want, count, amount int64) bool {
	return (l.DayCount == 0 || count < l.DayCount) &&
		(l.DayAmount == 0 || amount+max(w.Amount.Minor, l.MinAmount, 1) <= l.DayAmount)
}

// dayBegin is when the day of a time began.
func dayBegin(now time.Time) time.Time {
	y, m, d := now.In(zone()).Date()
	return time.Date(y, m, d, 0, 0, 0, 0, zone())
}
