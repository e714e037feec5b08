package checkout

import (
	"context"
	"encoding/json"
	"strconv"
	"time"

	"panshi/internal/access"
	"panshi/internal/account"
	"panshi/internal/db"
	"panshi/internal/errs"
	"panshi/internal/id"
	"panshi/internal/ledger"
	"panshi/internal/merchant"
	"panshi/internal/money"
	"panshi/internal/order"
	"panshi/internal/vault"
)

// Grant is store credit that staff give for nothing: to an account that there
// is, or to a new one for a contact.
type Grant struct {
	CreditID id.ID         `json:"credit_id,omitzero"`
	Contact  order.Contact `json:"contact,omitzero"`
	Minor    int64         `json:"minor"` // in the account's currency; the merchant's for a new one
	Reason   string        `json:"reason"`
}

// grantWindow is the time over which grants of single persons add up: many
// small ones are one large one.
const grantWindow = 24 * time.Hour

func checkCreditAmount(minor int64, reason string) error {
	if minor <= 0 || minor > maxLimit {
		return errs.Field("amount", "out_of_range", "an amount is above 0")
	}
	return checkText("reason", reason, 1, 200)
}

// GrantCredit gives credit at once. More than the merchant's refund limit, by
// all single persons together in 24 hours, needs an approval first
// (approval_required; RequestGrant asks for it). A repeat under the same key
// gives the account and grants nothing.
func (s *Service) GrantCredit(ctx context.Context, merchantID id.ID, key string, g Grant) (c account.Credit, err error) {
	if err := checkKey(key); err != nil {
		return c, err
	}
	if err := checkCreditAmount(g.Minor, g.Reason); err != nil {
		return c, err
	}
	raw, err := json.Marshal(g)
	if err != nil {
		return c, err
	}
	claim := idempotency{merchantID, "credit.grant", key, s.keepable(merchantID, raw)}
	by := originOf(ctx)
	err = s.db.Update(ctx, func(tx *db.Tx) error {
		grantID, fresh, err := claim.claimTx(tx, id.New())
		if err != nil {
			return err
		}
		if !fresh {
			c, err = account.OfSubjectTx(tx, merchantID, account.Granted, grantID)
			return err
		}
		if c, err = s.grantedToTx(tx, merchantID, g, id.New(), by); err != nil {
			return err
		}
		if err := aloneUnderLimitTx(tx, c, g.Minor); err != nil {
			return err
		}
		c, err = grantTx(tx, c, g, grantID, id.ID{}, by)
		return err
	})
	return c, err
}

// aloneUnderLimitTx refuses a grant that single persons may not make any more
// today. It lets nobody else of the merchant grant until the transaction ends.
func aloneUnderLimitTx(tx *db.Tx, c account.Credit, minor int64) error {
	if err := tx.Alone("credit grants " + c.MerchantID.String()); err != nil {
		return err
	}
	before, err := account.GrantedAloneTx(tx, c.MerchantID, id.Lowest(tx.Now().Add(-grantWindow)), c.Balance.Currency)
	if err != nil {
		return err
	}
	return UnderLimitTx(tx, c.MerchantID, before+minor)
}

// grantedToTx reads the account that a grant goes to, or opens a new one with
// newID.
func (s *Service) grantedToTx(tx *db.Tx, merchantID id.ID, g Grant, newID id.ID, by origin) (account.Credit, error) {
	if !g.CreditID.IsZero() {
		return account.ByIDTx(tx, merchantID, g.CreditID)
	}
	currency, err := merchant.CurrencyTx(tx, merchantID)
	if err != nil {
		return account.Credit{}, err
	}
	return s.openCreditTx(tx, merchantID, newID, g.Contact, currency, by)
}

func grantTx(tx *db.Tx, c account.Credit, g Grant, subject, approvalID id.ID, by origin) (account.Credit, error) {
	m, err := account.MoveTx(tx, c, account.Change{
		Kind: account.Granted, Minor: g.Minor, SubjectID: subject, Against: ledger.Goodwill, ApprovalID: approvalID,
	})
	if err != nil {
		return c, err
	}
	c.Balance = m.Balance
	return c, recordCreditTx(tx, by, c, "credit.granted", map[string]string{"amount": m.Amount.String(), "reason": g.Reason})
}

// RequestGrant asks that another person lets credit be granted.
func (s *Service) RequestGrant(ctx context.Context, merchantID id.ID, g Grant) (a access.Approval, err error) {
	if err := checkCreditAmount(g.Minor, g.Reason); err != nil {
		return a, err
	}
	err = s.db.Update(ctx, func(tx *db.Tx) error {
		exact := exactGrant{Grant: g, NewID: id.New()}
		subject, amount, detail, err := grantToldTx(tx, merchantID, exact)
		if err != nil {
			return err
		}
		a, err = access.AskApprovalTx(ctx, tx, s.vault, access.ApprovalRequest{
			MerchantID: merchantID, Kind: ApproveGrant, SubjectKind: "credit", SubjectID: subject, Amount: amount,
			Reason: g.Reason, Detail: detail,
		}, exact)
		return err
	})
	return a, err
}

// grantToldTx is what a checker sees of a grant.
func grantToldTx(tx *db.Tx, merchantID id.ID, g exactGrant) (subject id.ID, amount money.Amount, detail map[string]string, err error) {
	if g.CreditID.IsZero() {
		currency, err := merchant.CurrencyTx(tx, merchantID)
		return g.NewID, money.Of(g.Minor, currency), map[string]string{"account": "new", "contact": masked(g.Contact)}, err
	}
	c, err := account.ByIDTx(tx, merchantID, g.CreditID)
	if err == nil && c.State == account.Closed {
		err = account.ErrState
	}
	if err != nil {
		return id.ID{}, amount, nil, err
	}
	return c.ID, money.Of(g.Minor, c.Balance.Currency), creditDetail(c), nil
}

// exactGrant is the effect of ApproveGrant. It is sealed while it waits.
type exactGrant struct {
	Grant
	NewID id.ID `json:"new_id"` // of the account, if a new one is to be opened
}

func (s *Service) approvedGrantTx(tx *db.Tx, d access.Decision) error {
	exact, by, err := decisionOf[exactGrant](d)
	if err != nil {
		return err
	}
	c, err := s.grantedToTx(tx, d.Approval.MerchantID, exact.Grant, exact.NewID, by)
	if err != nil {
		return err
	}
	_, err = grantTx(tx, c, exact.Grant, d.Approval.ID, d.Approval.ID, by)
	return err
}

// creditDetail is what a checker sees of an account.
func creditDetail(c account.Credit) map[string]string {
	return map[string]string{"account": "…" + c.NumberEnd(), "balance": c.Balance.String(), "state": string(c.State)}
}

func masked(c order.Contact) string {
	if c.Kind == order.Email {
		return vault.MaskEmail(c.Value)
	}
	return vault.MaskPhone(c.Value)
}

// exactTakeBack is the effect of ApproveTakeBack.
type exactTakeBack struct {
	CreditID id.ID  `json:"credit_id"`
	Minor    int64  `json:"minor"`
	Reason   string `json:"reason"`
}

// RequestTakeBack asks that another person lets credit be taken from a buyer.
// No one person may, whatever the amount.
func (s *Service) RequestTakeBack(ctx context.Context, merchantID, creditID id.ID, minor int64, reason string) (a access.Approval, err error) {
	if err := checkCreditAmount(minor, reason); err != nil {
		return a, err
	}
	err = s.db.Update(ctx, func(tx *db.Tx) error {
		c, err := account.ByIDTx(tx, merchantID, creditID)
		if err != nil {
			return err
		}
		if c.Balance.Minor < minor {
			return account.Insufficient(money.Of(minor-c.Balance.Minor, c.Balance.Currency))
		}
		a, err = access.AskApprovalTx(ctx, tx, s.vault, access.ApprovalRequest{
			MerchantID: merchantID, Kind: ApproveTakeBack, SubjectKind: "credit", SubjectID: c.ID,
			Amount: money.Of(minor, c.Balance.Currency), Reason: reason, Detail: creditDetail(c),
		}, exactTakeBack{c.ID, minor, reason})
		return err
	})
	return a, err
}

func approvedTakeBackTx(tx *db.Tx, d access.Decision) error {
	exact, by, err := decisionOf[exactTakeBack](d)
	if err != nil {
		return err
	}
	c, err := account.ByIDTx(tx, d.Approval.MerchantID, exact.CreditID)
	if err != nil {
		return err
	}
	m, err := account.MoveTx(tx, c, account.Change{
		Kind: account.TakenBack, Minor: -exact.Minor, SubjectID: d.Approval.ID, Against: ledger.Goodwill, ApprovalID: d.Approval.ID,
	})
	if err != nil {
		return err
	}
	return recordCreditTx(tx, by, c, "credit.taken_back", map[string]string{"amount": m.Amount.String(), "reason": exact.Reason})
}

// SetCreditState freezes, closes or opens an account.
func (s *Service) SetCreditState(ctx context.Context, merchantID, creditID id.ID, to account.State, reason string) (c account.Credit, err error) {
	if err := checkText("reason", reason, 1, 200); err != nil {
		return c, err
	}
	by := originOf(ctx)
	err = s.db.Update(ctx, func(tx *db.Tx) error {
		if c, err = account.ByIDTx(tx, merchantID, creditID); err != nil {
			return err
		}
		if err := account.SetStateTx(tx, c, to); err != nil {
			return err
		}
		detail := map[string]string{"from": string(c.State), "to": string(to), "reason": reason}
		c.State = to
		return recordCreditTx(tx, by, c, "credit.state", detail)
	})
	return c, err
}

// IssueCode gives an account's new access code, to be handed to the buyer. Codes
// that were given out before open nothing any more. The code is stored nowhere;
// that it was given out is recorded.
func (s *Service) IssueCode(ctx context.Context, merchantID, creditID id.ID, reason string) (c account.Credit, code string, err error) {
	if err := checkText("reason", reason, 1, 200); err != nil {
		return c, "", err
	}
	by := originOf(ctx)
	err = s.db.Update(ctx, func(tx *db.Tx) error {
		if c, err = account.ByIDTx(tx, merchantID, creditID); err != nil {
			return err
		}
		if c, err = account.RenewCodeTx(tx, c); err != nil {
			return err
		}
		return recordCreditTx(tx, by, c, "credit.code_issued", map[string]string{
			"version": strconv.FormatInt(c.CodeVersion, 10), "reason": reason,
		})
	})
	if err != nil {
		return account.Credit{}, "", err
	}
	return c, s.vault.Token(account.CodePurpose(c.CodeVersion), c.ID), nil
}
