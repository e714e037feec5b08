package reconcile

import (
	"context"

	"panshi/internal/db"
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

// Case reads one case, resolved or not.
func (s *Service) Case(ctx context.Context, merchantID, caseID id.ID) (c Case, err error) {
	err = s.db.View(ctx, func(tx *db.Tx) (err error) {
		c, err = caseByIDTx(tx, merchantID, caseID)
		return err
	})
	return c, err
}
