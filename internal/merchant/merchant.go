package merchant

import (
	"strings"
	"time"

	"panshi/internal/errs"
	"panshi/internal/id"
	"panshi/internal/money"
)

// Merchant is one shop.
type Merchant struct {
	ID                 id.ID
	Slug               string // [a-z0-9-], 1-40; the sub-domain that also reaches the shop
	Host               string // exact host name without port; "" if none
	IsDefault          bool   // answers for every host that nobody else has
	Name, NameEN       string
	Tagline, TaglineEN string
	Notice, NoticeEN   string
	Currency           money.Currency
	Open               bool
	CreatedAt          time.Time
	UpdatedAt          time.Time
}

// ErrNotFound says that no merchant fits.
var ErrNotFound = errs.New(errs.NotFound, "merchant_not_found", "there is no such shop")

// validate reports the first field that cannot be stored.
func (m Merchant) validate() error {
	switch {
	case !validSlug(m.Slug):
		return errs.Field("slug", "invalid_slug", "a slug is 1 to 40 of a-z, 0-9 and '-'")
	case m.Name == "" || len(m.Name) > 120:
		return errs.Field("name", "out_of_range", "a name has 1 to 120 bytes")
	case len(m.Currency) != 3:
		return errs.Field("currency", "invalid_currency", "a currency is three letters, such as CNY")
	}
	return nil
}

func validSlug(s string) bool {
	return s != "" && len(s) <= 40 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}
