package app

import (
	"context"
	"io"

	"panshi/internal/adminsock"
	"panshi/internal/audit"
	"panshi/internal/backup/ship"
	"panshi/internal/check"
	"panshi/internal/db"
	"panshi/internal/demo"
	"panshi/internal/errs"
	"panshi/internal/imports"
	"panshi/internal/merchant"
	"panshi/internal/reconcile"
)

// A Shop is what commands work on, here or through the socket.
var (
	_ adminsock.Operations = (*Shop)(nil)
	_ adminsock.Setup      = (*Shop)(nil)
	_ adminsock.Alerts     = (*Shop)(nil)
	_ adminsock.Backups    = (*Shop)(nil)
)

// asCommand notes in ctx that a command acts.
func asCommand(ctx context.Context, name string) context.Context {
	return audit.WithOrigin(ctx, audit.Actor{Kind: "command", ID: name}, "")
}

// Check runs every invariant.
func (s *Shop) Check(ctx context.Context, progress func(name string, done, total int)) (check.Report, error) {
	return check.Run(ctx, s.db, Invariants(), progress)
}

// Reconcile compares a day with the platforms' bills.
func (s *Shop) Reconcile(ctx context.Context, r adminsock.ReconcileRequest, progress func(adminsock.ReconcileProgress)) (reconcile.Report, error) {
	q := reconcile.Request{Account: r.Account, Date: r.Date}
	if r.Merchant != "" {
		m, err := s.merchantOf(ctx, r.Merchant)
		if err != nil {
			return reconcile.Report{}, err
		}
		q.MerchantID = m.ID
	}
	return s.reconcile.Reconcile(asCommand(ctx, "reconcile"), q, func(step string, done, total int64) {
		progress(adminsock.ReconcileProgress{Step: step, Done: done, Total: total})
	})
}

// Import imports a file of card keys or of products.
func (s *Shop) Import(ctx context.Context, r adminsock.ImportRequest, file io.Reader, progress func(imports.Progress)) (imports.Report, error) {
	m, err := s.merchantOf(ctx, r.Merchant)
	if err != nil {
		return imports.Report{}, err
	}
	ctx = asCommand(ctx, "import")
	switch r.Kind {
	case adminsock.Cards:
		return s.imports.Cards(ctx, imports.CardsRequest{
			MerchantID: m.ID, SKUCode: r.SKU, FileName: r.FileName, Source: file, Size: r.Size, Digest: r.Digest, DryRun: r.DryRun,
		}, progress)
	case adminsock.Catalog:
		return s.imports.Catalog(ctx, imports.CatalogRequest{
			MerchantID: m.ID, FileName: r.FileName, Source: file, DryRun: r.DryRun,
		}, progress)
	}
	return imports.Report{}, errs.Field("kind", "invalid_kind", "an import is of cards or of a catalog")
}

// Demo fills an empty shop, and gives its merchants accounts at the simulator
// that a running shop sells through.
func (s *Shop) Demo(ctx context.Context, progress func(text string)) (demo.Summary, error) {
	progress("filling the demo shop")
	summary, err := demo.Fill(ctx, demo.Services{DB: s.db, Merchants: s.merchants, Imports: s.imports, Log: s.log})
	if err != nil || !s.serving.Load() {
		return summary, err
	}
	return summary, s.enlist(ctx)
}

// SetupLink makes the owner's one-time URL. The token stands behind '#', so
// that no server and no log ever sees it. An unused earlier link stops working.
func (s *Shop) SetupLink(ctx context.Context, merchantSlug string) (string, error) {
	m, err := s.merchantOf(ctx, merchantSlug)
	if err != nil {
		return "", err
	}
	token, err := s.access.ReissueSetupLink(asCommand(ctx, "setup-link"), m.ID)
	if err != nil {
		return "", err
	}
	return urlOf(s.cfg.Console) + "/setup#" + token, nil
}

// BackupStatus tells how far shipping is and what the spool has.
func (s *Shop) BackupStatus(ctx context.Context) (ship.Status, error) { return s.db.backup.status(ctx) }

// merchantOf finds a merchant by slug, the default one for "".
func (s *Shop) merchantOf(ctx context.Context, slug string) (m merchant.Merchant, err error) {
	err = s.db.View(ctx, func(tx *db.Tx) error {
		m, err = merchantTx(tx, slug)
		return err
	})
	return m, err
}

// merchantTx reads past the directory of merchants in memory: what the command
// before this one made is found.
func merchantTx(tx *db.Tx, slug string) (merchant.Merchant, error) {
	all, err := merchant.AllTx(tx)
	if err != nil {
		return merchant.Merchant{}, err
	}
	if len(all) == 0 {
		return merchant.Merchant{}, errNoShop
	}
	for _, m := range all {
		if slug == "" || m.Slug == slug {
			return m, nil
		}
	}
	return merchant.Merchant{}, merchant.ErrNotFound
}
