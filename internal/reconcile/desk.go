package reconcile

import (
	"context"
	"strings"
	"unicode/utf8"

	"panshi/internal/audit"
	"panshi/internal/db"
	"panshi/internal/errs"
	"panshi/internal/id"
)

// Days lists a merchant's days, the newest first; before is the last id of the
// page before, zero for the first page.
func (s *Service) Days(ctx context.Context, merchantID, before id.ID, limit int) (days []Day, err error) {
	err = s.db.View(ctx, func(tx *db.Tx) (err error) {
		if before.IsZero() {
			days, err = db.Collect(tx, scanDay, `SELECT `+dayColumns+` FROM reconcile_days
				WHERE merchant_id = $1 ORDER BY id DESC LIMIT $2`, merchantID, limit)
			return err
		}
		days, err = db.Collect(tx, scanDay, `SELECT `+dayColumns+` FROM reconcile_days
			WHERE merchant_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3`, merchantID, before, limit)
		return err
	})
	return days, err
}

// Day reads one day.
func (s *Service) Day(ctx context.Context, merchantID, dayID id.ID) (d Day, err error) {
	err = s.db.View(ctx, func(tx *db.Tx) (err error) {
		d, err = dayTx(tx, merchantID, dayID)
		return err
	})
	return d, err
}

// Cases lists a merchant's cases, resolved ones too, in the order in which
// they were found; after is the last id of the page before.
func (s *Service) Cases(ctx context.Context, merchantID, dayID, after id.ID, limit int) (cases []Case, err error) {
	if after.IsZero() {
		after = first()
	}
	err = s.db.View(ctx, func(tx *db.Tx) (err error) {
		if _, err := dayTx(tx, merchantID, dayID); err != nil {
			return err
		}
		cases, err = db.Collect(tx, scanCase, `SELECT `+caseColumns+` FROM reconcile_cases
			WHERE merchant_id = $1 AND day_id = $2 AND id > $3 ORDER BY id LIMIT $4`, merchantID, dayID, after, limit)
		return err
	})
	return cases, err
}

// openCaseTx reads one case that nobody has decided about.
func openCaseTx(tx *db.Tx, merchantID, caseID id.ID) (Case, error) {
	found, err := db.Collect(tx, scanCase, `SELECT `+caseColumns+` FROM reconcile_cases
		WHERE id = $1 AND merchant_id = $2 AND resolved_at IS NULL`, caseID, merchantID)
	if err != nil {
		return Case{}, err
	}
	if len(found) == 0 {
		return Case{}, ErrCaseUnknown
	}
	return found[0], nil
}

// Case reads one case, resolved or not.
func (s *Service) Case(ctx context.Context, merchantID, caseID id.ID) (c Case, err error) {
	err = s.db.View(ctx, func(tx *db.Tx) error {
		found, err := db.Collect(tx, scanCase, `SELECT `+caseColumns+` FROM reconcile_cases WHERE id = $1 AND merchant_id = $2`,
			caseID, merchantID)
		if err == nil && len(found) == 0 {
			return ErrCaseUnknown
		}
		if err == nil {
			c = found[0]
		}
		return err
	})
	return c, err
}

// Resolve notes what a person decided about a case. It moves no money, and no
// reason makes sums agree: a day with a difference in money stays open until
// the difference is gone.
func (s *Service) Resolve(ctx context.Context, merchantID, caseID id.ID, reason string) error {
	reason = strings.TrimSpace(reason)
	if n := utf8.RuneCountInString(reason); n < 1 || n > 500 || !utf8.ValidString(reason) || strings.ContainsRune(reason, 0) {
		return errs.Field("reason", "reconcile_reason", "a reason has 1 to 500 characters")
	}
	actor, request := audit.Origin(ctx)
	by := actor.ID
	if by == "" {
		by = actor.Kind
	}
	return s.db.Update(ctx, func(tx *db.Tx) error {
		c, err := openCaseTx(tx, merchantID, caseID)
		if err != nil {
			return err
		}
		changed, err := tx.Exec(`UPDATE reconcile_cases SET resolved_at = $1, resolved_by = $2, reason = $3
			WHERE id = $4 AND merchant_id = $5 AND resolved_at IS NULL`, db.Millis(tx.Now()), by, reason, caseID, merchantID)
		if err == nil && changed != 1 {
			return ErrCaseUnknown
		}
		if err != nil {
			return err
		}
		return audit.RecordTx(tx, audit.Record{
			MerchantID: merchantID, Actor: actor, RequestID: request, Action: "reconcile.case_resolved",
			SubjectKind: "reconcile_case", SubjectID: caseID,
			Detail: map[string]string{"kind": string(c.Kind), "number": c.Number, "transaction_id": c.TransactionID, "reason": reason},
		})
	})
}
