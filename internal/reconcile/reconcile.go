package reconcile

import (
	"context"
	"errors"
	"slices"
	"time"

	"panshi/internal/audit"
	"panshi/internal/db"
	"panshi/internal/errs"
	"panshi/internal/id"
	"panshi/internal/jobs"
	"panshi/internal/payment"
)

// Request chooses what a command reconciles.
type Request struct {
	MerchantID id.ID  // zero: all
	Account    string // an account's id or its number at the platform; "": all whose platform makes bills
	Date       string
}

// DayReport is one day of one account with its differences.
type DayReport struct {
	Day
	Provider string `json:"provider"`
	Name     string `json:"name"`
	NameEN   string `json:"name_en"`
	Number   string `json:"number"` // the merchant number at the platform
	Sandbox  bool   `json:"sandbox,omitempty"`
	Cases    []Case `json:"cases"` // open ones, at most 200
	Open     int64  `json:"open"`  // how many there are
}

// Report is what a command found.
type Report struct {
	Date string      `json:"date"`
	Days []DayReport `json:"days"`
}

// Clean tells whether all days are closed and still agree.
func (r Report) Clean() bool {
	return !slices.ContainsFunc(r.Days, func(d DayReport) bool { return d.State != Closed || d.Problem != "" })
}

// shown is how many cases of a day a report has.
const shown = 200

// Reconcile runs a day of each account that is asked for. What fails at one
// account is told in its report, and the others go on.
func (s *Service) Reconcile(ctx context.Context, q Request, told func(step string, done, total int64)) (Report, error) {
	date, err := ParseDate(q.Date)
	if err != nil {
		return Report{}, err
	}
	if s.clock.Now().Before(date.AddDate(0, 0, 1)) {
		return Report{}, ErrDayNotOver
	}
	groups, err := s.groups(ctx, q.MerchantID)
	if err != nil {
		return Report{}, err
	}
	if groups = chosen(groups, q.Account); q.Account != "" && len(groups) == 0 {
		return Report{}, errNoAccount
	}
	report := Report{Date: q.Date, Days: []DayReport{}}
	for _, g := range groups {
		d, err := s.runDay(ctx, g, q.Date, told)
		switch {
		case ctx.Err() != nil:
			return report, ctx.Err()
		case errors.Is(err, errNoBill) && q.Account == "":
			continue
		case err != nil:
			s.log.Warn("reconcile: not done", "account", g.main.ID.String(), "date", q.Date, "code", errs.CodeOf(err), "error", err)
			d = failed(d, g, q.Date, err)
		}
		told := DayReport{Day: d, Provider: g.main.Provider, Name: g.main.Name, NameEN: g.main.NameEN, Number: g.main.ExternalRef, Sandbox: g.main.Sandbox}
		if err := s.db.View(ctx, func(tx *db.Tx) (err error) {
			told.Cases, told.Open, err = openCasesTx(tx, d)
			return err
		}); err != nil {
			return report, err
		}
		report.Days = append(report.Days, told)
	}
	return report, nil
}

// failed is the day of a run that did not come to its end.
func failed(d Day, g group, date string, err error) Day {
	d.MerchantID, d.AccountID, d.Date, d.Problem = g.main.MerchantID, g.main.ID, date, errs.CodeOf(err)
	if d.State == "" {
		d.State, d.Currency = Open, string(g.currency)
	}
	if d.Problem == "" {
		d.Problem = "internal"
	}
	return d
}

func chosen(groups []group, account string) []group {
	return slices.DeleteFunc(groups, func(g group) bool {
		if account == "" {
			return !g.live()
		}
		return g.main.ExternalRef != account && !slices.ContainsFunc(g.accounts, func(a payment.Account) bool {
			return a.ID.String() == account
		})
	})
}

func openCasesTx(tx *db.Tx, d Day) (cases []Case, open int64, err error) {
	if cases, err = db.Collect(tx, scanCase, `SELECT `+caseColumns+` FROM reconcile_cases
		WHERE merchant_id = $1 AND day_id = $2 AND resolved_at IS NULL ORDER BY kind, line_kind, transaction_id, number LIMIT $3`,
		d.MerchantID, d.ID, shown); err != nil {
		return nil, 0, err
	}
	err = tx.Get([]any{&open}, `SELECT COUNT(*) FROM reconcile_cases
		WHERE merchant_id = $1 AND day_id = $2 AND resolved_at IS NULL`, d.MerchantID, d.ID)
	return cases, open, err
}

// lookBack is for how many days behind today the sweep makes sure that they
// are reconciled.
const lookBack = 3

// Sweeps is the daily run: bills are asked for from 10:00 of the platform's
// next day on, until each day is closed or a week old.
func (s *Service) Sweeps() []jobs.Sweep {
	return []jobs.Sweep{{Name: "reconcile.days", Every: time.Minute, Run: s.sweep}}
}

// sweep runs the day that waits longest.
func (s *Service) sweep(ctx context.Context) (more bool, err error) {
	groups, err := s.groups(ctx, id.ID{})
	if err != nil {
		return false, err
	}
	groups = slices.DeleteFunc(groups, func(g group) bool { return !g.live() || !s.makesBills(ctx, g) })
	if err := s.plan(ctx, groups); err != nil {
		return false, err
	}
	var due Day
	err = s.db.View(ctx, func(tx *db.Tx) (err error) {
		due, more, err = dueTx(tx, s.clock.Now())
		return err
	})
	if err != nil || !more {
		return false, err
	}
	at := slices.IndexFunc(groups, func(g group) bool { return g.main.ID == due.AccountID })
	if at < 0 { // switched off since
		return true, s.db.Update(ctx, func(tx *db.Tx) error { return problemTx(tx, due, errNoAccount.Code, time.Time{}) })
	}
	d, err := s.runDay(audit.WithOrigin(ctx, audit.System(), ""), groups[at], due.Date, func(string, int64, int64) {})
	if errors.Is(err, payment.ErrBillNotReady) || errors.Is(err, errOvertaken) {
		return true, nil
	}
	if err == nil && d.State == Differs {
		s.log.Error("reconcile: the day differs", "date", d.Date, "account", d.AccountID.String(), "difference", d.Difference())
	}
	return true, err
}

func (s *Service) makesBills(ctx context.Context, g group) bool {
	_, provider, err := s.accounts.Provider(ctx, g.main.ID)
	_, ok := provider.(payment.Biller)
	return err == nil && ok
}

// plan makes the rows of the last days, due when their bills are ready. An
// account has no days before its own.
func (s *Service) plan(ctx context.Context, groups []group) error {
	now := s.clock.Now().In(Zone())
	today := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, Zone())
	for _, g := range groups {
		for back := 1; back <= lookBack; back++ {
			date := today.AddDate(0, 0, -back)
			if date.AddDate(0, 0, 1).Before(g.main.ID.Time()) {
				break
			}
			if err := s.planOne(ctx, g, date); err != nil {
				return err
			}
		}
	}
	return nil
}

// planOne makes the row of a day if there is none. One that was given up
// because its account was off is due again: the account is back.
func (s *Service) planOne(ctx context.Context, g group, date time.Time) error {
	text, day := date.Format(time.DateOnly), Day{}
	err := s.db.View(ctx, func(tx *db.Tx) (err error) {
		day, err = dayOfTx(tx, g, text)
		return err
	})
	switch {
	case err == nil && day.Problem == errNoAccount.Code:
		return s.db.Update(ctx, func(tx *db.Tx) error {
			return problemTx(tx, day, "", tx.Now())
		})
	case !errors.Is(err, ErrDayUnknown):
		return err
	}
	return s.db.Update(ctx, func(tx *db.Tx) error {
		return ensureTx(tx, g, text, date.AddDate(0, 0, 1).Add(readyAfter))
	})
}
