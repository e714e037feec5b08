package merchant

import (
	"errors"
	"strconv"
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

// Most bytes of the texts of a shop.
const (
	nameBytes    = 120
	taglineBytes = 300
	noticeBytes  = 1000
)

// Validate reports every field that cannot be stored: errs.Error joined, each
// with the name of its column.
func (m Merchant) Validate() error {
	var wrong []error
	if !validSlug(m.Slug) {
		wrong = append(wrong, errs.Field("slug", "invalid_slug", "a slug is 1 to 40 of a-z, 0-9 and '-'"))
	}
	if m.Name == "" || len(m.Name) > nameBytes {
		wrong = append(wrong, errs.Field("name", "out_of_range", "a name has 1 to 120 bytes"))
	}
	if !validHost(m.Host) {
		wrong = append(wrong, errs.Field("host", "invalid_host", "a host name is like shop.example.com, without scheme, port or path"))
	}
	if len(m.Currency) != 3 || strings.Trim(string(m.Currency), "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		wrong = append(wrong, errs.Field("currency", "invalid_currency", "a currency is three capital letters, such as CNY"))
	}
	for _, text := range []struct {
		field, value string
		most         int
	}{
		{"name_en", m.NameEN, nameBytes},
		{"tagline", m.Tagline, taglineBytes},
		{"tagline_en", m.TaglineEN, taglineBytes},
		{"notice", m.Notice, noticeBytes},
		{"notice_en", m.NoticeEN, noticeBytes},
	} {
		if len(text.value) > text.most {
			wrong = append(wrong, errs.Field(text.field, "too_long", "has more than "+strconv.Itoa(text.most)+" bytes"))
		}
	}
	return errors.Join(wrong...)
}

// validHost accepts "" for none, and names as a browser sends them.
func validHost(s string) bool {
	if s == "" {
		return true
	}
	for label := range strings.SplitSeq(strings.ToLower(s), ".") {
		if label == "" || len(label) > 63 || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return false
		}
	}
	return len(s) <= 253
}

func validSlug(s string) bool {
	return s != "" && len(s) <= 40 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}
