package checkout

import (
	"context"
	"strings"

	"panshi/internal/access"
	"panshi/internal/db"
	"panshi/internal/errs"
	"panshi/internal/id"
	"panshi/internal/money"
	"panshi/internal/order"
	"panshi/internal/payment"
)

// Transfer is what staff say of money that a buyer transferred.
type Transfer struct {
	OrderNo   string
	PaymentNo string
	Reference string // the bank's own number of the transfer: counts once for ever
	Received  int64  // minor units
	Evidence  string // a SHA-256 of a file, or words; nothing personal
	Reason    string
}

// Errors of transfers.
var (
	errNotOffline    = errs.New(errs.Conflict, "payment_not_offline", "this payment's platform tells itself whether it was paid")
	errSettled       = errs.New(errs.Conflict, "payment_settled", "money came for this payment already")
	errReferenceUsed = errs.New(errs.Conflict, "reference_used", "a transfer with this reference was confirmed before")
)

// exactTransfer is the effect of ApproveTransfer.
type exactTransfer struct {
	PaymentID id.ID  `json:"payment_id"`
	Reference string `json:"reference"`
	Minor     int64  `json:"minor"`
}

// ConfirmTransfer asks that another person confirms that money came for an
// offline payment. Approved, it goes through the one door, as a platform's word
// would: what does not fit lies on the hold desk.
func (s *Service) ConfirmTransfer(ctx context.Context, merchantID id.ID, t Transfer) (a access.Approval, err error) {
	t.Reference = strings.TrimSpace(t.Reference)
	for _, err := range []error{
		checkText("reference", t.Reference, 1, 64), checkText("evidence", t.Evidence, 0, 500), checkText("reason", t.Reason, 1, 200),
	} {
		if err != nil {
			return a, err
		}
	}
	if t.Received <= 0 || t.Received > maxLimit {
		return a, errs.Field("received", "out_of_range", "the amount that came is above 0")
	}
	err = s.db.Update(ctx, func(tx *db.Tx) error {
		p, err := transferredTx(tx, merchantID, t)
		if err != nil {
			return err
		}
		if err := confirmableTx(tx, p, t.Reference); err != nil {
			return err
		}
		a, err = access.AskApprovalTx(ctx, tx, s.vault, access.ApprovalRequest{
			MerchantID: merchantID, Kind: ApproveTransfer, SubjectKind: "payment", SubjectID: p.ID,
			Amount: money.Of(t.Received, p.Amount.Currency), Reason: t.Reason,
			Detail: map[string]string{
				"order_no": t.OrderNo, "payment_no": p.No, "asked": p.Amount.String(), "reference": t.Reference, "evidence": t.Evidence,
			},
		}, exactTransfer{p.ID, t.Reference, t.Received})
		return err
	})
	return a, err
}

// transferredTx finds the payment that staff speak of.
func transferredTx(tx *db.Tx, merchantID id.ID, t Transfer) (payment.Payment, error) {
	o, err := order.ByNoTx(tx, merchantID, t.OrderNo)
	if err != nil {
		return payment.Payment{}, err
	}
	all, err := payment.OfOrderTx(tx, merchantID, o.ID)
	if err != nil {
		return payment.Payment{}, err
	}
	for _, p := range all {
		if p.No == t.PaymentNo {
			return p, nil
		}
	}
	return payment.Payment{}, payment.ErrUnknown
}

// confirmableTx refuses a payment that a platform speaks for, one that has its
// money, and a reference that was confirmed before.
func confirmableTx(tx *db.Tx, p payment.Payment, reference string) error {
	switch {
	case p.Provider != payment.Offline:
		return errNotOffline
	case p.Status == payment.Paid || p.Status == payment.Held:
		return errSettled
	}
	used, err := payment.HasTransactionTx(tx, p, reference)
	if err == nil && used {
		err = errReferenceUsed
	}
	return err
}

// approvedTransferTx settles an offline payment.
func (s *Service) approvedTransferTx(tx *db.Tx, d access.Decision) error {
	exact, by, err := decisionOf[exactTransfer](d)
	if err != nil {
		return err
	}
	p, err := payment.ByIDTx(tx, d.Approval.MerchantID, exact.PaymentID)
	if err != nil {
		return err
	}
	if p, err = lockedTx(tx, p); err != nil {
		return err
	}
	if err := confirmableTx(tx, p, exact.Reference); err != nil {
		return err
	}
	account, err := payment.AccountTx(tx, p.MerchantID, p.AccountID)
	if err != nil {
		return err
	}
	res := s.settleOneTx(tx, settling{account: account, by: "approval", origin: by, report: payment.Report{
		State: payment.StatePaid, PaymentNo: p.No, TransactionID: exact.Reference,
		Amount: money.Of(exact.Minor, p.Amount.Currency), MerchantRef: account.ExternalRef, AppID: account.AppRef, PaidAt: tx.Now(),
	}})
	if res.err == nil && res.outcome == Repeated {
		return errReferenceUsed
	}
	return res.err
}
