package imports

import (
	"strconv"
	"strings"

	"golang.org/x/text/width"

	"panshi/internal/catalog"
)

// column is a column of a catalogue file.
type column string

// The columns. Slug, kind, title, sku and price must be there.
const (
	colSlug            column = "slug" // rows with the same one are SKUs of one product
	colKind            column = "kind" // card, text, manual
	colCategory        column = "category"
	colCategoryTitle   column = "category_title" // makes the category, or renames it
	colCategoryTitleEN column = "category_title_en"
	colTitle           column = "title"
	colTitleEN         column = "title_en"
	colSummary         column = "summary"
	colSummaryEN       column = "summary_en"
	colDescription     column = "description"
	colDescriptionEN   column = "description_en"
	colImage           column = "image"
	colSKU             column = "sku" // code of the SKU
	colSKUTitle        column = "sku_title"
	colSKUTitleEN      column = "sku_title_en"
	colPrice           column = "price"   // yuan, at most two decimals
	colStock           column = "stock"   // empty: unlimited; not for cards
	colContent         column = "content" // of kind text; sealed
	colPerOrderLimit   column = "per_order_limit"
	colPerContactLimit column = "per_contact_limit"
	colStatus          column = "status" // on, off; empty: on
	colPosition        column = "position"
)

// allColumns lists the columns in the order of the documentation.
func allColumns() []column {
	return []column{
		colSlug, colKind, colCategory, colCategoryTitle, colCategoryTitleEN, colTitle, colTitleEN,
		colSummary, colSummaryEN, colDescription, colDescriptionEN, colImage, colSKU, colSKUTitle, colSKUTitleEN,
		colPrice, colStock, colContent, colPerOrderLimit, colPerContactLimit, colStatus, colPosition,
	}
}

// neededColumns must be in the header.
func neededColumns() []column { return []column{colSlug, colKind, colTitle, colSKU, colPrice} }

// ofProduct lists the columns that say the same in all rows of a product;
// after its first row they may be empty.
func ofProduct() []column {
	return []column{
		colKind, colCategory, colCategoryTitle, colCategoryTitleEN, colTitle, colTitleEN, colSummary, colSummaryEN,
		colDescription, colDescriptionEN, colImage, colPerOrderLimit, colPerContactLimit, colStatus, colPosition,
	}
}

// ofSKU tells whether a row's own cell is at fault, not its product's.
func ofSKU(c column) bool {
	return c == colSKU || c == colSKUTitle || c == colSKUTitleEN || c == colPrice
}

// machine folds a cell that is no text for people: full-width digits and
// letters become plain ones.
func machine(cell string) string { return strings.TrimSpace(width.Fold.String(cell)) }

func parseKind(cell string) (kind catalog.Kind, ok bool) {
	switch strings.ToLower(machine(cell)) {
	case "card", "卡密":
		return catalog.Card, true
	case "text", "文本":
		return catalog.Text, true
	case "manual", "人工":
		return catalog.Manual, true
	}
	return "", false
}

func parseStatus(cell string) (on, ok bool) {
	switch strings.ToLower(machine(cell)) {
	case "", "on", "上架":
		return true, true
	case "off", "下架":
		return false, true
	}
	return false, false
}

// parseCount reads a whole number of at most ten digits; an empty cell is 0.
func parseCount(cell string) (n int64, ok bool) {
	cell = machine(cell)
	if cell == "" {
		return 0, true
	}
	if len(cell) > 10 || strings.Trim(cell, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseInt(cell, 10, 64)
	return n, err == nil
}

// parsePrice reads an amount in major units with at most two decimals as minor
// units: "19.9" is 1990. There is no sign and no grouping; floats are not
// involved.
func parsePrice(cell string) (minor int64, ok bool) {
	whole, decimals, point := strings.Cut(machine(cell), ".")
	if whole == "" || len(whole) > 12 || len(decimals) > 2 || point && decimals == "" {
		return 0, false
	}
	digits := whole + (decimals + "00")[:2]
	if strings.Trim(digits, "0123456789") != "" {
		return 0, false
	}
	minor, err := strconv.ParseInt(digits, 10, 64)
	return minor, err == nil
}

// columnOf gives the column behind a field name of package catalog, and
// whether it is one of a SKU.
func columnOf(field string) (col column, sku bool) {
	_, name, sku := strings.Cut(field, "].")
	if !sku {
		return column(field), false
	}
	switch name {
	case "code":
		return colSKU, true
	case "title":
		return colSKUTitle, true
	case "title_en":
		return colSKUTitleEN, true
	}
	return column(name), true
}
