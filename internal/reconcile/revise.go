package reconcile

import (
	"context"
	"time"

	"panshi/internal/audit"
	"panshi/internal/db"
	"panshi/internal/ledger"
)

// reviseCases is how many decisions one transaction takes back: each has a
// posting with three legs, an audit record and its case.
const reviseCases = 50

// revise takes decisions back that do not fit any more: what they were about
// agrees by now, or is another amount. No day closes on a decision about
// something else.
func (r *run) revise(ctx context.Context) error {
	for {
		var stale []staleCase
		if err := r.s.db.Update(ctx, func(tx *db.Tx) (err error) {
			if err = standsTx(tx, r.day); err != nil {
				return err
			}
			if stale, err = staleTx(tx, r.day); err != nil {
				return err
			}
			for _, c := range stale {
				if err := takeBackTx(ctx, tx, r.day, c); err != nil {
					return err
				}
			}
			return nil
		}); err != nil || len(stale) < reviseCases {
			return err
		}
	}
}

// takeBackTx books a case's posting back. One that this run met again is open,
// the others agree.
func takeBackTx(ctx context.Context, tx *db.Tx, d Day, c staleCase) error {
	legs, err := ledger.LegsTx(tx, d.MerchantID, adjustment(c.posted), c.ID)
	if err != nil {
		return err
	}
	if len(legs) > 0 && c.Decision.books() {
		for i := range legs {
			legs[i].Amount = legs[i].Amount.Neg()
		}
		c.posted++
		if err := ledger.PostTx(tx, ledger.Entry{MerchantID: d.MerchantID, Kind: adjustment(c.posted), SubjectID: c.ID, Legs: legs}); err != nil {
			return err
		}
	}
	actor, request := audit.Origin(ctx)
	if err := audit.RecordTx(tx, audit.Record{
		MerchantID: d.MerchantID, Actor: actor, RequestID: request, Action: "reconcile.decision_taken_back",
		SubjectKind: "reconcile_case", SubjectID: c.ID, Detail: c.detail(d),
	}); err != nil {
		return err
	}
	next := CaseAgreed
	if c.met {
		next = CaseOpen
	}
	if !c.State().may(next) {
		return ErrCaseUnknown
	}
	c.Decision, c.Adjusted, c.ResolvedBy, c.ResolvedAt, c.Reason = "", 0, "", time.Time{}, ""
	if next == CaseAgreed {
		c.ResolvedBy, c.ResolvedAt, c.Reason = bySystem, tx.Now(), "agrees by now"
	}
	return saveTx(tx, d.MerchantID, c.Case)
}
