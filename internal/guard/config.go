package guard

import (
	"errors"
	"fmt"
	"slices"

	"panshi/internal/errs"
	"panshi/internal/web"
)

// Values of Config.Limits.
const (
	On  = "on"
	Off = "off"
)

// Rate is an allowance: Burst uses at once, refilled by PerSecond.
type Rate struct {
	PerSecond float64 `json:"per_second"`
	Burst     int     `json:"burst"`
}

// Config is what the operator may set.
type Config struct {
	Limits      string `json:"limits"`        // On or Off
	MaxInFlight int    `json:"max_in_flight"` // requests under way at once
	MaxKeys     int    `json:"max_keys"`      // keys remembered; about 300 bytes each
	// SearchesAtOnce is how many searches and further pages of lists read at
	// once; 0 is what suits engine and machine.
	SearchesAtOnce int                     `json:"searches_at_once"`
	Rates          map[web.LimitClass]Rate `json:"rates"` // replaces single defaults
}

// DefaultConfig limits as a shop of one machine wants it.
func DefaultConfig() Config {
	return Config{Limits: On, MaxInFlight: 1024, MaxKeys: 100_000}
}

// defaultRates are per key. They let a household or an office behind one
// address shop, and make guessing hopeless.
func defaultRates() map[web.LimitClass]Rate {
	return map[web.LimitClass]Rate{
		web.LimitStatic:   {PerSecond: 200, Burst: 1000},
		web.LimitRead:     {PerSecond: 50, Burst: 200},
		web.LimitOrder:    {PerSecond: 5, Burst: 20},
		web.LimitPay:      {PerSecond: 5, Burst: 20},
		web.LimitReveal:   {PerSecond: 2, Burst: 20},
		web.LimitLookup:   {PerSecond: 0.5, Burst: 10},
		web.LimitSignIn:   {PerSecond: 0.1, Burst: 5},
		web.LimitCallback: {PerSecond: 200, Burst: 2000},
		web.LimitStaff:    {PerSecond: 20, Burst: 100},
	}
}

// strictest is what a class that nobody knows gets.
func strictest() Rate { return Rate{PerSecond: 0.1, Burst: 5} }

// Validate reports everything that is wrong at once, each as an errs.Error
// that names the key.
func (c Config) Validate() error {
	var problems []error
	if c.Limits != On && c.Limits != Off {
		problems = append(problems, errs.Field("limits", "invalid_choice", "on or off"))
	}
	for _, bound := range []struct {
		field                  string
		value, least, greatest int
	}{
		{"max_in_flight", c.MaxInFlight, 8, 1_000_000},
		{"searches_at_once", c.SearchesAtOnce, 0, 1000},
		{"max_keys", c.MaxKeys, 100, 10_000_000},
	} {
		if bound.value < bound.least || bound.value > bound.greatest {
			problems = append(problems, errs.Field(bound.field, "out_of_range", fmt.Sprintf("%d to %d", bound.least, bound.greatest)))
		}
	}
	for class, rate := range c.Rates {
		field := fmt.Sprintf("rates.%s", class)
		if class == web.Unlimited || !slices.Contains(web.LimitClasses(), class) {
			problems = append(problems, errs.Field(field, "unknown_field", "no such limit class"))
		} else if !(rate.PerSecond > 0 && rate.PerSecond <= 1e6) || rate.Burst < 1 || rate.Burst > 1e6 {
			problems = append(problems, errs.Field(field, "out_of_range", "a positive rate, and a burst of 1 or more"))
		}
	}
	return errors.Join(problems...)
}
