package checkout

import (
	"context"
	"slices"

	"panshi/internal/account"
	"panshi/internal/db"
	"panshi/internal/errs"
	"panshi/internal/fault"
	"panshi/internal/id"
	"panshi/internal/ledger"
	"panshi/internal/money"
	"panshi/internal/order"
	"panshi/internal/payment"
	"panshi/internal/vault"
)

// byCredit is how a payment by store credit was settled.
const byCredit = "credit"

// checkCredit wants a proof where store credit pays, and nowhere else.
func checkCredit(channel payment.Account, p CreditProof) error {
	switch given := p != (CreditProof{}); {
	case channel.Provider == payment.Balance && !given:
		return errs.Field("credit", "credit_missing", "this channel needs the number and the code of a store credit")
	case channel.Provider != payment.Balance && given:
		return errs.Field("credit", "credit_not_taken", "this channel takes no store credit")
	}
	return nil
}

// payByCredit pays an order with store credit: payment, balance, books, goods
// and records are one transaction, so that there is nothing to ask anybody about
// later. A repeat with the same key gives the payment that was made.
func (s *Service) payByCredit(ctx context.Context, r PayRequest, candidates []payment.Account) (p payment.Payment, err error) {
	by := originOf(ctx)
	err = patiently(ctx, func() error {
		return s.db.Update(ctx, func(tx *db.Tx) error {
			p, err = s.payByCreditTx(tx, r, candidates, by)
			return err
		})
	})
	if err != nil {
		return payment.Payment{}, err
	}
	fault.Point("checkout.credit.committed")
	return p, nil
}

func (s *Service) payByCreditTx(tx *db.Tx, r PayRequest, candidates []payment.Account, by origin) (payment.Payment, error) {
	o, p, err := s.beginPaymentTx(tx, r, candidates)
	if err != nil || p.Status != payment.Creating {
		return p, err
	}
	fault.Point("checkout.credit.written")
	c, err := s.provenTx(tx, r.MerchantID, r.Credit)
	if err != nil {
		return p, err
	}
	if c.Balance.Currency != o.Total.Currency {
		return p, errCreditCurrency
	}
	at, err := payment.AccountTx(tx, p.MerchantID, p.AccountID)
	if err != nil {
		return p, err
	}
	res := s.settleOneTx(tx, settling{account: at, by: byCredit, origin: by, credit: &c, report: payment.Report{
		State: payment.StatePaid, PaymentNo: p.No, TransactionID: p.No, Amount: p.Amount,
		MerchantRef: at.ExternalRef, AppID: at.AppRef, PaidAt: tx.Now(),
	}})
	if res.err != nil {
		return p, res.err
	}
	return payment.ByIDTx(tx, p.MerchantID, p.ID)
}

// creditForTx finds the account that an order's refund goes to, or opens one;
// zero if all of it goes back the way it came.
func (s *Service) creditForTx(tx *db.Tx, o order.Order, back []giveBack, t Target, by origin) (id.ID, error) {
	platforms := func(g giveBack) bool { return g.payment.Provider != payment.Balance }
	if !t.ToCredit || !slices.ContainsFunc(back, platforms) {
		return id.ID{}, nil
	}
	if !t.CreditID.IsZero() {
		return t.CreditID, takesTx(tx, o.MerchantID, t, o.Total.Currency)
	}
	value, err := s.vault.Unseal(vault.PII, order.ContactCell(o.ID), o.ContactSealed)
	if err != nil {
		return id.ID{}, err
	}
	c, err := s.openCreditTx(tx, o.MerchantID, id.New(), order.Contact{Kind: o.ContactKind, Value: string(value)}, o.Total.Currency, by)
	return c.ID, err
}

// takesTx refuses money of a currency for the account that a target names, if
// it names one.
func takesTx(tx *db.Tx, merchantID id.ID, t Target, currency money.Currency) error {
	if t.CreditID.IsZero() {
		return nil
	}
	c, err := account.ByIDTx(tx, merchantID, t.CreditID)
	switch {
	case err != nil:
		return err
	case c.State == account.Closed:
		return account.ErrState
	case c.Balance.Currency != currency:
		return errCreditCurrency
	}
	return nil
}

// destinationTx is the account that money of a payment goes to; zero: back to
// its platform. What store credit paid returns where it came from.
func (g giveBack) destinationTx(tx *db.Tx) (id.ID, error) {
	if g.payment.Provider != payment.Balance {
		return g.creditID, nil
	}
	c, err := account.OfSubjectTx(tx, g.payment.MerchantID, account.Spent, g.payment.ID)
	return c.ID, err
}

// bookRefundTx books money that has gone back.
func bookRefundTx(tx *db.Tx, r payment.Refund, p payment.Payment) error {
	if r.CreditID.IsZero() {
		return ledger.PostTx(tx, ledger.Transfer(r.MerchantID, "refund_paid", r.ID,
			ledger.Provider(p.AccountID), ledger.RefundsDue, r.Amount))
	}
	c, err := account.ByIDTx(tx, r.MerchantID, r.CreditID)
	if err != nil {
		return err
	}
	o, err := order.ByIDTx(tx, r.MerchantID, r.OrderID)
	if err != nil {
		return err
	}
	_, err = account.MoveTx(tx, c, account.Change{
		Kind: account.Returned, Minor: r.Amount.Minor, SubjectID: r.ID, Against: ledger.RefundsDue, OrderNo: o.No,
	})
	return err
}
