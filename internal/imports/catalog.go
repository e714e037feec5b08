package imports

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"log/slog"
	"slices"

	"panshi/internal/catalog"
	"panshi/internal/db"
	"panshi/internal/errs"
	"panshi/internal/fault"
	"panshi/internal/id"
)

// What one transaction stores of a catalogue at most: products, and rows
// counted by rowsOf, with room for the batch below db.MaxRows.
const (
	chunkProducts = 50
	chunkRows     = 450
)

// CatalogRequest is a catalogue file of a merchant.
type CatalogRequest struct {
	MerchantID id.ID
	FileName   string    // told back in reports; folders are cut off
	Source     io.Reader // at most 32 MiB
	DryRun     bool      // only tell what would be
}

// errBadRows says that nothing was imported; the report tells why.
var errBadRows = errs.Field("file", "catalog_bad_rows", "some rows are bad, so nothing was imported")

// errRehearsed undoes what a rehearsal wrote.
var errRehearsed = errors.New("imports: rehearsed")

// Catalog imports a catalogue file and calls progress (nil is allowed) after
// each chunk. Lines are rows below the header. If a row is bad, nothing is
// imported: the report has the findings and the error is catalog_bad_rows (a
// dry run has no error). Other codes: merchant_not_found, unknown_column,
// duplicate_column, missing_column, header_unreadable, file_empty, file_utf16,
// file_not_text, file_too_large, file_unreadable, import_busy, and those of
// package db.
func (s *Service) Catalog(ctx context.Context, req CatalogRequest, progress func(Progress)) (Report, error) {
	ctx = db.WithLong(ctx)
	if progress == nil {
		progress = func(Progress) {}
	}
	raw, err := readCatalog(req.Source)
	if err != nil {
		return Report{}, err
	}
	p, err := s.plan(ctx, req.MerchantID, raw)
	if err != nil {
		return Report{}, err
	}
	run := &catalogRun{s: s, p: p, merchantID: req.MerchantID, size: int64(len(raw)), progress: progress}
	if err := run.rehearse(ctx); err != nil {
		return Report{}, err
	}
	if report := run.verdict(); report.Bad > 0 || req.DryRun {
		if req.DryRun {
			return report, nil
		}
		return report, errBadRows
	}
	digest := sha256.Sum256(raw)
	return run.importAll(ctx, batch{
		MerchantID: req.MerchantID, Kind: kindCatalog, FileName: baseName(req.FileName), Digest: digest[:], Size: run.size,
	})
}

// plan reads a file for a merchant.
func (s *Service) plan(ctx context.Context, merchantID id.ID, raw []byte) (*plan, error) {
	text, err := decodeAll(raw)
	if err != nil {
		return nil, err
	}
	rows, err := parseSheet(text)
	if err != nil {
		return nil, err
	}
	var p *plan
	err = s.db.View(ctx, func(tx *db.Tx) error {
		m, err := merchantTx(tx, merchantID)
		p = newPlan(rows, m.Currency)
		return err
	})
	return p, err
}

// catalogRun is one run over a catalogue; it belongs to one goroutine.
type catalogRun struct {
	s          *Service
	p          *plan
	merchantID id.ID
	size       int64
	progress   func(Progress)
}

// chunks cuts products into what one transaction stores.
func chunks(products []*draft) [][]*draft {
	var out [][]*draft
	begin, rows := 0, 0
	for i, d := range products {
		if i-begin == chunkProducts || rows+rowsOf(d) > chunkRows {
			out = append(out, products[begin:i])
			begin, rows = i, 0
		}
		rows += rowsOf(d)
	}
	if begin < len(products) {
		out = append(out, products[begin:])
	}
	return out
}

// rowsOf bounds the rows that storing a product writes: product, category and
// trail, and for each SKU itself, its counter twice and a content.
func rowsOf(d *draft) int { return 3 + 4*len(d.skus) }

// rehearse stores all products and undoes it, to find what package catalog
// and the shop's present state refuse.
func (run *catalogRun) rehearse(ctx context.Context) error {
	var good []*draft
	for _, d := range run.p.products {
		if !d.bad {
			good = append(good, d)
		}
	}
	for _, part := range chunks(good) {
		var found []Finding
		err := run.s.db.Update(ctx, func(tx *db.Tx) (err error) {
			if err := catalog.AloneTx(tx, run.merchantID); err != nil {
				return err
			}
			w := writer{tx: tx, run: run}
			if found, err = w.rehearse(part); err != nil {
				return err
			}
			return errRehearsed
		})
		if !errors.Is(err, errRehearsed) {
			return err
		}
		run.p.findings = append(run.p.findings, found...)
	}
	return nil
}

// verdict is the report of a rehearsal.
func (run *catalogRun) verdict() Report {
	all := run.p.findings
	slices.SortStableFunc(all, func(x, y Finding) int { return int(x.Line - y.Line) })
	lines := map[int64]bool{}
	for _, f := range all {
		lines[f.Line] = true
	}
	r := Report{
		Lines: int64(len(run.p.sheet.rows) + len(run.p.sheet.cut)), Bad: int64(len(lines)),
		Findings: all[:min(len(all), maxFindings)], Truncated: len(all) > maxFindings,
	}
	r.Accepted = r.Lines - r.Bad
	return r
}

// importAll stores the products that an earlier run has not.
func (run *catalogRun) importAll(ctx context.Context, want batch) (Report, error) {
	b, resumed, err := run.s.begin(ctx, want)
	if err != nil {
		return Report{}, err
	}
	for _, part := range chunks(undone(run.p.products, b.Next)) {
		if err = run.store(ctx, &b, part); err != nil {
			break
		}
	}
	report := Report{BatchID: b.ID, Lines: b.Accepted, Accepted: b.Accepted, Resumed: resumed}
	if err != nil {
		return report, err
	}
	if err := run.s.end(ctx, b, "done"); err != nil {
		return report, err
	}
	run.tell(b, true)
	run.s.log.LogAttrs(ctx, slog.LevelInfo, "catalogue imported", slog.String("batch", b.ID.String()),
		slog.Int("products", len(run.p.products)), slog.Int64("skus", b.Accepted), slog.Bool("resumed", resumed))
	return report, nil
}

// undone leaves out the products whose rows were stored before. next counts
// rows in the order of products, from 1.
func undone(products []*draft, next int64) []*draft {
	for next > 1 && len(products) > 0 {
		next -= int64(len(products[0].skus))
		products = products[1:]
	}
	return products
}

// store writes some products with the progress of their batch.
func (run *catalogRun) store(ctx context.Context, b *batch, part []*draft) error {
	contents, err := run.seal(ctx, part)
	if err != nil {
		return err
	}
	became := *b
	for _, d := range part {
		became.Next += int64(len(d.skus))
		became.Accepted += int64(len(d.skus))
	}
	fault.Point("imports.catalog.sealed")
	err = run.s.db.Update(ctx, func(tx *db.Tx) error {
		w := writer{tx: tx, run: run, contents: contents}
		if err := errors.Join(catalog.AloneTx(tx, run.merchantID), standsTx(tx, *b)); err != nil {
			return err
		}
		if err := w.store(ctx, part); err != nil {
			return err
		}
		return advanceTx(tx, *b, became)
	})
	fault.Point("imports.catalog.committed")
	if err != nil {
		return err
	}
	*b = became
	run.tell(became, false)
	return nil
}

func (run *catalogRun) tell(b batch, done bool) {
	read := run.size
	if total := int64(len(run.p.sheet.rows)); !done && total > 0 {
		read = run.size * b.Accepted / total
	}
	run.progress(Progress{
		Lines: b.Accepted, Accepted: b.Accepted, BytesRead: read, BytesTotal: run.size, Done: done,
	})
}

// seal encrypts the contents of some products that differ from what the shop
// has, outside of any transaction.
func (run *catalogRun) seal(ctx context.Context, part []*draft) (map[string]sealedContent, error) {
	out := map[string]sealedContent{}
	for _, d := range part {
		for _, k := range d.skus {
			if k.content == "" {
				continue
			}
			now, err := run.s.currentText(ctx, run.merchantID, k.sku.Code)
			if err != nil && errs.KindOf(err) != errs.NotFound {
				return nil, err
			}
			if bytes.Equal(now, []byte(k.content)) {
				continue
			}
			if out[k.sku.Code], err = run.s.sealText(k.content); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}
