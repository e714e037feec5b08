package app

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"strconv"

	"panshi/internal/adminsock"
	"panshi/internal/alipay"
	"panshi/internal/audit"
	"panshi/internal/db"
	"panshi/internal/errs"
	"panshi/internal/payment"
	"panshi/internal/wechatpay"
)

// settings are an account's, checked: what is sealed, and what is not secret
// in it.
type settings struct {
	config      []byte
	externalRef string
	appRef      string
}

// CheckAccount reads the settings of a platform's account; without base_url
// they are for the platform itself. It reports every fault at once, by field,
// and no message quotes a value.
func CheckAccount(provider string, raw []byte) error {
	_, err := readAccount(provider, raw)
	return err
}

func readAccount(provider string, raw []byte) (settings, error) {
	switch provider {
	case providerWechatPay:
		var cfg wechatpay.Config
		if err := json.Unmarshal(raw, &cfg); err != nil {
			return settings{}, unreadable(err, provider)
		}
		if cfg.BaseURL == "" {
			cfg.BaseURL = wechatpay.ProductionURL
		}
		return checked(cfg, cfg.MchID, cfg.AppID)
	case providerAlipay:
		var cfg alipay.Config
		if err := json.Unmarshal(raw, &cfg); err != nil {
			return settings{}, unreadable(err, provider)
		}
		if cfg.BaseURL == "" {
			cfg.BaseURL = alipay.ProductionURL
		}
		return checked(cfg, cfg.SellerID, cfg.AppID)
	case payment.Offline:
		var cfg payment.OfflineConfig
		if err := json.Unmarshal(raw, &cfg); err != nil {
			return settings{}, unreadable(err, provider)
		}
		return checked(cfg, cmp.Or(cfg.Ref, payment.Offline), "")
	case payment.Balance:
		var cfg payment.BalanceConfig
		if err := json.Unmarshal(raw, &cfg); err != nil {
			return settings{}, unreadable(err, provider)
		}
		return checked(cfg, cmp.Or(cfg.Ref, payment.Balance), "")
	}
	return settings{}, errs.Field("provider", "provider_unknown", "no code speaks to this payment platform")
}

func checked(cfg interface{ Validate() error }, externalRef, appRef string) (settings, error) {
	if err := cfg.Validate(); err != nil {
		return settings{}, err
	}
	config, err := json.Marshal(cfg)
	return settings{config, externalRef, appRef}, err
}

// unreadable says where JSON ends to be JSON; the decoder's own words may quote
// what it read.
func unreadable(err error, provider string) error {
	const code = "account_config"
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return errs.Field("file", code, "is not JSON from byte "+strconv.FormatInt(syntax.Offset, 10)+" on")
	}
	return errs.Field("file", code, "has other keys or other types than the settings of such an account; see `panshi account put "+provider+" --help`")
}

// PutAccount seals and stores a payment account that takes real money.
func (s *Shop) PutAccount(ctx context.Context, r adminsock.AccountRequest, raw []byte) (adminsock.Account, error) {
	read, err := readAccount(r.Provider, raw)
	if err != nil {
		return adminsock.Account{}, err
	}
	way, err := wayOf(r.Provider, r.Method)
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
			MerchantID: m.ID, Provider: way.provider, Method: way.method, ExternalRef: read.externalRef, AppRef: read.appRef,
			Name: r.Name, NameEN: r.NameEN, On: !r.Off,
		}
		stored, err := s.putAccountTx(ctx, tx, acc, way, read.config)
		told = toldAccount(m, stored)
		return err
	})
	return told, err
}

func (s *Shop) putAccountTx(ctx context.Context, tx *db.Tx, acc payment.Account, way channel, config []byte) (payment.Account, error) {
	known, err := payment.AccountsTx(tx, acc.MerchantID)
	if err != nil {
		return payment.Account{}, err
	}
	name, nameEN := way.name, way.nameEN
	acc.Position = payment.LastPosition(known)
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
