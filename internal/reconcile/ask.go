package reconcile

import (
	"context"
	"time"

	"panshi/internal/errs"
	"panshi/internal/payment"
)

// maxAsks is how many questions one run puts to a platform; the next run goes
// on. askTime bounds each of them.
const (
	maxAsks = 200
	askTime = 6 * time.Second
)

// ask puts to the platform what the bill says and the shop does not know, and
// gives its answers to the one door. It tells whether something may have
// changed.
func (r *run) ask(ctx context.Context, pairs []pair) (changed bool) {
	for _, p := range pairs {
		k, _ := p.verdict(r.g, r.day.Currency)
		if (k != TheirsOnly || p.kind != payment.BillPayment) && (k != Status || p.kind != payment.BillRefund || p.done) {
			continue
		}
		if r.asked >= maxAsks || ctx.Err() != nil {
			return changed
		}
		r.asked++
		if err := r.askOne(ctx, p); err != nil {
			r.s.log.Warn("reconcile: the platform's answer settled nothing", "number", p.number(), "code", errs.CodeOf(err), "error", err)
			continue
		}
		changed = true
	}
	return changed
}

func (r *run) askOne(ctx context.Context, p pair) error {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	account := r.g.account(p.account)
	if p.kind == payment.BillRefund {
		report, err := r.provider.QueryRefund(ctx, p.paymentNo, p.refundNo)
		if err != nil {
			return err
		}
		return r.s.door.SettleRefund(ctx, account, report)
	}
	report, err := r.provider.Query(ctx, p.paymentNo)
	if err != nil || report.State != payment.StatePaid {
		return err
	}
	err = r.s.door.Settle(ctx, account, report)
	r.settled[p.transactionID] = err == nil
	return err
}

// ofAnotherDay asks the platform when something moved that only the shop has
// on this day: near midnight the two clocks may disagree.
func (r *run) ofAnotherDay(ctx context.Context, p pair) bool {
	if r.asked >= maxAsks || ctx.Err() != nil {
		return false
	}
	r.asked++
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	at, err := r.movedAt(ctx, p)
	if err != nil || at.IsZero() {
		return false
	}
	return at.In(Zone()).Format(time.DateOnly) != r.day.Date
}

func (r *run) movedAt(ctx context.Context, p pair) (time.Time, error) {
	if p.kind == payment.BillRefund {
		report, err := r.provider.QueryRefund(ctx, p.paymentNo, p.refundNo)
		return report.DoneAt, err
	}
	report, err := r.provider.Query(ctx, p.paymentNo)
	if report.TransactionID != p.transactionID {
		return time.Time{}, err
	}
	return report.PaidAt, err
}
