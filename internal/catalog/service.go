package catalog

import (
	"context"
	"strconv"

	"panshi/internal/audit"
	"panshi/internal/db"
	"panshi/internal/errs"
	"panshi/internal/id"
)

// Service opens the transactions of the catalogue for those who may not.
type Service struct {
	db db.DB
}

// NewService returns a Service on d.
func NewService(d db.DB) *Service { return &Service{db: d} }

// List returns one page of a merchant's products. What buyers search for,
// and further pages, may be a little old (db.WithStale). A first page may be
// kept under the catalogue's version, which a replica may not have reached, and
// staff sees what it has just changed: both read the primary.
func (s *Service) List(ctx context.Context, merchantID id.ID, q ListQuery) (page Page, err error) {
	if q.Limit < 1 || q.Limit > 100 {
		return Page{}, errs.Field("limit", "out_of_range", "a page has 1 to 100 items")
	}
	if len(q.Text) > 200 {
		return Page{}, errs.Field("q", "too_long", "a search text has at most 200 bytes")
	}
	if !q.IncludeOff && (q.Text != "" || q.Cursor != "") {
		ctx = db.WithStale(ctx)
	}
	err = s.db.View(ctx, func(tx *db.Tx) (err error) {
		page, err = ListTx(tx, merchantID, q)
		return err
	})
	return page, err
}

// Product returns a product with its SKUs, on sale or not.
func (s *Service) Product(ctx context.Context, merchantID, productID id.ID) (p Product, err error) {
	err = s.db.View(ctx, func(tx *db.Tx) (err error) {
		p, err = ByIDTx(tx, merchantID, productID)
		return err
	})
	return p, err
}

// BySlug returns a product with its SKUs, on sale or not.
func (s *Service) BySlug(ctx context.Context, merchantID id.ID, slug string) (p Product, err error) {
	err = s.db.View(ctx, func(tx *db.Tx) (err error) {
		p, err = BySlugTx(tx, merchantID, slug)
		return err
	})
	return p, err
}

// Categories returns a merchant's categories in shelf order.
func (s *Service) Categories(ctx context.Context, merchantID id.ID) (all []Category, err error) {
	err = s.db.View(ctx, func(tx *db.Tx) (err error) {
		all, err = CategoriesTx(tx, merchantID)
		return err
	})
	return all, err
}

// Put inserts or updates a product with its SKUs, and records who did it.
func (s *Service) Put(ctx context.Context, p Product) (stored Product, err error) {
	err = s.db.Update(ctx, func(tx *db.Tx) (err error) {
		if stored, err = PutTx(tx, p); err != nil {
			return err
		}
		actor, request := audit.Origin(ctx)
		detail := map[string]string{"slug": stored.Slug, "on_sale": strconv.FormatBool(stored.On)}
		for _, k := range stored.SKUs {
			detail["price "+k.Code] = k.Price.String()
		}
		return audit.RecordTx(tx, audit.Record{
			MerchantID: p.MerchantID, Actor: actor, Action: "product.saved", SubjectKind: "product",
			SubjectID: stored.ID, Detail: detail, RequestID: request,
		})
	})
	return stored, err
}

// PutCategory inserts or updates a category, and records who did it.
func (s *Service) PutCategory(ctx context.Context, c Category) (stored Category, err error) {
	err = s.db.Update(ctx, func(tx *db.Tx) (err error) {
		if stored, err = PutCategoryTx(tx, c); err != nil {
			return err
		}
		actor, request := audit.Origin(ctx)
		return audit.RecordTx(tx, audit.Record{
			MerchantID: c.MerchantID, Actor: actor, Action: "category.saved", SubjectKind: "category",
			SubjectID: stored.ID, Detail: map[string]string{"slug": c.Slug}, RequestID: request,
		})
	})
	return stored, err
}
