package app

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"sync/atomic"
	"time"

	"panshi/internal/access"
	"panshi/internal/account"
	"panshi/internal/adminsock"
	"panshi/internal/archive"
	"panshi/internal/audit"
	"panshi/internal/backup/ship"
	"panshi/internal/backup/standby"
	"panshi/internal/cache"
	"panshi/internal/catalog"
	"panshi/internal/checkout"
	"panshi/internal/clock"
	"panshi/internal/dataclass"
	"panshi/internal/db"
	"panshi/internal/delivery"
	"panshi/internal/errs"
	"panshi/internal/guard"
	"panshi/internal/i18n"
	"panshi/internal/id"
	"panshi/internal/imports"
	"panshi/internal/invariant"
	"panshi/internal/jobs"
	"panshi/internal/ledger"
	"panshi/internal/merchant"
	"panshi/internal/notify"
	"panshi/internal/order"
	"panshi/internal/payment"
	"panshi/internal/payment/routing"
	"panshi/internal/reconcile"
	"panshi/internal/stock"
	"panshi/internal/vault"
	"panshi/internal/web"
)

// Shop is an open shop: its data directory is locked, its database and vault
// are open, its services are built. Nothing listens yet.
type Shop struct {
	cfg       Config
	log       *slog.Logger
	lock      *db.DirLock
	db        *database
	vault     *vault.Vault
	merchants *merchant.Service
	catalog   *catalog.Service // of staff
	bulkhead  *guard.Bulkhead
	shelves   *catalog.Service // of buyers, behind the bulkhead
	versions  *cache.Versions
	ready     *cache.Cache[*web.Ready]
	accounts  *payment.Accounts
	router    *routing.Router
	checkout  *checkout.Service
	archive   *archive.Service
	reconcile *reconcile.Service
	imports   *imports.Service
	access    *access.Service
	approvals *access.Approvals
	notify    *notify.Service
	watched   *watchedCopies
	sandbox   *sandboxLink
	serving   atomic.Bool
	since     atomic.Pointer[time.Time] // when it began to serve
}

// OpenLocal locks and opens the shop in cfg.Data for this process alone. It
// ships nothing.
func OpenLocal(ctx context.Context, cfg Config, log *slog.Logger) (*Shop, error) {
	return open(ctx, cfg, log, openDatabase)
}

// open does OpenLocal's work with the database that an opener gives.
func open(ctx context.Context, cfg Config, log *slog.Logger,
	opener func(context.Context, Config, *slog.Logger) (*database, error),
) (*Shop, error) {
	if err := checkDir(cfg.Data); err != nil {
		return nil, err
	}
	if standby.Is(cfg.Data) {
		return nil, adminsock.ErrStandby
	}
	lock, err := db.LockDir(cfg.Data)
	if err != nil {
		return nil, err
	}
	d, err := opener(ctx, cfg, log)
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	s := &Shop{cfg: cfg, log: log, lock: lock, db: d}
	if err := s.build(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// build makes the services.
func (s *Shop) build(ctx context.Context) (err error) {
	if err := s.servable(ctx); err != nil {
		return err
	}
	if s.vault, err = openVault(ctx, s.db, s.cfg); err != nil {
		return err
	}
	if err := s.db.backup.start(ctx, s.vault); err != nil {
		return err
	}
	s.merchants = merchant.NewService(s.db, clock.System{})
	s.sandbox = newSandboxLink(s.cfg.Sandbox)
	s.catalog = catalog.NewService(s.db)
	s.bulkhead = newBulkhead(s.cfg, s.db)
	s.shelves = catalog.NewService(s.bulkhead)
	s.versions = cache.NewVersions(s.db, clock.System{}, s.log)
	if s.ready, err = cache.New[*web.Ready](s.cfg.Cache, s.versions, clock.System{}, s.log); err != nil {
		return err
	}
	s.accounts = payment.NewAccounts(s.db, s.vault, providers(newOutbound()))
	s.router = routing.New(s.accounts, clock.System{}, s.log)
	s.checkout = checkout.New(s.db, s.vault, s.router, s.shopConfig(), clock.System{}, s.log)
	s.archive = archive.New(s.db, s.cfg.Archive, clock.System{})
	s.reconcile = reconcile.New(s.db, s.vault, s.router, s.door(), clock.System{}, s.log)
	s.imports = imports.New(s.db, s.vault, s.log)
	s.access = access.NewService(s.db, s.vault, clock.System{})
	texts, err := i18n.Load()
	if err != nil {
		return err
	}
	s.notify = notify.New(s.db, s.cfg.Notify, notifyWays(), texts, s.shopName, clock.System{}, s.log)
	s.approvals = access.NewApprovals(s.access, s.effects(), s.tellApproval)
	s.watched = newWatchedCopies(s.cfg.look, clock.System{}, s.log)
	return nil
}

// shopName is what a merchant is called in alerts, "" if that cannot be asked.
func (s *Shop) shopName(merchantID id.ID) string {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	all, err := s.merchants.All(ctx)
	if err != nil {
		return ""
	}
	for _, m := range all {
		if m.ID == merchantID {
			return m.Name
		}
	}
	return ""
}

// door is where reconciling brings the platforms' answers.
func (s *Shop) door() reconcile.Door {
	return reconcile.Door{
		Settle: func(ctx context.Context, a payment.Account, r payment.Report) error {
			_, err := s.checkout.Settle(ctx, a, r, "query")
			return err
		},
		SettleRefund: s.checkout.SettleRefund, UnderLimit: checkout.UnderLimitTx,
	}
}

// shopConfig lifts the caps on unpaid orders together with the rate limits.
func (s *Shop) shopConfig() checkout.Config {
	cfg := s.cfg.Shop
	if s.cfg.Guard.Limits == guard.Off {
		cfg.UnpaidLimit = 0
	}
	return cfg
}

// effects are what approvals of all kinds do.
func (s *Shop) effects() map[string]access.Effect {
	all := s.checkout.Effects()
	maps.Copy(all, s.accounts.Effects())
	maps.Copy(all, s.access.Effects())
	maps.Copy(all, s.reconcile.Effects())
	return all
}

// Close closes the database and gives the data directory back.
func (s *Shop) Close() error {
	return errors.Join(s.db.Close(), s.lock.Close())
}

// Invariants are those of all packages, the promises of the shop first.
func Invariants() []invariant.Invariant {
	var all []invariant.Invariant
	for _, list := range [][]invariant.Invariant{
		checkout.Invariants(), stock.Invariants(), delivery.Invariants(), order.Invariants(), payment.Invariants(),
		ledger.Invariants(), account.Invariants(), catalog.Invariants(), merchant.Invariants(), jobs.Invariants(), imports.Invariants(),
		access.Invariants(), audit.Invariants(), reconcile.Invariants(), notify.Invariants(),
	} {
		all = append(all, list...)
	}
	return all
}

// Columns are the data classes of every table of the shop.
func Columns() []dataclass.Table {
	var all []dataclass.Table
	for _, list := range [][]dataclass.Table{
		merchant.Columns(), cache.Columns(), catalog.Columns(), stock.Columns(), order.Columns(), payment.Columns(), delivery.Columns(),
		ledger.Columns(), account.Columns(), audit.Columns(), jobs.Columns(), checkout.Columns(), imports.Columns(), access.Columns(),
		reconcile.Columns(), notify.Columns(), ship.Columns(),
		{dataclass.Of("leases", dataclass.Trade, []string{"name", "holder", "fence", "until_ms"})},
	} {
		all = append(all, list...)
	}
	return all
}

// errNoShop says that a command needs a merchant and there is none.
var errNoShop = errs.New(errs.NotFound, "no_merchant", "there is no shop in this data directory yet; `panshi merchant put` or `panshi demo` makes one")

// tellApproval tells an outside channel that one person asks for what two should
// do.
func (s *Shop) tellApproval(ctx context.Context, a access.Approval) error {
	return s.notify.Alert(ctx, notify.Alert{
		Code: "approval_waiting", MerchantID: a.MerchantID, Subject: a.ID.String(), Severity: notify.Critical,
		Args: map[string]string{"action": a.Kind, "login": a.Maker},
	})
}
