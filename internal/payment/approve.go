package payment

import (
	"context"
	"encoding/json"
	"strconv"

	"panshi/internal/access"
	"panshi/internal/audit"
	"panshi/internal/db"
	"panshi/internal/errs"
	"panshi/internal/id"
)

// The kinds of approval that this package has effects for: whoever changes
// where money goes must be two.
const (
	ApprovePut   = "payment_account"
	ApproveRules = "payment_account_rules"
)

// exactPut is the effect of ApprovePut. It is sealed while it waits.
type exactPut struct {
	Account Account         `json:"account"`
	Config  json.RawMessage `json:"config"`
}

// exactRules is the effect of ApproveRules.
type exactRules struct {
	AccountID id.ID      `json:"account_id"`
	Change    RuleChange `json:"change"`
}

var errSandbox = errs.New(errs.Conflict, "account_is_sandbox", "this account is at a payment simulator")

// Effects are what approvals of this package's kinds do.
func (a *Accounts) Effects() map[string]access.Effect {
	return map[string]access.Effect{ApprovePut: a.approvedPutTx, ApproveRules: approvedRulesTx}
}

// RequestPut asks that another person lets an account be stored, or one of the
// same provider, method and reference be replaced. The configuration is checked
// now and stays sealed.
func (a *Accounts) RequestPut(ctx context.Context, acc Account, config []byte, reason string) (out access.Approval, err error) {
	if err := a.accepts(acc, config); err != nil {
		return out, err
	}
	err = a.db.Update(ctx, func(tx *db.Tx) error {
		known, err := AccountsTx(tx, acc.MerchantID)
		if err != nil {
			return err
		}
		subject, change := acc.MerchantID, "new" // one new account at a time
		acc.Position = LastPosition(known)
		for _, old := range known {
			if old.Provider != acc.Provider || old.Method != acc.Method || old.ExternalRef != acc.ExternalRef {
				continue
			}
			if old.Sandbox {
				return errSandbox
			}
			subject, change, acc.Position = old.ID, "replace", old.Position
		}
		out, err = access.AskApprovalTx(ctx, tx, a.vault, access.ApprovalRequest{
			MerchantID: acc.MerchantID, Kind: ApprovePut, SubjectKind: "payment_account", SubjectID: subject, Reason: reason,
			Detail: map[string]string{
				"change": change, "provider": acc.Provider, "method": acc.Method, "external_ref": acc.ExternalRef,
				"app_ref": acc.AppRef, "name": acc.Name, "on": strconv.FormatBool(acc.On),
			},
		}, exactPut{acc, config})
		return err
	})
	return out, err
}

// accepts tells whether the platform's client takes a configuration.
func (a *Accounts) accepts(acc Account, config []byte) error {
	factory, known := a.factories[acc.Provider]
	if !known {
		return errs.Field("provider", "provider_unknown", "no code speaks to this payment platform")
	}
	_, err := factory(config)
	return err
}

// RequestRules asks that another person lets an account's rules be changed. A
// change that cannot be kept is refused now.
func (a *Accounts) RequestRules(ctx context.Context, merchantID, accountID id.ID, c RuleChange, reason string) (out access.Approval, err error) {
	err = a.db.Update(ctx, func(tx *db.Tx) error {
		acc, err := AccountTx(tx, merchantID, accountID)
		if err != nil {
			return err
		}
		if acc, err = acc.ruled(c.apply); err != nil {
			return err
		}
		detail := acc.rulesTold()
		detail["provider"], detail["name"] = acc.Provider, acc.Name
		out, err = access.AskApprovalTx(ctx, tx, a.vault, access.ApprovalRequest{
			MerchantID: merchantID, Kind: ApproveRules, SubjectKind: "payment_account", SubjectID: acc.ID, Reason: reason, Detail: detail,
		}, exactRules{acc.ID, c})
		return err
	})
	return out, err
}

func (a *Accounts) approvedPutTx(tx *db.Tx, d access.Decision) error {
	var exact exactPut
	if err := json.Unmarshal(d.Exact, &exact); err != nil {
		return err
	}
	exact.Account.MerchantID = d.Approval.MerchantID
	stored, err := a.PutTx(tx, exact.Account, exact.Config)
	if err != nil {
		return err
	}
	return recordTx(tx, d, "payment_account.saved", stored)
}

func approvedRulesTx(tx *db.Tx, d access.Decision) error {
	var exact exactRules
	if err := json.Unmarshal(d.Exact, &exact); err != nil {
		return err
	}
	acc, err := SetRulesTx(tx, d.Approval.MerchantID, exact.AccountID, exact.Change.apply)
	if err != nil {
		return err
	}
	return recordTx(tx, d, "payment_account.rules", acc)
}

func recordTx(tx *db.Tx, d access.Decision, action string, acc Account) error {
	detail := acc.rulesTold()
	detail["provider"], detail["method"], detail["approval"] = acc.Provider, acc.Method, d.Approval.ID.String()
	return audit.RecordTx(tx, audit.Record{
		MerchantID: acc.MerchantID, Actor: d.By.Actor, RequestID: d.By.RequestID, Action: action,
		SubjectKind: "payment_account", SubjectID: acc.ID, Detail: detail,
	})
}
