package catalog

import (
	"strings"
	"unicode/utf8"

	"panshi/internal/errs"
)

// Maxima of text fields, in bytes.
const (
	maxSlug        = 80
	maxTitle       = 200
	maxSummary     = 400
	maxDescription = 20_000
	maxImage       = 300
	maxSKUs        = 200            // each is two rows, and a transaction has db.MaxRows
	maxPrice       = 100_000_000_00 // a hundred million yuan
)

func (c Category) validate() error {
	if err := checkSlug("slug", c.Slug); err != nil {
		return err
	}
	return firstError(checkText("title", c.Title, 1, maxTitle), checkText("title_en", c.TitleEN, 0, maxTitle))
}

func (p Product) validate() error {
	if p.Kind != Card && p.Kind != Text && p.Kind != Manual {
		return errs.Field("kind", "invalid_kind", "a kind is card, text or manual")
	}
	if len(p.SKUs) > maxSKUs {
		return errs.Field("skus", "too_many_skus", "a product has at most 200 SKUs")
	}
	if p.PerOrderLimit < 0 || p.PerOrderLimit > 999 {
		return errs.Field("per_order_limit", "out_of_range", "a limit per order is 0 (none) to 999")
	}
	if p.PerContactLimit < 0 || p.PerContactLimit > 1_000_000 {
		return errs.Field("per_contact_limit", "out_of_range", "a limit per contact is 0 (none) to 1,000,000")
	}
	return firstError(checkSlug("slug", p.Slug), checkText("title", p.Title, 1, maxTitle),
		checkText("title_en", p.TitleEN, 0, maxTitle), checkText("summary", p.Summary, 0, maxSummary),
		checkText("summary_en", p.SummaryEN, 0, maxSummary), checkText("description", p.Description, 0, maxDescription),
		checkText("description_en", p.DescriptionEN, 0, maxDescription), checkImage(p.Image))
}

func (s SKU) validate() error {
	if s.Price.Minor < 1 || s.Price.Minor > maxPrice {
		return errs.Field("price", "out_of_range", "a price is 1 to 10,000,000,000 minor units")
	}
	return firstError(checkSlug("code", s.Code), checkText("title", s.Title, 0, maxTitle),
		checkText("title_en", s.TitleEN, 0, maxTitle))
}

func checkSlug(field, s string) error {
	const allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."
	if s == "" || len(s) > maxSlug || strings.Trim(s, allowed) != "" {
		return errs.Field(field, "invalid_slug", "1 to 80 letters, digits, '-', '_' or '.'")
	}
	return nil
}

func checkText(field, s string, least, most int) error {
	switch {
	case !utf8.ValidString(s) || strings.ContainsRune(s, 0):
		return errs.Field(field, "invalid_utf8", "the text is not valid UTF-8")
	case len(strings.TrimSpace(s)) < least:
		return errs.Field(field, "required", "this field is needed")
	case len(s) > most:
		return errs.Field(field, "too_long", "the text is too long")
	}
	return nil
}

// checkImage takes a path on this server only: a picture from elsewhere would
// tell a stranger who looks at the shop, and pages refuse to load it.
func checkImage(path string) error {
	if path == "" {
		return nil
	}
	if !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") || strings.ContainsAny(path, "\\?#\"' ") {
		return errs.Field("image", "invalid_image", "a picture is a path on this server, such as /media/demo/x.svg")
	}
	return checkText("image", path, 1, maxImage)
}

func firstError(all ...error) error {
	for _, err := range all {
		if err != nil {
			return err
		}
	}
	return nil
}
