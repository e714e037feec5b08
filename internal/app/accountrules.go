package app

import (
	"context"

	"panshi/internal/adminsock"
	"panshi/internal/id"
	"panshi/internal/merchant"
	"panshi/internal/payment"
)

// SetAccountRules switches a payment account of any merchant and sets its
// limits.
func (s *Shop) SetAccountRules(ctx context.Context, r adminsock.RulesRequest) (adminsock.Account, error) {
	accountID, err := id.Parse(r.Account)
	if err != nil {
		return adminsock.Account{}, payment.ErrAccountUnknown
	}
	owner, err := s.ownerOf(ctx, accountID)
	if err != nil {
		return adminsock.Account{}, err
	}
	acc, err := s.accounts.SetRules(asCommand(ctx, "account-set"), owner.ID, accountID, r.Change)
	return toldAccount(owner, acc), err
}

// ownerOf finds the merchant of a payment account.
func (s *Shop) ownerOf(ctx context.Context, accountID id.ID) (merchant.Merchant, error) {
	all, err := s.merchants.All(ctx)
	if err != nil {
		return merchant.Merchant{}, err
	}
	for _, m := range all {
		accounts, err := s.accounts.All(ctx, m.ID)
		if err != nil {
			return merchant.Merchant{}, err
		}
		for _, acc := range accounts {
			if acc.ID == accountID {
				return m, nil
			}
		}
	}
	return merchant.Merchant{}, payment.ErrAccountUnknown
}

func toldLimits(a payment.Account) adminsock.Limits {
	l := a.Limits
	return adminsock.Limits{
		Position: a.Position, Weight: l.Weight, MinAmount: l.MinAmount, MaxAmount: l.MaxAmount, DayAmount: l.DayAmount,
		DayCount: l.DayCount, Currency: string(l.Currency), Clients: l.Clients, Hours: l.Hours,
	}
}
