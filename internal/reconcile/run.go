package reconcile

import (
	"context"
	"errors"
	"time"

	"panshi/internal/db"
	"panshi/internal/errs"
	"panshi/internal/fault"
	"panshi/internal/money"
	"panshi/internal/payment"
)

// Pauses before the next run of a day.
const (
	retryFailed  = 10 * time.Minute
	retryDiffers = 6 * time.Hour
	patience     = 8 * 24 * time.Hour // after that only a person starts a run
)

// run is one run over one day.
type run struct {
	s        *Service
	g        group
	provider payment.Provider
	day      Day
	from     time.Time // the day's midnight
	told     progress
	asked    int
	settled  map[string]bool // transactions that were settled in this page
}

// runDay reconciles one day of a group. A day that is closed already is
// compared once more, and nothing is written.
func (s *Service) runDay(ctx context.Context, g group, date string, told progress) (Day, error) {
	from, err := ParseDate(date)
	if err != nil {
		return Day{}, err
	}
	now := s.clock.Now()
	if now.Before(from.AddDate(0, 0, 1)) {
		return Day{}, ErrDayNotOver
	}
	_, provider, err := s.accounts.Provider(ctx, g.main.ID)
	if err != nil {
		return Day{}, err
	}
	biller, ok := provider.(payment.Biller)
	if !ok {
		return Day{}, errNoBill
	}
	r := &run{s: s, g: g, provider: provider, from: from, told: told, settled: map[string]bool{}}
	if err := s.db.Update(ctx, func(tx *db.Tx) (err error) {
		r.day, err = beginTx(tx, g, date, now.Add(retryFailed))
		return err
	}); err != nil {
		return Day{}, err
	}
	if r.day.State == Closed {
		return r.verify(ctx, biller)
	}
	if err := r.reconcile(ctx, biller); err != nil {
		return r.day, errors.Join(err, r.note(ctx, errs.CodeOf(err)))
	}
	return r.day, nil
}

// note keeps why a run ended early. Who was overtaken, or is told to stop, has
// nothing to say.
func (r *run) note(ctx context.Context, code string) error {
	r.day.Problem = code
	if stopped := ctx.Err(); stopped != nil {
		return stopped
	}
	if code == errOvertaken.Code {
		return nil
	}
	return r.s.db.Update(ctx, func(tx *db.Tx) error {
		return problemTx(tx, r.day, r.day.Problem, r.s.clock.Now().Add(retryFailed))
	})
}

func (r *run) reconcile(ctx context.Context, biller payment.Biller) error {
	r.told("fetch", 0, 0)
	bill, err := r.bill(ctx, biller)
	if err != nil {
		return err
	}
	fault.Point("reconcile.fetched")
	if err := r.s.store(ctx, &r.day, bill, r.told); err != nil {
		return err
	}
	if err := r.match(ctx); err != nil {
		return err
	}
	return r.finish(ctx)
}

// bill fetches the day's bill. A platform without one may be late or may have
// had no trade: from noon on, and if the shop had none either, the bill is one
// without lines.
func (r *run) bill(ctx context.Context, biller payment.Biller) (payment.Bill, error) {
	bill, err := biller.Bill(ctx, r.from)
	if !errors.Is(err, payment.ErrBillNotReady) {
		return bill, err
	}
	if r.day.stored > 0 || r.s.clock.Now().Before(r.from.AddDate(0, 0, 1).Add(emptyAfter)) {
		return bill, err
	}
	traded := false
	if failed := r.s.oursOnly(ctx, r.day, r.g, func(found []pair) error {
		traded = traded || len(r.ours(found)) > 0
		return nil
	}); failed != nil || traded {
		return bill, errors.Join(failed, err)
	}
	zero := money.Of(0, r.g.currency)
	return payment.Bill{Date: r.from, Paid: zero, GivenUp: zero, Fees: zero}, nil
}

// ours leaves what belongs to the accounts of this bill.
func (r *run) ours(found []pair) []pair {
	var mine []pair
	for _, p := range found {
		if r.g.has(p.account) {
			mine = append(mine, p)
		}
	}
	return mine
}

// match compares the bill with the shop, and the shop with the bill.
func (r *run) match(ctx context.Context) error {
	r.day.OurCount, r.day.OurPaid, r.day.OurRefunded, r.day.LedgerNet = 0, 0, 0, 0
	var done int64
	for _, read := range []reader{paymentsTx, refundsTx} {
		if err := r.pages(ctx, read, func(pairs []pair) error {
			done += int64(len(pairs))
			r.told("match", done, r.day.BillCount)
			return r.keep(ctx, r.judge(pairs))
		}); err != nil {
			return err
		}
	}
	return r.s.oursOnly(ctx, r.day, r.g, func(found []pair) error {
		var cases []Case
		for _, p := range r.ours(found) {
			if r.ofAnotherDay(ctx, p) {
				continue
			}
			r.count(p)
			cases = append(cases, p.caseOf(OursOnly, CheckPlatform))
		}
		return r.keep(ctx, cases)
	})
}

// reader reads a page of the bill with what the shop has of it.
type reader func(tx *db.Tx, d Day, after key) ([]pair, error)

// pages gives every page of the bill to each, after the platform was asked
// about what the shop does not have.
func (r *run) pages(ctx context.Context, read reader, each func([]pair) error) error {
	var after key
	for {
		pairs, err := r.page(ctx, read, after)
		if err != nil || len(pairs) == 0 {
			return err
		}
		clear(r.settled)
		if r.day.State != Closed && r.ask(ctx, pairs) {
			if pairs, err = r.page(ctx, read, after); err != nil {
				return err
			}
		}
		if err := each(pairs); err != nil {
			return err
		}
		last := pairs[len(pairs)-1]
		after = key{last.transactionID, last.refundNo}
	}
}

func (r *run) page(ctx context.Context, read reader, after key) (pairs []pair, err error) {
	err = r.s.db.View(db.WithLong(ctx), func(tx *db.Tx) (err error) {
		pairs, err = read(tx, r.day, after)
		return err
	})
	return pairs, err
}

// count adds what the shop has of a pair to the day's sums.
func (r *run) count(p pair) {
	r.day.LedgerNet += p.signed(p.ledger)
	switch {
	case !p.known || !p.done:
		return
	case p.kind == payment.BillRefund:
		r.day.OurRefunded += p.ours
	default:
		r.day.OurPaid += p.ours
	}
	r.day.OurCount++
}

// judge counts pairs and makes cases of those that do not agree.
func (r *run) judge(pairs []pair) (cases []Case) {
	for _, p := range pairs {
		r.count(p)
		if k, remedy := p.verdict(r.g, r.day.Currency); k != "" {
			if r.settled[p.transactionID] && k == TheirsOnly {
				remedy = SeeHoldDesk
			}
			cases = append(cases, p.caseOf(k, remedy))
		}
		if !p.feeFits() {
			cases = append(cases, p.caseOf(Fee, CheckFee))
		}
	}
	return cases
}

func (r *run) keep(ctx context.Context, cases []Case) error {
	if len(cases) == 0 {
		return nil
	}
	defer fault.Point("reconcile.match.cases-written")
	return r.s.db.Update(ctx, func(tx *db.Tx) error {
		if err := standsTx(tx, r.day); err != nil {
			return err
		}
		for _, c := range cases {
			if err := caseTx(tx, r.day, c); err != nil {
				return err
			}
		}
		return nil
	})
}
