package app

import (
	"cmp"
	"encoding/json"

	"panshi/internal/errs"
	"panshi/internal/payment"
)

// accountSettings reads the settings of a payment account as the console sends
// them: what platform, under which numbers, and the configuration to be sealed.
func accountSettings(provider string, raw []byte) (payment.Account, []byte, error) {
	switch provider {
	case providerWechatPay:
		cfg, err := WechatPayConfig(raw)
		if err != nil {
			return payment.Account{}, nil, err
		}
		config, err := json.Marshal(cfg)
		return payment.Account{Provider: provider, Method: "native", ExternalRef: cfg.MchID, AppRef: cfg.AppID}, config, err
	case payment.Offline:
		var cfg payment.OfflineConfig
		if err := json.Unmarshal(raw, &cfg); err != nil {
			return payment.Account{}, nil, errs.Field("settings", "account_config", "the settings of an offline account are instructions, hours and ref")
		}
		if err := cfg.Validate(); err != nil {
			return payment.Account{}, nil, err
		}
		config, err := json.Marshal(cfg)
		return payment.Account{Provider: provider, Method: payment.MethodTransfer, ExternalRef: cmp.Or(cfg.Ref, payment.Offline)}, config, err
	}
	return payment.Account{}, nil, errs.Field("provider", "provider_unknown", "no code speaks to this payment platform")
}
