package adminsock

import (
	"context"
	"io"
	"time"

	"panshi/internal/backup/ship"
	"panshi/internal/check"
	"panshi/internal/demo"
	"panshi/internal/errs"
	"panshi/internal/imports"
	"panshi/internal/notify"
	"panshi/internal/order"
	"panshi/internal/reconcile"
)

// Operations is what commands do to a shop. The composition root implements it
// on an open shop, Client on one that runs in another process. The progress
// functions are called one at a time, in order, before the method returns.
// Reports are valid with an error too: they tell what was done until then.
type Operations interface {
	// Check runs every invariant. progress is called before each.
	Check(ctx context.Context, progress func(name string, done, total int)) (check.Report, error)
	// Import reads file once, from its first byte to its end.
	Import(ctx context.Context, r ImportRequest, file io.Reader, progress func(imports.Progress)) (imports.Report, error)
	// Demo fills an empty shop; on one that it filled before it adds nothing.
	Demo(ctx context.Context, progress func(text string)) (demo.Summary, error)
	// SetupLink makes the one-time URL by which the owner of a merchant gets
	// into the console; "" is the first merchant.
	SetupLink(ctx context.Context, merchantSlug string) (string, error)
	// Reconcile compares a day of the shop's accounts with the platforms' bills.
	// What fails at one account is told in its report.
	Reconcile(ctx context.Context, r ReconcileRequest, progress func(ReconcileProgress)) (reconcile.Report, error)
	// Status tells what only an open shop knows.
	Status(ctx context.Context) (Status, error)
	// BackupStatus tells how far shipping is and what the spool has.
	BackupStatus(ctx context.Context) (ship.Status, error)
}

// ReconcileRequest chooses a day and accounts.
type ReconcileRequest struct {
	Date     string `json:"date"`               // such as 2026-05-03, in the platform's zone
	Merchant string `json:"merchant,omitempty"` // slug; "" is all
	Account  string `json:"account,omitempty"`  // id, or number at the platform; "" is all
}

// ReconcileProgress tells how far a run over one account is.
type ReconcileProgress struct {
	Step  string `json:"step"` // "fetch", "store", "match"
	Done  int64  `json:"done"`
	Total int64  `json:"total"` // lines of the bill, 0 if not known yet
}

// The kinds of imports.
const (
	Cards   = "cards"
	Catalog = "catalog"
)

// ImportRequest says what a file is and where it belongs.
type ImportRequest struct {
	Kind     string `json:"kind"`          // Cards or Catalog
	Merchant string `json:"merchant"`      // slug; "" is the first merchant
	SKU      string `json:"sku,omitempty"` // code, for cards
	FileName string `json:"file_name"`     // told in reports
	Size     int64  `json:"size"`          // bytes
	Digest   []byte `json:"digest"`        // SHA-256 of the file; an interrupted import is resumed by it
	DryRun   bool   `json:"dry_run"`       // only tell what would be
}

// Status is what only an open shop knows of itself.
type Status struct {
	Version string `json:"version"` // of the program
	Engine  string `json:"engine"`  // such as "SQLite 3.51.3"
	PID     int    `json:"pid"`
	// Roles are those of the process: "all", or their names.
	Roles []string `json:"roles"`
	// Replicas are the read replicas, none on SQLite.
	Replicas []Replica `json:"replicas,omitempty"`
	// Since is when it began to serve, zero in a shop that does not.
	Since time.Time `json:"since,omitzero"`
	// Shop, Console and Sandbox are URLs, "" where nothing listens.
	Shop    string `json:"shop,omitempty"`
	Console string `json:"console,omitempty"`
	Sandbox string `json:"sandbox,omitempty"`
	// ByCallback and ByQuery count the payments of the last 24 hours by how
	// the shop learned of them. Many by query and none by callback means that
	// callbacks do not arrive.
	ByCallback int64 `json:"by_callback"`
	ByQuery    int64 `json:"by_query"`
	// Holds counts payments that wait for a person.
	Holds int64 `json:"holds"`
	// Failing are the payment accounts that failed in the last hour, as this
	// process saw it.
	Failing []FailingAccount `json:"failing,omitempty"`
	// Unreconciled are the days that should be closed by now.
	Unreconciled reconcile.Late `json:"unreconciled"`
	// Unshipped is what would be lost with this machine; nil if nothing is copied
	// to other places.
	Unshipped *Unshipped `json:"unshipped,omitempty"`
	// Alerts tells how alerting fares.
	Alerts notify.Standing `json:"alerts"`
}

// Unshipped is what no destination is known to have.
type Unshipped struct {
	Point  time.Time     `json:"point,omitzero"` // of the newest state that one has; zero: none has any
	Label  string        `json:"label,omitempty"`
	Orders []order.Since `json:"orders,omitempty"`
	More   bool          `json:"more,omitempty"` // there are more than were counted
}

// FailingAccount is a payment account that failed lately.
type FailingAccount struct {
	Merchant string    `json:"merchant"` // slug
	Provider string    `json:"provider"`
	Method   string    `json:"method"`
	Number   string    `json:"number"`          // the merchant number at the platform
	Bills    bool      `json:"bills,omitempty"` // what failed are its bills
	Breaker  string    `json:"breaker"`         // "closed", "open", "half-open"
	Errors   float64   `json:"errors"`          // share of calls that failed lately
	FailedAt time.Time `json:"failed_at"`
	Since    time.Time `json:"since,omitzero"` // no call was answered since; zero if the last one was
}

// Replica is a read replica as the process sees it.
type Replica struct {
	Address string        `json:"address"`
	Lag     time.Duration `json:"lag_ns"` // at most so far behind
	InUse   bool          `json:"in_use"`
}

// Errors of this package.
var (
	ErrNotRunning = errs.New(errs.Unavailable, "shop_not_running", "no shop is running in this data directory")
	ErrRunning    = errs.New(errs.Conflict, "shop_running", "a shop is running in this data directory already")
	errGone       = errs.New(errs.Unavailable, "shop_gone", "the shop stopped before it had answered")
	errStopping   = errs.New(errs.Unavailable, "shutting_down", "the shop is stopping; try again when it is back")
	errStranger   = errs.New(errs.Forbidden, "socket_forbidden",
		"only root and the user of the shop may use its admin socket")
	errImpostor = errs.New(errs.Forbidden, "socket_not_trusted",
		"the admin socket is answered by another user than the one who owns the data directory")
)
