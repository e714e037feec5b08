package alipay

import (
	"bytes"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"panshi/internal/errs"
	"panshi/internal/payment/wire"
)

// ProductionURL is the platform's gateway.
const ProductionURL = "https://openapi.alipay.com/gateway.do"

const codeConfig = "alipay_config_invalid"

// Config is one application. Its JSON is the account's secret and is only
// stored sealed; printed or logged it is "[alipay application <app id>]". Keys
// are PEM, or the bare base64 that the platform's tool gives out.
type Config struct {
	BaseURL    string `json:"base_url"`    // the gateway: ProductionURL, or a simulator's
	AppID      string `json:"app_id"`      // app_id
	SellerID   string `json:"seller_id"`   // the merchant's user id (PID), 2088…
	AppKeyPEM  string `json:"app_key_pem"` // RSA >= 2048, PKCS #8 or PKCS #1
	PublicKey  string `json:"alipay_public_key,omitempty"`
	AppCert    string `json:"app_cert,omitempty"`         // certificate mode needs all three and no public key
	AlipayCert string `json:"alipay_cert,omitempty"`      // alipayCertPublicKey_RSA2.crt
	RootCert   string `json:"alipay_root_cert,omitempty"` // alipayRootCert.crt, a chain
}

// Validate reports everything that is wrong at once (errors.Join of errs.Error,
// each with the JSON name of its field). No message quotes a value.
func (c Config) Validate() error {
	_, err := c.parse()
	return err
}

// parsed is what a valid Config becomes: keys are parsed once an account.
type parsed struct {
	base    string
	private *rsa.PrivateKey
	public  *rsa.PublicKey
	certs   certSerials
}

// certSerials name the certificates of certificate mode; they are empty in
// public-key mode.
type certSerials struct {
	app, root, alipay string
}

func (c Config) parse() (parsed, error) {
	var p parsed
	var wrong, err error
	note := func(field string, err error) {
		if err != nil {
			wrong = errors.Join(wrong, errs.Field(field, codeConfig, err.Error()))
		}
	}
	p.base, err = wire.ParseBase(c.BaseURL, "alipay.com")
	note("base_url", err)
	note("app_id", wire.WantToken(c.AppID, 32))
	note("seller_id", wire.WantToken(c.SellerID, 32))
	p.private, err = parsePrivate(c.AppKeyPEM)
	note("app_key_pem", err)
	if c.certificates() {
		note("alipay_public_key", unless(c.PublicKey == "", "must be empty where certificates are given: an application has one or the other"))
		p.certs, p.public, err = c.parseCerts()
		return p, errors.Join(wrong, err)
	}
	p.public, err = parsePublic(c.PublicKey)
	note("alipay_public_key", err)
	return p, wrong
}

func (c Config) certificates() bool { return c.AppCert != "" || c.AlipayCert != "" || c.RootCert != "" }

func unless(ok bool, msg string) error {
	if ok {
		return nil
	}
	return errors.New(msg)
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

// String names the application without its secrets.
func (c Config) String() string { return nameOf(c.AppID) }

// Format is String for every verb, also %#v and %+v.
func (c Config) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, c.String()) }

// LogValue is String for slog.
func (c Config) LogValue() slog.Value { return slog.StringValue(c.String()) }

func nameOf(appID string) string { return "[alipay application " + appID + "]" }

// isPEM tells PEM from the bare base64 of the platform's key tool.
func isPEM(text string) bool { return strings.Contains(text, "-----BEGIN ") }
