package checkout

import (
	"context"
	"errors"
	"strings"

	"panshi/internal/account"
	"panshi/internal/audit"
	"panshi/internal/db"
	"panshi/internal/errs"
	"panshi/internal/id"
	"panshi/internal/money"
	"panshi/internal/order"
	"panshi/internal/vault"
)

// CreditProof is what opens an account of store credit to its buyer. It stands
// in bodies of POST only.
type CreditProof struct{ Number, Code string }

// String hides the code from logs.
func (CreditProof) String() string { return "[credit proof]" }

// GoString hides the code from %#v.
func (p CreditProof) GoString() string { return p.String() }

// CreditView is an account of store credit with a page of its movements, the
// newest first.
type CreditView struct {
	Credit    account.Credit
	Movements []account.Movement
}

// errCreditCurrency says that an account is in another currency than the order.
var errCreditCurrency = errs.New(errs.Conflict, "credit_currency", "this store credit is in another currency")

// provenTx reads an account for somebody who shows its number and its code. A
// wrong code and an unknown number are the same answer.
func (s *Service) provenTx(tx *db.Tx, merchantID id.ID, p CreditProof) (account.Credit, error) {
	c, err := account.ByNumberTx(tx, merchantID, strings.ToUpper(strings.TrimSpace(p.Number)))
	if err != nil && !errors.Is(err, account.ErrUnknown) {
		return account.Credit{}, err
	}
	if !s.vault.CheckToken(account.CodePurpose(c.CodeVersion), c.ID, strings.TrimSpace(p.Code)) {
		return account.Credit{}, account.ErrUnknown
	}
	return c, nil
}

// Credit shows an account to its buyer.
func (s *Service) Credit(ctx context.Context, merchantID id.ID, p CreditProof, before id.ID, limit int) (v CreditView, err error) {
	err = s.db.View(ctx, func(tx *db.Tx) error {
		if v.Credit, err = s.provenTx(tx, merchantID, p); err != nil {
			return err
		}
		v.Movements, err = account.MovementsTx(tx, v.Credit, before, limit)
		return err
	})
	return v, err
}

// Credits lists a merchant's accounts, the newest first.
func (s *Service) Credits(ctx context.Context, merchantID, before id.ID, limit int) (list []account.Credit, err error) {
	err = s.db.View(ctx, func(tx *db.Tx) error {
		list, err = account.ListTx(tx, merchantID, before, limit)
		return err
	})
	return list, err
}

// CreditByNumber finds the account with a number, for staff.
func (s *Service) CreditByNumber(ctx context.Context, merchantID id.ID, number string) (c account.Credit, err error) {
	err = s.db.View(ctx, func(tx *db.Tx) error {
		c, err = account.ByNumberTx(tx, merchantID, strings.ToUpper(strings.TrimSpace(number)))
		return err
	})
	return c, err
}

// CreditsOf finds the accounts of a contact, for staff.
func (s *Service) CreditsOf(ctx context.Context, merchantID id.ID, contact order.Contact) (list []account.Credit, err error) {
	index := s.creditIndex(merchantID, contact)
	err = s.db.View(ctx, func(tx *db.Tx) error {
		list, err = account.OfContactTx(tx, merchantID, index)
		return err
	})
	return list, err
}

// CreditForStaff shows an account to staff.
func (s *Service) CreditForStaff(ctx context.Context, merchantID, creditID, before id.ID, limit int) (v CreditView, err error) {
	err = s.db.View(ctx, func(tx *db.Tx) error {
		if v.Credit, err = account.ByIDTx(tx, merchantID, creditID); err != nil {
			return err
		}
		v.Movements, err = account.MovementsTx(tx, v.Credit, before, limit)
		return err
	})
	return v, err
}

func (s *Service) creditIndex(merchantID id.ID, contact order.Contact) []byte {
	return s.vault.Fingerprint(vault.PII, merchantID, account.ContactIndexPurpose, []byte(contact.Value))
}

// openCreditTx writes a new account with the id that was chosen for it.
func (s *Service) openCreditTx(tx *db.Tx, merchantID, creditID id.ID, contact order.Contact, currency money.Currency, by origin) (account.Credit, error) {
	sealed, err := s.vault.Seal(vault.PII, account.ContactCell(creditID), []byte(contact.Value))
	if err != nil {
		return account.Credit{}, err
	}
	c, err := account.OpenTx(tx, account.Credit{
		ID: creditID, MerchantID: merchantID, ContactKind: string(contact.Kind), ContactSealed: sealed,
		ContactIndex: s.creditIndex(merchantID, contact), Balance: money.Of(0, currency),
	})
	if err != nil {
		return c, err
	}
	return c, recordCreditTx(tx, by, c, "credit.opened", nil)
}

func recordCreditTx(tx *db.Tx, by origin, c account.Credit, action string, detail map[string]string) error {
	return audit.RecordTx(tx, by.sign(audit.Record{
		MerchantID: c.MerchantID, Action: action, SubjectKind: "credit", SubjectID: c.ID, Detail: detail,
	}))
}
