package catalog

import (
	"time"

	"panshi/internal/errs"
	"panshi/internal/id"
	"panshi/internal/money"
	"panshi/internal/stock"
)

// Kind says how a product is delivered.
type Kind string

// The kinds of products.
const (
	Card   Kind = "card"   // one card key an item
	Text   Kind = "text"   // one text for all buyers
	Manual Kind = "manual" // staff delivers by hand
)

// Category is a shelf.
type Category struct {
	ID             id.ID
	MerchantID     id.ID
	Slug           string
	Title, TitleEN string
	Position       int
	Products       int // products on sale, set by lists
}

// Product is one good with one or more SKUs.
type Product struct {
	ID              id.ID
	MerchantID      id.ID
	CategoryID      id.ID
	Slug            string
	Kind            Kind
	Title           string
	TitleEN         string
	Summary         string // one line, shown in lists
	SummaryEN       string
	Description     string // plain text, blank lines make paragraphs
	DescriptionEN   string
	Image           string // path of the picture, "" for none
	On              bool
	Position        int
	PerOrderLimit   int // items of one order; 0: the general limit
	PerContactLimit int // items of one contact, ever; 0: no limit
	CreatedAt       time.Time
	UpdatedAt       time.Time
	SKUs            []SKU // by position
}

// SKU is what is bought.
type SKU struct {
	ID             id.ID
	ProductID      id.ID
	Code           string
	Title, TitleEN string // "" if the product has only one
	Price          money.Amount
	On             bool
	Position       int
	Mode           stock.Mode
	Available      int64 // UnlimitedShown if there is no limit
}

// Errors of this package.
var (
	ErrProductNotFound = errs.New(errs.NotFound, "product_not_found", "there is no such product")
	ErrSKUNotFound     = errs.New(errs.NotFound, "sku_not_found", "there is no such SKU")
)

// In returns the title in a language: "en" or anything else for the first.
func (p Product) In(lang string) (title, summary, description string) {
	return pick(lang, p.Title, p.TitleEN), pick(lang, p.Summary, p.SummaryEN), pick(lang, p.Description, p.DescriptionEN)
}

// In returns the title in a language.
func (s SKU) In(lang string) string { return pick(lang, s.Title, s.TitleEN) }

// In returns the title in a language.
func (c Category) In(lang string) string { return pick(lang, c.Title, c.TitleEN) }

func pick(lang, first, en string) string {
	if lang == "en" && en != "" {
		return en
	}
	return first
}

// PriceFrom is the lowest price among the SKUs on sale, or of all if none is.
func (p Product) PriceFrom() money.Amount {
	var lowest money.Amount
	for _, onSale := range []bool{true, false} {
		for _, s := range p.SKUs {
			if s.On == onSale && (lowest.Currency == "" || s.Price.Minor < lowest.Minor) {
				lowest = s.Price
			}
		}
		if lowest.Currency != "" {
			break
		}
	}
	return lowest
}

// Available is how many items of all SKUs on sale there are.
func (p Product) Available() int64 {
	var sum int64
	for _, s := range p.SKUs {
		if s.On {
			sum += s.Available
		}
	}
	return sum
}

// Quote is what an order needs to know of a SKU, read in its transaction.
type Quote struct {
	SKUID           id.ID
	ProductID       id.ID
	Kind            Kind
	Title           string // product and SKU title in the buyer's language
	Price           money.Amount
	OnSale          bool
	ShopOpen        bool
	Mode            stock.Mode
	Available       int64
	PerOrderLimit   int
	PerContactLimit int
}
