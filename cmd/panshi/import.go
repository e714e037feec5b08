package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"panshi/internal/adminsock"
	"panshi/internal/errs"
	"panshi/internal/imports"
)

// shownFindings is how many findings the text of a report lists.
const shownFindings = 20

type importCmd struct {
	Catalog importCatalogCmd `cmd:"" help:"Import products from a CSV file."`
	Cards   importCardsCmd   `cmd:"" help:"Import card keys, one a line."`
}

// importFlags are what both imports take.
type importFlags struct {
	File     string  `arg:"" help:"The file: UTF-8 or GB18030."`
	Merchant *string `placeholder:"SLUG" help:"Whose (default: the first merchant)."`
	DryRun   bool    `help:"Only tell what would be imported."`
}

type importCatalogCmd struct {
	importFlags
}

// Help implements kong.HelpProvider.
func (importCatalogCmd) Help() string {
	return `A row is a SKU; rows with the same slug are one product. If a single row is bad, nothing is imported.

  panshi import catalog products.csv --dry-run
  panshi import catalog products.csv --merchant demo`
}

// Run imports a catalogue.
func (c importCatalogCmd) Run(ctx context.Context, g *globals, t *terminal) error {
	return c.run(ctx, g, t, adminsock.ImportRequest{Kind: adminsock.Catalog})
}

type importCardsCmd struct {
	SKU *string `name:"sku" placeholder:"CODE" help:"The SKU that the cards are of (required)."`
	importFlags
}

// Help implements kong.HelpProvider.
func (importCardsCmd) Help() string {
	return `Cards that the merchant has already are counted and left out, so a file may be imported again; an import that
was interrupted goes on where it stopped. Nothing is written in clear anywhere. Exit 1 if lines were bad.

  panshi import cards --sku steam-50 keys.txt
  panshi import cards --sku steam-50 keys.txt --dry-run --json`
}

// Run imports card keys.
func (c importCardsCmd) Run(ctx context.Context, g *globals, t *terminal) error {
	if c.SKU == nil {
		return usage("--sku", "is required: the code of the SKU that the cards are of")
	}
	if err := plain("--sku", *c.SKU, 64); err != nil {
		return err
	}
	return c.run(ctx, g, t, adminsock.ImportRequest{Kind: adminsock.Cards, SKU: *c.SKU})
}

// run measures the file, imports it and reports.
func (f importFlags) run(ctx context.Context, g *globals, t *terminal, r adminsock.ImportRequest) error {
	var err error
	if r.Merchant, err = merchantSlug(f.Merchant); err != nil {
		return err
	}
	r.FileName, r.DryRun = filepath.Base(f.File), f.DryRun
	file, err := openFile(f.File)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := measure(ctx, file, &r); err != nil {
		return err
	}
	return withShop(ctx, g, t, refuse, func(s *shop) error {
		m := newMeter(ctx, t, "import")
		report, err := s.Import(ctx, r, file, func(p imports.Progress) {
			m.step(p.BytesRead, p.BytesTotal, plural(p.Lines, "line"))
		})
		m.end()
		return f.tell(t, r, report, nameFlag(err))
	})
}

// nameFlag says by which flag something was looked for in vain.
func nameFlag(err error) error {
	flags := map[string]string{"sku_not_found": "sku", "merchant_not_found": "merchant"}
	e, known := errors.AsType[*errs.Error](err)
	if !known || e.Field != "" || flags[e.Code] == "" {
		return err
	}
	named := *e
	named.Field = flags[e.Code]
	return &named
}

// openFile opens a file to import. It is read twice, so a pipe will not do.
func openFile(path string) (*os.File, error) {
	if err := plain("FILE", path, 4096); err != nil {
		return nil, err
	}
	info, err := os.Stat(path) // before it is opened: opening a pipe waits
	if err == nil && !info.Mode().IsRegular() {
		return nil, usage("FILE", path+" is not a regular file")
	}
	if err != nil {
		return nil, fileError(path, err)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, fileError(path, err)
	}
	return file, nil
}

func fileError(path string, err error) error {
	e := errs.Wrap(errors.Unwrap(err), errs.Invalid, "file_unreadable", "cannot read "+path)
	if errors.Is(err, fs.ErrPermission) {
		e.Kind = errs.Forbidden
	}
	e.Field = "file"
	return e
}

// measure finds size and digest of the file and goes back to its start.
func measure(ctx context.Context, file *os.File, r *adminsock.ImportRequest) (err error) {
	sum := sha256.New()
	if r.Size, err = io.Copy(sum, reader{ctx, file}); err != nil {
		return err
	}
	if r.Size == 0 {
		return usage("FILE", "is empty")
	}
	r.Digest = sum.Sum(nil)
	_, err = file.Seek(0, io.SeekStart)
	return err
}

// reader ends with its context: a file on a slow disk can be long.
type reader struct {
	ctx context.Context //nolint:containedctx // lives as long as the one copy
	r   io.Reader
}

func (r reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

// importReport is the JSON form of a report.
type importReport struct {
	BatchID    string            `json:"batch_id,omitempty"`
	Kind       string            `json:"kind"`
	File       string            `json:"file"`
	DryRun     bool              `json:"dry_run"`
	Resumed    bool              `json:"resumed"`
	Lines      int64             `json:"lines"`
	Accepted   int64             `json:"accepted"`
	Duplicates int64             `json:"duplicates"`
	Bad        int64             `json:"bad"`
	Findings   []imports.Finding `json:"findings"`
	Truncated  bool              `json:"truncated"` // there were more findings
}

// tell prints a report and says how the command ends. A report of nothing is
// not told; its error says all.
func (f importFlags) tell(t *terminal, r adminsock.ImportRequest, report imports.Report, err error) error {
	if err != nil && report.Lines == 0 && len(report.Findings) == 0 {
		return err
	}
	told := importReport{
		Kind: r.Kind, File: r.FileName, DryRun: r.DryRun, Resumed: report.Resumed, Lines: report.Lines,
		Accepted: report.Accepted, Duplicates: report.Duplicates, Bad: report.Bad,
		Findings: slices.Concat([]imports.Finding{}, report.Findings), Truncated: report.Truncated,
	}
	if !report.BatchID.IsZero() {
		told.BatchID = report.BatchID.String()
	}
	if err2 := t.result(told, told.text); err2 != nil {
		return err2
	}
	if err == nil && report.Bad > 0 || errs.CodeOf(err) == "catalog_bad_rows" {
		return errFindings
	}
	return err
}

// text prints a report, the bad lines first: they are what must be mended.
func (r importReport) text(w io.Writer) {
	verb := "read"
	if r.DryRun {
		verb = "tried"
	}
	fmt.Fprintf(w, "%s %s of %s: %s accepted, %s, %s bad\n", verb, plural(r.Lines, "line"), oneLine(r.File),
		count(r.Accepted), plural(r.Duplicates, "duplicate"), count(r.Bad))
	if r.DryRun {
		fmt.Fprintln(w, "nothing was imported: this was a dry run")
	} else if r.Kind == adminsock.Catalog && r.Bad > 0 {
		fmt.Fprintln(w, "nothing was imported: mend these rows first")
	}
	if r.Resumed {
		fmt.Fprintln(w, "an interrupted import was continued")
	}
	ordered := slices.Clone(r.Findings)
	slices.SortStableFunc(ordered, func(a, b imports.Finding) int { return rank(a) - rank(b) })
	for _, f := range ordered[:min(len(ordered), shownFindings)] {
		fmt.Fprintln(w, "  "+where(f)+": "+oneLine(f.Text))
	}
	if more := r.Duplicates + r.Bad - shownFindings; more > 0 && len(ordered) >= shownFindings {
		fmt.Fprintf(w, "  and %s more (--json lists up to 1,000)\n", count(more))
	}
}

func rank(f imports.Finding) int {
	if f.Code == imports.Duplicate {
		return 1
	}
	return 0
}

func where(f imports.Finding) string {
	if f.Column == "" {
		return "line " + count(f.Line)
	}
	return "line " + count(f.Line) + ", column " + oneLine(f.Column)
}
