package checkout

import (
	"context"
	"encoding/json"
	"strconv"

	"panshi/internal/access"
	"panshi/internal/db"
	"panshi/internal/errs"
	"panshi/internal/id"
	"panshi/internal/order"
	"panshi/internal/payment"
)

// The kinds of approval that this package has effects for.
const (
	ApproveRefund     = "refund"
	ApproveHoldRefund = "hold_refund"
	ApproveTransfer   = "offline_payment"
	ApproveLimit      = "refund_limit"
	ApproveGrant      = "credit_grant"
	ApproveTakeBack   = "credit_take_back"
)

// Effects are what approvals of this package's kinds do.
func (s *Service) Effects() map[string]access.Effect {
	return map[string]access.Effect{
		ApproveRefund: s.approvedRefundTx, ApproveHoldRefund: s.approvedHoldRefundTx,
		ApproveTransfer: s.approvedTransferTx, ApproveLimit: approvedLimitTx,
		ApproveGrant: s.approvedGrantTx, ApproveTakeBack: approvedTakeBackTx,
	}
}

// exactRefund is the effect of ApproveRefund and of ApproveHoldRefund.
type exactRefund struct {
	Subject id.ID  `json:"subject"` // the order, or the case
	Minor   int64  `json:"minor"`
	Reason  string `json:"reason"`
	Part    Part   `json:"part"` // of an order; nothing: all
	Target
}

// decisionOf reads an approved request.
func decisionOf[T any](d access.Decision) (exact T, by origin, err error) {
	err = json.Unmarshal(d.Exact, &exact)
	return exact, origin{d.By.Actor, d.By.RequestID}, err
}

// RequestRefund asks that another person lets all or a part of an order be
// given back. Its key is not used: an order has one open request.
func (s *Service) RequestRefund(ctx context.Context, r RefundRequest) (a access.Approval, err error) {
	if err := r.check(); err != nil {
		return a, err
	}
	err = s.db.Update(ctx, func(tx *db.Tx) error {
		o, err := order.ByNoTx(tx, r.MerchantID, r.OrderNo)
		if err != nil {
			return err
		}
		if err := takesTx(tx, r.MerchantID, r.Target, o.Total.Currency); err != nil {
			return err
		}
		p, err := planTx(tx, o, r.Part)
		if err != nil {
			return err
		}
		a, err = access.AskApprovalTx(ctx, tx, s.vault, access.ApprovalRequest{
			MerchantID: o.MerchantID, Kind: ApproveRefund, SubjectKind: "order", SubjectID: o.ID, Amount: p.total, Reason: r.Reason,
			Detail: r.detail(map[string]string{"order_no": o.No}),
		}, exactRefund{o.ID, p.total.Minor, r.Reason, r.Part, r.Target})
		return err
	})
	return a, err
}

func (s *Service) approvedRefundTx(tx *db.Tx, d access.Decision) error {
	exact, by, err := decisionOf[exactRefund](d)
	if err != nil {
		return err
	}
	o, err := order.ByIDTx(tx, d.Approval.MerchantID, exact.Subject)
	if err != nil {
		return err
	}
	if o, err = livingTx(tx, o); err != nil {
		return err
	}
	given, err := s.refundOrderTx(tx, o, RefundRequest{Reason: exact.Reason, Part: exact.Part, Target: exact.Target}, by)
	if err == nil && given.Minor != exact.Minor {
		err = access.ErrStale
	}
	return err
}

// RequestHoldRefund asks that another person lets a case's money be given back.
func (s *Service) RequestHoldRefund(ctx context.Context, merchantID, holdID id.ID, reason string) (a access.Approval, err error) {
	if err := checkText("reason", reason, 1, 200); err != nil {
		return a, err
	}
	err = s.db.Update(ctx, func(tx *db.Tx) error {
		h, err := payment.OpenHoldTx(tx, merchantID, holdID)
		if err != nil {
			return err
		}
		if h.OrderID.IsZero() {
			return errHoldAction
		}
		a, err = access.AskApprovalTx(ctx, tx, s.vault, access.ApprovalRequest{
			MerchantID: merchantID, Kind: ApproveHoldRefund, SubjectKind: "hold", SubjectID: h.ID, Amount: h.Amount, Reason: reason,
			Detail: map[string]string{"hold_reason": h.Reason, "hold": h.Detail},
		}, exactRefund{Subject: h.ID, Minor: h.Amount.Minor, Reason: reason})
		return err
	})
	return a, err
}

func (s *Service) approvedHoldRefundTx(tx *db.Tx, d access.Decision) error {
	exact, by, err := decisionOf[exactRefund](d)
	if err != nil {
		return err
	}
	h, err := s.resolveHoldTx(tx, d.Approval.MerchantID, exact.Subject, HoldRefund, exact.Reason, by)
	if err == nil && h.Amount.Minor != exact.Minor {
		err = access.ErrStale
	}
	return err
}

// exactLimit is the effect of ApproveLimit.
type exactLimit struct {
	Minor int64 `json:"minor"`
}

// RequestRefundLimit asks for another limit. Without an approval, whoever may
// refund could lift what holds them.
func (s *Service) RequestRefundLimit(ctx context.Context, merchantID id.ID, minor int64, reason string) (a access.Approval, err error) {
	if minor < 0 || minor > maxLimit {
		return a, errs.Field("refund_limit", "out_of_range", "a limit is 0 or more")
	}
	err = s.db.Update(ctx, func(tx *db.Tx) error {
		before, err := refundLimitTx(tx, merchantID)
		if err != nil {
			return err
		}
		a, err = access.AskApprovalTx(ctx, tx, s.vault, access.ApprovalRequest{
			MerchantID: merchantID, Kind: ApproveLimit, SubjectKind: "merchant", SubjectID: merchantID, Reason: reason,
			Detail: map[string]string{"from": strconv.FormatInt(before, 10), "to": strconv.FormatInt(minor, 10)},
		}, exactLimit{minor})
		return err
	})
	return a, err
}

func approvedLimitTx(tx *db.Tx, d access.Decision) error {
	exact, _, err := decisionOf[exactLimit](d)
	if err != nil {
		return err
	}
	return setRefundLimitTx(tx, d.Approval.MerchantID, exact.Minor)
}
