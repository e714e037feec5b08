package app

import (
	"context"
	"encoding/json"
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
	"panshi/internal/wechatpay"
)

// providerWechatPay is the platform that accounts can be stored for.
const providerWechatPay = "wechatpay"

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

// WechatPayConfig reads the settings of a WeChat Pay account; without base_url
// they are for the platform itself. It reports every fault at once, by field,
// and no message quotes a value.
func WechatPayConfig(raw []byte) (wechatpay.Config, error) {
	var cfg wechatpay.Config
	if err := json.Unmarshal(raw, &cfg); err != nil {
		return wechatpay.Config{}, unreadable(err)
	}
	if cfg.BaseURL == "" {
		cfg.BaseURL = wechatpay.ProductionURL
	}
	return cfg, cfg.Validate()
}

// unreadable says where JSON ends to be JSON; the decoder's own words may quote
// what it read.
func unreadable(err error) error {
	const code = "account_config"
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return errs.Field("file", code, "is not JSON from byte "+strconv.FormatInt(syntax.Offset, 10)+" on")
	}
	return errs.Field("file", code, "has other keys or other types than the settings of a WeChat Pay account; see `panshi account put wechatpay --help`")
}

// PutAccount seals and stores a payment account that takes real money.
func (s *Shop) PutAccount(ctx context.Context, r adminsock.AccountRequest, raw []byte) (adminsock.Account, error) {
	if r.Provider != providerWechatPay {
		return adminsock.Account{}, errs.Field("provider", "provider_unknown", "no code speaks to this payment platform")
	}
	cfg, err := WechatPayConfig(raw)
	if err != nil {
		return adminsock.Account{}, err
	}
	config, err := json.Marshal(cfg)
	if err != nil {
		return adminsock.Account{}, err
	}
	ctx = asCommand(ctx, "account-put")
	var told adminsock.Account
	err = s.db.Update(ctx, func(tx *db.Tx) error {
		m, err := merchantTx(tx, r.Merchant)
		if err != nil {
			return err
		}
		acc := payment.Account{
			MerchantID: m.ID, Provider: r.Provider, Method: "native", ExternalRef: cfg.MchID, AppRef: cfg.AppID,
			Name: r.Name, NameEN: r.NameEN, On: !r.Off,
		}
		stored, err := s.putAccountTx(ctx, tx, acc, config)
		told = toldAccount(m, stored)
		return err
	})
	return told, err
}

func (s *Shop) putAccountTx(ctx context.Context, tx *db.Tx, acc payment.Account, config []byte) (payment.Account, error) {
	known, err := payment.AccountsTx(tx, acc.MerchantID)
	if err != nil {
		return payment.Account{}, err
	}
	name, nameEN := "微信支付", "WeChat Pay"
	for _, old := range known {
		if old.Provider != acc.Provider || old.Method != acc.Method || old.ExternalRef != acc.ExternalRef {
			continue
		}
		if old.Sandbox { // its payments were play money and must stay that
			return payment.Account{}, errs.Field("mch_id", "account_is_sandbox", "is an account at a payment simulator")
		}
		name, nameEN, acc.Position = old.Name, old.NameEN, old.Position
	}
	if acc.Name == "" {
		acc.Name = name
	}
	if acc.NameEN == "" {
		acc.NameEN = nameEN
	}
	stored, err := s.accounts.PutTx(tx, acc, config)
	if err != nil {
		return payment.Account{}, err
	}
	return stored, recordTx(ctx, tx, stored.MerchantID, audit.Record{
		Action: "payment_account.saved", SubjectKind: "payment_account", SubjectID: stored.ID,
		Detail: map[string]string{
			"provider": stored.Provider, "method": stored.Method, "mch_id": stored.ExternalRef, "on": strconv.FormatBool(stored.On),
		},
	})
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
