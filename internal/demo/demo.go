package demo

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"log/slog"

	"panshi/internal/audit"
	"panshi/internal/db"
	"panshi/internal/errs"
	"panshi/internal/imports"
	"panshi/internal/merchant"
	"panshi/internal/money"
)

// Services is what filling a shop needs.
type Services struct {
	DB        db.DB
	Merchants *merchant.Service
	Imports   *imports.Service
	Log       *slog.Logger
}

// Summary is what a run of Fill did.
type Summary struct {
	Merchants int   // made
	SKUs      int64 // put by catalogues
	Cards     int64 // added
	Unchanged bool  // the demo shop was complete already
}

// ErrNotEmpty says that the shop has something that is not of the demo.
var ErrNotEmpty = errs.New(errs.Conflict, "demo_not_empty",
	"this shop is not empty and not a demo; choose another data directory")

// catalogPrefix marks the imports of this package, by which a demo shop is
// known again.
const catalogPrefix = "panshi-demo-"

// Fill makes a shop a complete demo shop. It fails with ErrNotEmpty, without
// having changed anything, if somebody else has put something there.
func Fill(ctx context.Context, s Services) (Summary, error) {
	ctx = audit.WithOrigin(ctx, audit.Actor{Kind: "command", ID: "demo"}, "")
	before, err := refuseOthers(ctx, s.DB)
	if err != nil {
		return Summary{}, err
	}
	sum := Summary{}
	for _, shop := range shops() {
		if err := shop.fill(ctx, s, before, &sum); err != nil {
			return sum, err
		}
	}
	sum.Unchanged = sum == Summary{}
	s.Log.LogAttrs(ctx, slog.LevelInfo, "demo shop filled", slog.Int("merchants", sum.Merchants),
		slog.Int64("skus", sum.SKUs), slog.Int64("cards", sum.Cards), slog.Bool("unchanged", sum.Unchanged))
	return sum, nil
}

// refuseOthers gives the merchants that are there, as the database has them: what
// a service remembers of another node's is a second old. It looks for merchants
// that are not ours, and for products that ours got from elsewhere before the
// demo came.
func refuseOthers(ctx context.Context, d db.DB) (all []merchant.Merchant, err error) {
	err = d.View(ctx, func(tx *db.Tx) (err error) {
		if all, err = merchant.AllTx(tx); err != nil {
			return err
		}
		for _, m := range all {
			var products, imported int64
			err := tx.Get([]any{&products, &imported}, `SELECT
				(SELECT COUNT(*) FROM products WHERE merchant_id = $1),
				(SELECT COUNT(*) FROM import_batches WHERE merchant_id = $2 AND file_name = $3)`,
				m.ID, m.ID, catalogPrefix+m.Slug+".csv")
			if err != nil {
				return err
			}
			if !isOurs(m.Slug) || products > 0 && imported == 0 {
				return ErrNotEmpty.With("merchant", m.Slug)
			}
		}
		return nil
	})
	return all, err
}

func isOurs(slug string) bool {
	for _, s := range shops() {
		if s.merchant.Slug == slug {
			return true
		}
	}
	return false
}

// fill makes one merchant of the demo with catalogue and cards.
func (shop demoShop) fill(ctx context.Context, s Services, before []merchant.Merchant, sum *Summary) error {
	m, err := shop.put(ctx, s, before, sum)
	if err != nil {
		return err
	}
	file, err := data.ReadFile("data/" + m.Slug + ".csv")
	if err != nil {
		return err
	}
	report, err := once(ctx, s, m, file, func(r *bytes.Reader) (imports.Report, error) {
		return s.Imports.Catalog(ctx, imports.CatalogRequest{
			MerchantID: m.ID, FileName: catalogPrefix + m.Slug + ".csv", Source: r,
		}, nil)
	})
	if err != nil {
		return err
	}
	sum.SKUs += report.Accepted
	for _, c := range shop.cards {
		report, err := once(ctx, s, m, cardFile(c.sku, c.count), func(r *bytes.Reader) (imports.Report, error) {
			return s.Imports.Cards(ctx, imports.CardsRequest{
				MerchantID: m.ID, SKUCode: c.sku, FileName: catalogPrefix + c.sku + ".txt", Source: r,
			}, nil)
		})
		if err != nil {
			return err
		}
		sum.Cards += report.Accepted
	}
	return nil
}

// put makes the merchant unless it is there.
func (shop demoShop) put(ctx context.Context, s Services, before []merchant.Merchant, sum *Summary) (merchant.Merchant, error) {
	for _, m := range before {
		if m.Slug == shop.merchant.Slug {
			return m, nil
		}
	}
	sum.Merchants++
	m := shop.merchant
	m.Currency, m.Open = money.CNY, true
	return s.Merchants.Put(ctx, m)
}

// once imports a file unless it was imported to its end before.
func once(ctx context.Context, s Services, m merchant.Merchant, file []byte,
	load func(*bytes.Reader) (imports.Report, error),
) (imports.Report, error) {
	digest := sha256.Sum256(file)
	done, err := s.Imports.Imported(ctx, m.ID, digest[:])
	if err != nil || done {
		return imports.Report{}, err
	}
	report, err := load(bytes.NewReader(file))
	if err != nil {
		for _, f := range report.Findings { // a mistake in our own data
			err = errors.Join(err, errs.New(errs.Internal, f.Code, f.Column+": "+f.Text))
		}
	}
	return report, err
}
