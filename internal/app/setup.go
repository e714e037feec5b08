package app

import (
	"context"
	"errors"
	"strconv"

	"panshi/internal/adminsock"
	"panshi/internal/audit"
	"panshi/internal/db"
	"panshi/internal/errs"
	"panshi/internal/id"
	"panshi/internal/merchant"
	"panshi/internal/money"
	"panshi/internal/payment"
)

// PutMerchant creates a merchant or changes the one with this slug.
func (s *Shop) PutMerchant(ctx context.Context, c adminsock.MerchantChange) (adminsock.Merchant, error) {
	ctx = asCommand(ctx, "merchant-put")
	var stored merchant.Merchant
	err := s.db.Update(ctx, func(tx *db.Tx) error {
		wanted, err := wantedTx(tx, c)
		if err != nil {
			return err
		}
		if stored, err = merchant.PutTx(tx, wanted); err != nil {
			return err
		}
		return recordTx(ctx, tx, stored.ID, audit.Record{
			Action: "merchant.saved", SubjectKind: "merchant", SubjectID: stored.ID,
			Detail: map[string]string{"slug": stored.Slug, "open": strconv.FormatBool(stored.Open)},
		})
	})
	if err != nil {
		return adminsock.Merchant{}, err
	}
	return toldMerchant(stored), nil
}

// wantedTx is the merchant as it is to be.
func wantedTx(tx *db.Tx, c adminsock.MerchantChange) (merchant.Merchant, error) {
	if err := merchant.AloneTx(tx); err != nil {
		return merchant.Merchant{}, err
	}
	old, err := merchantTx(tx, c.Slug)
	switch {
	case errors.Is(err, merchant.ErrNotFound), errors.Is(err, errNoShop):
		if c.Name == nil {
			return merchant.Merchant{}, errs.Field("name", "required", "a new shop needs a name")
		}
		return c.Apply(merchant.Merchant{Currency: money.CNY, Open: true}), nil
	case err != nil:
		return merchant.Merchant{}, err
	}
	wanted := c.Apply(old)
	if wanted.Currency != old.Currency {
		return merchant.Merchant{}, errs.Field("currency", "currency_fixed", "the currency of a shop stays; this one has "+string(old.Currency))
	}
	return wanted, nil
}

// Merchants lists all merchants, the default one first.
func (s *Shop) Merchants(ctx context.Context) ([]adminsock.Merchant, error) {
	out := []adminsock.Merchant{}
	err := s.db.View(ctx, func(tx *db.Tx) error {
		all, err := merchant.AllTx(tx)
		for _, m := range all {
			out = append(out, toldMerchant(m))
		}
		return err
	})
	return out, err
}

func toldMerchant(m merchant.Merchant) adminsock.Merchant {
	return adminsock.Merchant{
		ID: m.ID.String(), Slug: m.Slug, Name: m.Name, NameEN: m.NameEN, Host: m.Host, Tagline: m.Tagline,
		TaglineEN: m.TaglineEN, Notice: m.Notice, NoticeEN: m.NoticeEN, Currency: string(m.Currency),
		Open: m.Open, Default: m.IsDefault,
	}
}

// recordTx writes r with who acts in ctx.
func recordTx(ctx context.Context, tx *db.Tx, merchantID id.ID, r audit.Record) error {
	r.MerchantID = merchantID
	r.Actor, r.RequestID = audit.Origin(ctx)
	return audit.RecordTx(tx, r)
}

// Accounts lists the payment accounts of all merchants.
func (s *Shop) Accounts(ctx context.Context) ([]adminsock.Account, error) {
	out := []adminsock.Account{}
	err := s.db.View(ctx, func(tx *db.Tx) error {
		all, err := merchant.AllTx(tx)
		if err != nil {
			return err
		}
		for _, m := range all {
			accounts, err := payment.AccountsTx(tx, m.ID)
			if err != nil {
				return err
			}
			for _, a := range accounts {
				out = append(out, toldAccount(m, a))
			}
		}
		return nil
	})
	return out, err
}

func toldAccount(m merchant.Merchant, a payment.Account) adminsock.Account {
	return adminsock.Account{
		ID: a.ID.String(), Merchant: m.Slug, Provider: a.Provider, Method: a.Method, MchID: a.ExternalRef, AppID: a.AppRef,
		Name: a.Name, NameEN: a.NameEN, On: a.On, Sandbox: a.Sandbox, Limits: toldLimits(a),
	}
}
