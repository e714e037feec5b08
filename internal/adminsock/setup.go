package adminsock

import (
	"bytes"
	"context"
	"io"
	"net/http"

	"panshi/internal/errs"
	"panshi/internal/merchant"
	"panshi/internal/money"
	"panshi/internal/payment"
)

// Setup is what makes a shop a real one. The composition root implements it on
// an open shop, Client on one that runs in another process.
type Setup interface {
	// PutMerchant creates a merchant or changes the one with this slug.
	PutMerchant(ctx context.Context, c MerchantChange) (Merchant, error)
	// Merchants lists all, the default one first.
	Merchants(ctx context.Context) ([]Merchant, error)
	// PutAccount stores a payment account; config is its secret JSON, which
	// never comes back.
	PutAccount(ctx context.Context, r AccountRequest, config []byte) (Account, error)
	// SetAccountRules switches a payment account and sets its limits.
	SetAccountRules(ctx context.Context, r RulesRequest) (Account, error)
	// Accounts lists the payment accounts of all merchants, without secrets.
	Accounts(ctx context.Context) ([]Account, error)
}

// MaxConfig is the most bytes of an account's configuration.
const MaxConfig = 64 << 10

// MerchantChange says what a merchant is to be; nil keeps what is there.
type MerchantChange struct {
	Slug      string  `json:"slug"`
	Name      *string `json:"name,omitempty"` // required for a new merchant
	NameEN    *string `json:"name_en,omitempty"`
	Host      *string `json:"host,omitempty"`
	Tagline   *string `json:"tagline,omitempty"`
	TaglineEN *string `json:"tagline_en,omitempty"`
	Notice    *string `json:"notice,omitempty"`
	NoticeEN  *string `json:"notice_en,omitempty"`
	Currency  *string `json:"currency,omitempty"` // CNY for a new merchant; it stays for ever
	Closed    *bool   `json:"closed,omitempty"`
}

// Apply gives m as it is after the change.
func (c MerchantChange) Apply(m merchant.Merchant) merchant.Merchant {
	m.Slug = c.Slug
	for _, text := range []struct {
		to   *string
		from *string
	}{
		{&m.Name, c.Name},
		{&m.NameEN, c.NameEN},
		{&m.Host, c.Host},
		{&m.Tagline, c.Tagline},
		{&m.TaglineEN, c.TaglineEN},
		{&m.Notice, c.Notice},
		{&m.NoticeEN, c.NoticeEN},
		{(*string)(&m.Currency), c.Currency},
	} {
		if text.from != nil {
			*text.to = *text.from
		}
	}
	if c.Closed != nil {
		m.Open = !*c.Closed
	}
	return m
}

// Validate reports every value of the change that no merchant could have.
func (c MerchantChange) Validate() error {
	return c.Apply(merchant.Merchant{Name: "-", Currency: money.CNY}).Validate()
}

// Merchant is a merchant as commands tell it.
type Merchant struct {
	ID        string `json:"id"`
	Slug      string `json:"slug"`
	Name      string `json:"name"`
	NameEN    string `json:"name_en"`
	Host      string `json:"host"`
	Tagline   string `json:"tagline"`
	TaglineEN string `json:"tagline_en"`
	Notice    string `json:"notice"`
	NoticeEN  string `json:"notice_en"`
	Currency  string `json:"currency"`
	Open      bool   `json:"open"`
	Default   bool   `json:"default"` // answers for every host that nobody else has
}

// AccountRequest says whose a payment account is and how buyers read it.
type AccountRequest struct {
	Merchant string `json:"merchant"` // slug; "" is the first merchant
	Provider string `json:"provider"` // "wechatpay", "alipay"
	Method   string `json:"method"`   // "" is the platform's first: native, precreate
	Name     string `json:"name"`     // "" keeps what is there, or is the platform's name
	NameEN   string `json:"name_en"`  // as Name
	Off      bool   `json:"off"`      // takes no new payments
}

// Account is a payment account without its secrets.
type Account struct {
	ID       string `json:"id"`
	Merchant string `json:"merchant"` // slug
	Provider string `json:"provider"`
	Method   string `json:"method"`
	MchID    string `json:"mch_id"`
	AppID    string `json:"app_id"`
	Name     string `json:"name"`
	NameEN   string `json:"name_en"`
	On       bool   `json:"on"`
	Sandbox  bool   `json:"sandbox"`
	Limits   Limits `json:"limits"`
}

// Limits are what a payment account takes; 0 and "" are no limit, amounts are
// minor units.
type Limits struct {
	Position  int    `json:"position"`
	Weight    int64  `json:"weight"`
	MinAmount int64  `json:"min_amount"`
	MaxAmount int64  `json:"max_amount"`
	DayAmount int64  `json:"day_amount"`
	DayCount  int64  `json:"day_count"`
	Currency  string `json:"currency"`
	Clients   string `json:"clients"`
	Hours     string `json:"hours"`
}

// RulesRequest says which account's rules are to change, and how.
type RulesRequest struct {
	Account string             `json:"account"` // its id
	Change  payment.RuleChange `json:"change"`
}

var _ Setup = (*Client)(nil)

// PutMerchant implements Setup.
func (c *Client) PutMerchant(ctx context.Context, change MerchantChange) (m Merchant, err error) {
	err = c.do(ctx, ask{method: http.MethodPost, path: "/v1/merchant", request: change}, &m)
	return m, err
}

// Merchants implements Setup.
func (c *Client) Merchants(ctx context.Context) (all []Merchant, err error) {
	err = c.do(ctx, ask{method: http.MethodGet, path: "/v1/merchants"}, &all)
	return all, err
}

// PutAccount implements Setup. The secrets travel as the body: an address could
// end in a log.
func (c *Client) PutAccount(ctx context.Context, r AccountRequest, config []byte) (a Account, err error) {
	err = c.do(ctx, ask{method: http.MethodPost, path: "/v1/account", request: r, body: bytes.NewReader(config)}, &a)
	return a, err
}

// SetAccountRules implements Setup.
func (c *Client) SetAccountRules(ctx context.Context, r RulesRequest) (a Account, err error) {
	err = c.do(ctx, ask{method: http.MethodPost, path: "/v1/account_rules", request: r}, &a)
	return a, err
}

// Accounts implements Setup.
func (c *Client) Accounts(ctx context.Context) (all []Account, err error) {
	err = c.do(ctx, ask{method: http.MethodGet, path: "/v1/accounts"}, &all)
	return all, err
}

func (s *server) putMerchant(ctx context.Context, c call) (any, error) {
	var change MerchantChange
	if err := c.request(&change); err != nil {
		return nil, err
	}
	return s.setup.PutMerchant(ctx, change)
}

func (s *server) merchants(ctx context.Context, _ call) (any, error) { return s.setup.Merchants(ctx) }

func (s *server) putAccount(ctx context.Context, c call) (any, error) {
	var r AccountRequest
	if err := c.request(&r); err != nil {
		return nil, err
	}
	config, err := io.ReadAll(io.LimitReader(c.body, MaxConfig+1))
	if err != nil {
		return nil, errs.Wrap(err, errs.Invalid, "file_unreadable", "the file could not be read to its end")
	}
	if len(config) > MaxConfig {
		return nil, errs.Field("file", "too_long", "is larger than an account's settings can be")
	}
	return s.setup.PutAccount(ctx, r, config)
}

func (s *server) setAccountRules(ctx context.Context, c call) (any, error) {
	var r RulesRequest
	if err := c.request(&r); err != nil {
		return nil, err
	}
	return s.setup.SetAccountRules(ctx, r)
}

func (s *server) accounts(ctx context.Context, _ call) (any, error) { return s.setup.Accounts(ctx) }
