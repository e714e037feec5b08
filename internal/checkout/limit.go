package checkout

import (
	"context"
	"errors"

	"panshi/internal/db"
	"panshi/internal/errs"
	"panshi/internal/id"
	"panshi/internal/payment"
)

// DefaultRefundLimit is the most, in minor units, that one person may give back
// in a shop that set nothing.
const DefaultRefundLimit = 100_000

// maxLimit bounds what may be set.
const maxLimit = 1_000_000_000_000

// errApprovalRequired says that another person must agree first.
var errApprovalRequired = errs.New(errs.Conflict, "approval_required", "this is above the limit for one person; ask for approval")

// RefundLimit is the most, in minor units, that one member of staff may give
// back without an approval.
func (s *Service) RefundLimit(ctx context.Context, merchantID id.ID) (limit int64, err error) {
	err = s.db.View(ctx, func(tx *db.Tx) error {
		limit, err = refundLimitTx(tx, merchantID)
		return err
	})
	return limit, err
}

func refundLimitTx(tx *db.Tx, merchantID id.ID) (limit int64, err error) {
	err = tx.Get([]any{&limit}, `SELECT refund_limit FROM merchant_limits WHERE merchant_id = $1`, merchantID)
	if errors.Is(err, db.ErrNoRows) {
		return DefaultRefundLimit, nil
	}
	return limit, err
}

// UnderLimitTx refuses (approval_required) an amount, in minor units, above what
// one person may give.
func UnderLimitTx(tx *db.Tx, merchantID id.ID, minor int64) error {
	limit, err := refundLimitTx(tx, merchantID)
	if err == nil && minor > limit {
		err = errApprovalRequired
	}
	return err
}

// orderUnderLimitTx refuses what one person may not give back: what counts is all
// that staff gave back of a locked order, so that several small refunds are one
// large one. Refunds that the shop decides itself (paid twice, sold out
// meanwhile) do not count.
func orderUnderLimitTx(tx *db.Tx, merchantID, orderID id.ID) error {
	given, err := payment.GivenByStaffTx(tx, merchantID, orderID)
	if err != nil {
		return err
	}
	return UnderLimitTx(tx, merchantID, given)
}

func setRefundLimitTx(tx *db.Tx, merchantID id.ID, limit int64) error {
	_, err := tx.Exec(`INSERT INTO merchant_limits (merchant_id, refund_limit, updated_at) VALUES ($1, $2, $3)
		ON CONFLICT (merchant_id) DO UPDATE SET refund_limit = excluded.refund_limit, updated_at = excluded.updated_at`,
		merchantID, limit, db.Millis(tx.Now()))
	return err
}
