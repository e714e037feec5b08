package wechatpay

import (
	"bytes"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"

	"panshi/internal/errs"
	"panshi/internal/payment/wire"
)

// ProductionURL is the platform's address for merchants in mainland China.
const ProductionURL = "https://api.mch.weixin.qq.com"

// PublicKeyPrefix begins the serial of a WeChat Pay public key, which has no
// expiry; any other serial is that of a platform certificate.
const PublicKeyPrefix = "PUB_KEY_ID_"

// APIv3KeyBytes is the only length of an API v3 key.
const APIv3KeyBytes = 32

const codeConfig = "wechatpay_config_invalid"

// Config is one merchant account. Its JSON is the account's secret and is only
// stored sealed; printed or logged it is "[wechatpay account <mchid>]". fmt
// cannot ask that of an unexported struct field, so keep it out of those.
type Config struct {
	BaseURL        string            `json:"base_url"`         // ProductionURL, or a simulator's; a path prefix is signed as sent
	MchID          string            `json:"mch_id"`           // mchid
	AppID          string            `json:"app_id"`           // appid bound to the merchant
	MerchantSerial string            `json:"merchant_serial"`  // hex serial of the merchant API certificate
	MerchantKeyPEM string            `json:"merchant_key_pem"` // RSA >= 2048, PKCS #8 or PKCS #1
	APIv3Key       string            `json:"apiv3_key"`        // exactly 32 bytes
	PlatformKeys   map[string]string `json:"platform_keys"`    // serial or PUB_KEY_ID_… -> PEM of a public key or certificate
}

// Validate reports everything that is wrong at once (errors.Join of errs.Error,
// each with the JSON name of its field). No message quotes a value.
func (c Config) Validate() error {
	_, err := c.parse()
	return err
}

// parsed is what a valid Config becomes: keys are parsed once an account.
type parsed struct {
	base     string
	private  *rsa.PrivateKey
	platform map[string]platformKey
	prefer   string // serial that answers should be signed with; "" leaves it to the platform
}

func (c Config) parse() (parsed, error) {
	var p parsed
	var wrong, err error
	note := func(field string, err error) {
		if err != nil {
			wrong = errors.Join(wrong, errs.Field(field, codeConfig, err.Error()))
		}
	}
	p.base, err = wire.ParseBase(c.BaseURL, "weixin.qq.com")
	note("base_url", err)
	note("mch_id", wire.WantToken(c.MchID, 32))
	note("app_id", wire.WantToken(c.AppID, 32))
	note("merchant_serial", wire.WantToken(c.MerchantSerial, 64))
	p.private, err = wire.ParsePrivateKey(c.MerchantKeyPEM)
	note("merchant_key_pem", err)
	if len(c.APIv3Key) != APIv3KeyBytes {
		note("apiv3_key", fmt.Errorf("must be exactly %d bytes", APIv3KeyBytes))
	}
	p.platform, err = parsePlatformKeys(c.PlatformKeys)
	note("platform_keys", err)
	for serial := range p.platform {
		if strings.HasPrefix(serial, PublicKeyPrefix) {
			p.prefer = max(p.prefer, serial)
		}
	}
	return p, wrong
}

func parsePlatformKeys(pems map[string]string) (map[string]platformKey, error) {
	if len(pems) == 0 {
		return nil, errors.New("at least one platform key is needed")
	}
	keys := make(map[string]platformKey, len(pems))
	var wrong error
	for _, serial := range sortedKeys(pems) {
		if err := wire.WantToken(serial, 128); err != nil {
			wrong = errors.Join(wrong, fmt.Errorf("a serial: %w", err))
			continue
		}
		key, err := parsePlatformKey(serial, pems[serial])
		if err != nil {
			wrong = errors.Join(wrong, fmt.Errorf("%s: %w", serial, err))
		}
		keys[serial] = key
	}
	return keys, wrong
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// UnmarshalJSON refuses unknown keys and says nothing of what it read.
func (c *Config) UnmarshalJSON(b []byte) error {
	type plain Config
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	var p plain
	if d.Decode(&p) != nil {
		return errs.New(errs.Invalid, codeConfig, "the account's settings are not readable or have unknown keys")
	}
	*c = Config(p)
	return nil
}

// String names the account without its secrets.
func (c Config) String() string { return nameOf(c.MchID) }

// Format is String for every verb, also %#v and %+v.
func (c Config) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, c.String()) }

// LogValue is String for slog.
func (c Config) LogValue() slog.Value { return slog.StringValue(c.String()) }

func nameOf(mchID string) string { return "[wechatpay account " + mchID + "]" }
