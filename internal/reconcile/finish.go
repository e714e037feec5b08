package reconcile

import (
	"context"
	"strconv"
	"time"

	"panshi/internal/audit"
	"panshi/internal/db"
	"panshi/internal/fault"
	"panshi/internal/ledger"
	"panshi/internal/money"
	"panshi/internal/notify"
)

// feeKind is the kind of a day's entry in the books.
const feeKind = "fee"

// finish closes the day if everything agrees to the fen, else says that it
// differs. Either is one transaction.
func (r *run) finish(ctx context.Context) error {
	for more := true; more; {
		if err := r.s.db.Update(ctx, func(tx *db.Tx) (err error) {
			if err = standsTx(tx, r.day); err == nil {
				more, err = settledCasesTx(tx, r.day)
			}
			return err
		}); err != nil {
			return err
		}
	}
	if err := r.revise(ctx); err != nil {
		return err
	}
	fault.Point("reconcile.finish.before-end")
	before := r.day
	return r.s.db.Update(ctx, func(tx *db.Tx) error {
		r.day = before
		if err := standsTx(tx, r.day); err != nil {
			return err
		}
		open, err := openTx(tx, r.day)
		if err != nil {
			return err
		}
		if r.day.Decided, err = decidedTx(tx, r.day); err != nil {
			return err
		}
		r.day.State, r.day.Problem = Differs, ""
		if open == 0 && r.day.agrees() {
			return r.closeTx(ctx, tx, before.State)
		}
		if err := endTx(tx, before.State, r.day, r.next()); err != nil {
			return err
		}
		return notify.OngoingTx(tx, differsAlert(r.day))
	})
}

// differsAlert tells of a day until it closes.
func differsAlert(d Day) notify.Alert {
	return notify.Alert{
		Code: "reconcile_differs", MerchantID: d.MerchantID, Subject: d.ID.String(), Severity: notify.Critical,
		Args: map[string]string{
			"date": d.Date, "currency": d.Currency, "difference": money.Of(d.Difference(), money.Currency(d.Currency)).Decimal(),
		},
	}
}

// next is when a day that differs is compared again by itself.
func (r *run) next() time.Time {
	next := r.s.clock.Now().Add(retryDiffers)
	if next.After(r.from.Add(patience)) {
		return time.Time{}
	}
	return next
}

// closeTx books the day's fee, writes the audit record and closes the day.
func (r *run) closeTx(ctx context.Context, tx *db.Tx, before State) error {
	d := &r.day
	d.State, d.ClosedAt = Closed, tx.Now()
	if err := endTx(tx, before, *d, time.Time{}); err != nil {
		return err
	}
	if err := notify.ResolveTx(tx, d.MerchantID, "reconcile_differs", d.ID.String()); err != nil {
		return err
	}
	if d.Fees != 0 {
		if err := ledger.PostTx(tx, ledger.Transfer(d.MerchantID, feeKind, d.ID, ledger.Provider(d.AccountID), ledger.Fees,
			money.Of(d.Fees, money.Currency(d.Currency)))); err != nil {
			return err
		}
	}
	actor, request := audit.Origin(ctx)
	return audit.RecordTx(tx, audit.Record{
		MerchantID: d.MerchantID, Actor: actor, RequestID: request, Action: "reconcile.day_closed",
		SubjectKind: "reconcile_day", SubjectID: d.ID, Detail: map[string]string{
			"date": d.Date, "account": d.AccountID.String(), "lines": strconv.FormatInt(d.BillCount, 10),
			"paid": strconv.FormatInt(d.BillPaid, 10), "refunded": strconv.FormatInt(d.BillRefunded, 10),
			"decided_net": strconv.FormatInt(d.Decided.Net, 10),
			"fees":        strconv.FormatInt(d.Fees, 10), "currency": d.Currency, "digest": d.Digest,
		},
	})
}
