package imports

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"panshi/internal/catalog"
	"panshi/internal/money"
	"panshi/internal/stock"
)

// Maxima of a catalogue file.
const (
	maxSKUs    = 100    // of one product, so that it fits one transaction
	maxContent = 20_000 // bytes of a shared text
)

// draft is a product as the file has it.
type draft struct {
	product catalog.Product // without category and SKUs
	cat     string          // slug of its category, "" for none
	first   row
	skus    []draftSKU
	seen    map[column]string // what its rows said of the product
	bad     bool
}

type draftSKU struct {
	line    int64
	sku     catalog.SKU
	mode    stock.Mode // counted or unlimited; "" for cards and when the file does not say
	count   int64
	content string // of kind text; "" when the file does not say
}

// plan is what a file asks for.
type plan struct {
	sheet    sheet
	products []*draft
	bySlug   map[string]*draft
	cats     map[string]*draftCategory
	codes    map[string]bool
	currency money.Currency
	findings []Finding
}

type draftCategory struct {
	order     int // of first appearance
	title, en string
}

// newPlan reads all rows and notes everything that is wrong by itself.
func newPlan(s sheet, currency money.Currency) *plan {
	p := &plan{
		sheet: s, bySlug: map[string]*draft{}, cats: map[string]*draftCategory{}, codes: map[string]bool{},
		currency: currency,
	}
	for _, r := range s.rows {
		p.row(r)
	}
	p.findings = append(p.findings, s.cut...)
	return p
}

// wrong notes a finding; the product it belongs to is not tried further.
func (p *plan) wrong(d *draft, line int64, c column, code string) {
	if d != nil {
		d.bad = true
	}
	p.findings = append(p.findings, finding(line, string(c), code))
}

func (p *plan) row(r row) {
	slug := machine(p.sheet.cell(r, colSlug))
	d := p.bySlug[slug]
	switch {
	case slug == "":
		p.wrong(nil, r.line, colSlug, "required")
	case d == nil:
		d = &draft{product: catalog.Product{Slug: slug}, first: r, seen: map[column]string{}}
		p.bySlug[slug] = d
		p.products = append(p.products, d)
		p.product(d, r)
	default:
		p.repeat(d, r)
	}
	if d == nil {
		d = &draft{} // to look at the rest of the row all the same
	}
	p.text(d, r)
	p.sku(d, r)
}

// text checks what holds for every cell.
func (p *plan) text(d *draft, r row) {
	for i, cell := range r.cells {
		name := p.sheet.name(i)
		switch {
		case name == "" && strings.TrimSpace(cell) != "":
			p.wrong(d, r.line, name, "too_many_cells")
		case strings.ContainsRune(cell, utf8.RuneError):
			p.wrong(d, r.line, name, BadEncoding)
		case strings.ContainsFunc(cell, func(c rune) bool { return control(c) && c != '\n' && c != '\r' }):
			p.wrong(d, r.line, name, ControlCharacter)
		}
	}
}

// product reads what the first row of a product says of it.
func (p *plan) product(d *draft, r row) {
	for _, c := range ofProduct() {
		d.seen[c] = strings.TrimSpace(p.sheet.cell(r, c))
	}
	t := func(c column) string { return prose(d.seen[c]) }
	d.product = catalog.Product{
		Slug: d.product.Slug, Title: t(colTitle), TitleEN: t(colTitleEN), Summary: t(colSummary),
		SummaryEN: t(colSummaryEN), Description: t(colDescription), DescriptionEN: t(colDescriptionEN), Image: t(colImage),
		PerOrderLimit:   p.count(d, r, colPerOrderLimit),
		PerContactLimit: p.count(d, r, colPerContactLimit), Position: p.count(d, r, colPosition),
	}
	var ok bool
	if d.product.Kind, ok = parseKind(d.seen[colKind]); !ok {
		p.wrong(d, r.line, colKind, "invalid_kind")
	}
	if d.product.On, ok = parseStatus(d.seen[colStatus]); !ok {
		p.wrong(d, r.line, colStatus, "invalid_status")
	}
	d.cat = machine(d.seen[colCategory])
	p.category(d, r)
}

// count reads a number of a product.
func (p *plan) count(d *draft, r row, c column) int {
	n, ok := parseCount(p.sheet.cell(r, c))
	if !ok {
		p.wrong(d, r.line, c, "invalid_number")
	}
	return int(n)
}

// category notes the titles of a category: the first that a row gives.
func (p *plan) category(d *draft, r row) {
	title, en := prose(d.seen[colCategoryTitle]), prose(d.seen[colCategoryTitleEN])
	if d.cat == "" {
		if title != "" {
			p.wrong(d, r.line, colCategory, "required")
		}
		return
	}
	c := p.cats[d.cat]
	if c == nil {
		c = &draftCategory{order: len(p.cats) + 1}
		p.cats[d.cat] = c
	}
	if !agree(&c.title, title) {
		p.wrong(d, r.line, colCategoryTitle, "conflicting_value")
	}
	if !agree(&c.en, en) {
		p.wrong(d, r.line, colCategoryTitleEN, "conflicting_value")
	}
}

// agree keeps the first text that is not empty; later ones must be the same.
func agree(first *string, next string) bool {
	if *first == "" {
		*first = next
	}
	return next == "" || next == *first
}

// repeat checks a further row of a product: what it says of the product was
// said before.
func (p *plan) repeat(d *draft, r row) {
	for _, c := range ofProduct() {
		if again := strings.TrimSpace(p.sheet.cell(r, c)); again != "" && again != d.seen[c] {
			p.wrong(d, r.line, c, "conflicting_value")
		}
	}
}

// sku reads the SKU of a row.
func (p *plan) sku(d *draft, r row) {
	k := draftSKU{line: r.line}
	k.sku.Code = machine(p.sheet.cell(r, colSKU))
	k.sku.Title, k.sku.TitleEN = prose(p.sheet.cell(r, colSKUTitle)), prose(p.sheet.cell(r, colSKUTitleEN))
	k.sku.On, k.sku.Position = true, len(d.skus)+1
	minor, ok := parsePrice(p.sheet.cell(r, colPrice))
	if !ok {
		p.wrong(d, r.line, colPrice, "invalid_price")
	}
	k.sku.Price = money.Of(minor, p.currency)
	switch {
	case k.sku.Code == "":
		p.wrong(d, r.line, colSKU, "required")
	case p.codes[k.sku.Code]:
		p.wrong(d, r.line, colSKU, "duplicate_sku")
	case len(d.skus) == maxSKUs:
		p.wrong(d, r.line, colSKU, "too_many_skus")
	}
	p.codes[k.sku.Code] = true
	p.stock(d, r, &k)
	p.content(d, r, &k)
	d.skus = append(d.skus, k)
}

// stock reads how much there is.
func (p *plan) stock(d *draft, r row, k *draftSKU) {
	cell := machine(p.sheet.cell(r, colStock))
	n, ok := parseCount(cell)
	switch {
	case d.product.Kind == catalog.Card && cell != "":
		p.wrong(d, r.line, colStock, "stock_not_for_cards")
	case !ok:
		p.wrong(d, r.line, colStock, "invalid_number")
	case d.product.Kind == catalog.Card || !p.sheet.has(colStock):
	case cell == "":
		k.mode = stock.Unlimited
	default:
		k.mode, k.count = stock.Counted, n
	}
	if k.count > 1_000_000_000 {
		p.wrong(d, r.line, colStock, "out_of_range")
	}
}

// content reads the text that buyers get.
func (p *plan) content(d *draft, r row, k *draftSKU) {
	k.content = prose(p.sheet.cell(r, colContent))
	if k.content != "" && d.product.Kind != catalog.Text && d.product.Kind != "" {
		p.wrong(d, r.line, colContent, "content_only_for_text")
	}
	if len(k.content) > maxContent {
		p.wrong(d, r.line, colContent, TooLong)
	}
}

// prose is a text for people: trimmed, line ends as LF.
func prose(cell string) string {
	return strings.TrimFunc(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(cell), unicode.IsSpace)
}
