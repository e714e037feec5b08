package reconcile

import (
	"context"
	"encoding/json"
	"maps"
	"strconv"
	"strings"

	"panshi/internal/access"
	"panshi/internal/db"
	"panshi/internal/errs"
	"panshi/internal/id"
	"panshi/internal/money"
)

// ApproveAdjust is the kind of approval that has the books follow the bill.
const ApproveAdjust = "reconcile_adjust"

// exactAdjust is the effect of ApproveAdjust.
type exactAdjust struct {
	CaseID  id.ID   `json:"case_id"`
	Verdict Verdict `json:"verdict"`
}

// Effects are what approvals of this package's kind do.
func (s *Service) Effects() map[string]access.Effect {
	return map[string]access.Effect{ApproveAdjust: approvedAdjustTx}
}

// RequestAdjust asks that another person lets the books follow the bill. What
// cannot be decided about the case is refused now.
func (s *Service) RequestAdjust(ctx context.Context, merchantID, caseID id.ID, v Verdict) (a access.Approval, err error) {
	if !v.Decision.books() {
		return a, ErrDecision
	}
	if err := v.validate(); err != nil {
		return a, err
	}
	err = s.db.Update(ctx, func(tx *db.Tx) error {
		c, d, err := decidableTx(tx, merchantID, caseID, v)
		if err != nil {
			return err
		}
		detail := c.detail(d)
		maps.DeleteFunc(detail, func(name, _ string) bool { return name == "reason" || name == "decision" || name == "adjusted" })
		detail["decision"], detail["books"] = string(v.Decision), strconv.FormatInt(v.Amount, 10)
		a, err = access.AskApprovalTx(ctx, tx, s.vault, access.ApprovalRequest{
			MerchantID: merchantID, Kind: ApproveAdjust, SubjectKind: "reconcile_case", SubjectID: c.ID,
			Amount: money.Of(max(v.Amount, -v.Amount), money.Currency(c.Currency)), Reason: strings.TrimSpace(v.Reason), Detail: detail,
		}, exactAdjust{caseID, v})
		return err
	})
	return a, err
}

func approvedAdjustTx(tx *db.Tx, d access.Decision) error {
	var exact exactAdjust
	if err := json.Unmarshal(d.Exact, &exact); err != nil {
		return err
	}
	by := decider{d.By.Actor, d.By.RequestID, d.Approval.ID}
	err := decideTx(tx, by, d.Approval.MerchantID, exact.CaseID, exact.Verdict)
	if errs.CodeOf(err) == ErrCaseChanged.Code || errs.CodeOf(err) == ErrCaseUnknown.Code {
		return access.ErrStale
	}
	return err
}
