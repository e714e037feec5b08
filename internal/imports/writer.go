package imports

import (
	"context"
	"errors"
	"slices"

	"panshi/internal/audit"
	"panshi/internal/catalog"
	"panshi/internal/db"
	"panshi/internal/errs"
	"panshi/internal/id"
	"panshi/internal/stock"
)

// categoryStep leaves room between the positions of new categories.
const categoryStep = 10

// writer stores products inside one transaction.
type writer struct {
	tx       *db.Tx
	run      *catalogRun
	contents map[string]sealedContent // by SKU code: what is to be stored
	shelves  map[string]catalog.Category
	put      map[string]bool // categories that this transaction has put
}

// rehearse tries products and tells what was refused.
func (w *writer) rehearse(part []*draft) (found []Finding, err error) {
	for _, d := range part {
		refused, err := w.try(d)
		if err != nil {
			return nil, err
		}
		found = append(found, refused...)
	}
	return found, nil
}

// try stores a product row by row, so that each row tells its own fault.
func (w *writer) try(d *draft) (found []Finding, err error) {
	p, err := w.product(d)
	if err != nil {
		return asFindings(err, d, 0)
	}
	one := p
	for i, k := range p.SKUs {
		one.SKUs = []catalog.SKU{k}
		if _, err := catalog.PutTx(w.tx, one); err != nil {
			refused, err := asFindings(err, d, i)
			if err != nil {
				return nil, err
			}
			found = append(found, refused...)
			if !ofSKU(column(refused[0].Column)) {
				return found, nil // a fault of the product would come back in every row
			}
		}
	}
	lacking, err := w.lacksContent(d)
	return append(found, lacking...), err
}

// asFindings turns an error about a field into a finding at its column; i is
// the SKU that was tried. Other errors stay errors.
func asFindings(err error, d *draft, i int) ([]Finding, error) {
	var e *errs.Error
	if !errors.As(err, &e) || e.Kind != errs.Invalid || e.Field == "" {
		return nil, err
	}
	col, sku := columnOf(e.Field)
	at := d.first.line
	if sku {
		at = d.skus[i].line
	}
	return []Finding{{Line: at, Column: string(col), Code: e.Code, Text: e.Msg}}, nil
}

// lacksContent finds the SKUs of a text product on sale that have no text,
// neither in the file nor in the shop.
func (w *writer) lacksContent(d *draft) (found []Finding, err error) {
	if d.product.Kind != catalog.Text || !d.product.On {
		return nil, nil
	}
	for _, k := range d.skus {
		if k.content != "" {
			continue
		}
		sku, err := catalog.SKUByCodeTx(w.tx, w.run.merchantID, k.sku.Code)
		if errors.Is(err, catalog.ErrSKUNotFound) {
			continue // it was refused, which is told already
		}
		if err != nil {
			return nil, err
		}
		current, err := stock.CurrentSharedTx(w.tx, w.run.merchantID, sku.ID)
		if err != nil {
			return nil, err
		}
		if current.IsZero() {
			found = append(found, finding(k.line, string(colContent), "content_missing"))
		}
	}
	return found, nil
}

// product is a draft as it is to be stored: what the file has no column for
// stays as it is.
func (w *writer) product(d *draft) (catalog.Product, error) {
	p := d.product
	p.MerchantID = w.run.merchantID
	old, err := catalog.BySlugTx(w.tx, p.MerchantID, p.Slug)
	switch {
	case err == nil:
		w.keep(&p, old)
	case !errors.Is(err, catalog.ErrProductNotFound):
		return p, err
	}
	for _, k := range d.skus {
		p.SKUs = append(p.SKUs, w.withKept(k.sku, old))
	}
	if !w.run.p.sheet.has(colCategory) {
		return p, nil
	}
	p.CategoryID, err = w.category(d)
	return p, err
}

// keep takes over what the file does not mention.
func (w *writer) keep(p *catalog.Product, old catalog.Product) {
	for _, f := range []struct {
		c    column
		keep func()
	}{
		{colCategory, func() { p.CategoryID = old.CategoryID }},
		{colTitleEN, func() { p.TitleEN = old.TitleEN }},
		{colSummary, func() { p.Summary = old.Summary }},
		{colSummaryEN, func() { p.SummaryEN = old.SummaryEN }},
		{colDescription, func() { p.Description = old.Description }},
		{colDescriptionEN, func() { p.DescriptionEN = old.DescriptionEN }},
		{colImage, func() { p.Image = old.Image }},
		{colPerOrderLimit, func() { p.PerOrderLimit = old.PerOrderLimit }},
		{colPerContactLimit, func() { p.PerContactLimit = old.PerContactLimit }},
		{colStatus, func() { p.On = old.On }},
		{colPosition, func() { p.Position = old.Position }},
	} {
		if !w.run.p.sheet.has(f.c) {
			f.keep()
		}
	}
}

// withKept is k with what the file does not mention of it. Whether a SKU is
// on sale has no column.
func (w *writer) withKept(k catalog.SKU, old catalog.Product) catalog.SKU {
	at := slices.IndexFunc(old.SKUs, func(o catalog.SKU) bool { return o.Code == k.Code })
	if at < 0 {
		return k
	}
	k.On = old.SKUs[at].On
	if !w.run.p.sheet.has(colSKUTitle) {
		k.Title = old.SKUs[at].Title
	}
	if !w.run.p.sheet.has(colSKUTitleEN) {
		k.TitleEN = old.SKUs[at].TitleEN
	}
	return k
}

// category finds the category of a product and puts it first if the file has
// its title.
func (w *writer) category(d *draft) (id.ID, error) {
	if d.cat == "" {
		return id.ID{}, nil
	}
	if err := w.loadShelves(); err != nil {
		return id.ID{}, err
	}
	asked, stored := w.run.p.cats[d.cat], w.shelves[d.cat]
	switch {
	case w.put[d.cat]:
		return stored.ID, nil
	case asked.title == "" && stored.ID.IsZero():
		return id.ID{}, errs.Field(string(colCategory), "category_unknown", textOf("category_unknown"))
	case asked.title == "" && asked.en == "":
		return stored.ID, nil
	}
	c := catalog.Category{
		MerchantID: w.run.merchantID, Slug: d.cat, Title: asked.title, TitleEN: asked.en, Position: asked.order * categoryStep,
	}
	if !stored.ID.IsZero() {
		c.Position = stored.Position
		agree(&c.Title, stored.Title)
		agree(&c.TitleEN, stored.TitleEN)
	}
	c, err := catalog.PutCategoryTx(w.tx, c)
	if err != nil {
		return id.ID{}, atCategory(err)
	}
	w.shelves[d.cat], w.put[d.cat] = c, true
	return c.ID, nil
}

// atCategory makes a category's error name our column.
func atCategory(err error) error {
	var e *errs.Error
	if !errors.As(err, &e) || e.Field == "" {
		return err
	}
	c := *e
	c.Field = map[string]string{
		"slug": string(colCategory), "title": string(colCategoryTitle), "title_en": string(colCategoryTitleEN),
	}[e.Field]
	return &c
}

func (w *writer) loadShelves() error {
	if w.shelves != nil {
		return nil
	}
	w.shelves, w.put = map[string]catalog.Category{}, map[string]bool{}
	all, err := catalog.CategoriesTx(w.tx, w.run.merchantID)
	for _, c := range all {
		w.shelves[c.Slug] = c
	}
	return err
}

// store writes products, their stock and contents, and the trail.
func (w *writer) store(ctx context.Context, part []*draft) error {
	for _, d := range part {
		p, err := w.product(d)
		if err != nil {
			return err
		}
		if p, err = catalog.PutTx(w.tx, p); err != nil {
			return err
		}
		detail := map[string]string{"slug": p.Slug}
		for _, k := range d.skus {
			detail["price "+k.sku.Code] = k.sku.Price.String()
			if err := w.goods(p, k); err != nil {
				return err
			}
		}
		if err := recordTx(ctx, w.tx, audit.Record{
			MerchantID: p.MerchantID, Action: "product.imported", SubjectKind: "product", SubjectID: p.ID, Detail: detail,
		}); err != nil {
			return err
		}
	}
	return nil
}

// goods writes the stock and the content of a SKU that was just put.
func (w *writer) goods(p catalog.Product, k draftSKU) error {
	for _, stored := range p.SKUs {
		if stored.Code != k.sku.Code {
			continue
		}
		if k.mode != "" {
			if err := stock.SetCountTx(w.tx, p.MerchantID, stored.ID, k.mode, k.count); err != nil {
				return err
			}
		}
		if c, ok := w.contents[k.sku.Code]; ok {
			return stock.PutSharedTx(w.tx, p.MerchantID, stored.ID, c.id, c.sealed)
		}
	}
	return nil
}
