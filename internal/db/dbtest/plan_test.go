package dbtest_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"panshi/internal/access"
	"panshi/internal/app"
	"panshi/internal/archtest"
	"panshi/internal/catalog"
	"panshi/internal/clock"
	"panshi/internal/db"
	"panshi/internal/db/dbtest"
	"panshi/internal/errs"
	"panshi/internal/id"
	"panshi/internal/jobs"
	"panshi/internal/merchant"
	"panshi/internal/money"
	"panshi/internal/order"
	"panshi/internal/stock"
	"panshi/internal/vault"
)

// small are the tables that never have more than 1,000 rows: reading one from
// end to end is no matter.
func small() map[string]string {
	return map[string]string{
		"merchants":        "people and companies who were approved one by one",
		"payment_accounts": "a few a merchant, put there by hand",
	}
}

// scan is a statement that may read a table from end to end.
type scan struct {
	table, head string // head is how the statement begins
	why         string
}

func allowedScans() []scan {
	return []scan{
		{"ledger_postings", "SELECT COALESCE(SUM(amount), 0) FROM (SELECT amount FROM ledger_postings", "a balance is for " +
			"reports, no page asks for one; an index by account would be written with every sale"},
		{"catalog_versions", "SELECT merchant_id, CAST(SUM(version) AS BIGINT) FROM catalog_versions GROUP BY", "it asks for " +
			"all merchants at once, and each has as many rows as changes of its shelf ever ran at the same time: a few"},
	}
}

// tools are packages whose statements never run on a shop that is open.
func tools() map[string]string {
	return map[string]string{
		"internal/bench/":         "works on scratch data of its own, and refuses a shop's",
		"internal/backup/drill/":  "takes copies apart that were restored to be taken apart",
		"internal/backup/pgtest/": "writes to the server of a test",
		"internal/migrate/":       "moves a shop that is stopped, and opens the first and the last row of three tables",
	}
}

// tool is the entry of tools that a place in the source belongs to, if any.
func tool(where string) string {
	for dir := range tools() {
		if strings.HasPrefix(where, dir) {
			return dir
		}
	}
	return ""
}

// asked is what an engine runs of a text, or nothing if the text stands beside
// another one for the other engine, or is asked of a copy that only one has. That
// it is is told by what the other cannot read; a text that says none of this is
// asked of both.
func asked(engine db.Engine, text string) string {
	if engine != db.SQLite {
		for _, only := range []string{"sqlite_schema", "pragma_"} {
			if strings.Contains(text, only) {
				return ""
			}
		}
		return text
	}
	text = strings.TrimSuffix(text, archtest.ForUpdate)
	for _, only := range []string{" FOR UPDATE", " FOR NO KEY UPDATE", "_default", "pg_", "::", "UNNEST(", "= ANY(", "generate_series("} {
		if strings.Contains(text, only) {
			return ""
		}
	}
	return text
}

// TestNoStatementReadsAWholeTable asks both engines for the plan of every
// statement in the source. (P80)
func TestNoStatementReadsAWholeTable(t *testing.T) {
	t.Parallel()
	found, err := archtest.Statements(os.DirFS("../../.."))
	require.NoError(t, err)
	all := complete(t, found, walked(t))
	require.Greater(t, len(all), 150)
	used := map[string]bool{}
	for engine, planner := range dbtest.Planners(t) {
		planted, err := planner.Scans(`SELECT o.id FROM orders o WHERE o.currency = $1`)
		require.NoError(t, err)
		require.Equal(t, []string{"orders"}, planted, "%s hides a whole read", engine)
		for _, s := range all {
			text := asked(engine, s.Text)
			if text == "" {
				continue
			}
			tables, err := planner.Scans(text)
			if dir := tool(s.Where); err != nil && dir != "" { // put together when it runs
				used[dir] = true
				continue
			}
			if err != nil {
				t.Errorf("%s: %s: %v", s.Where, engine, err)
			}
			for _, table := range tables {
				if small()[table] != "" {
					continue
				}
				if allowed := exception(table, s); allowed != "" {
					used[allowed] = true
				} else {
					t.Errorf("%s: %s reads all of %s: %s", s.Where, engine, table, s.Text)
				}
			}
		}
	}
	for _, a := range allowedScans() {
		assert.True(t, used[a.head], "nothing needs the exception of %s: %s", a.table, a.head)
	}
	for dir := range tools() {
		assert.True(t, used[dir], "nothing needs the exception of %s", dir)
	}
}

// exception names what allows a statement to read a whole table: the head of a
// scan or a tool.
func exception(table string, s archtest.Statement) string {
	i := slices.IndexFunc(allowedScans(), func(a scan) bool { return a.table == table && strings.HasPrefix(s.Text, a.head) })
	if i >= 0 {
		return allowedScans()[i].head
	}
	return tool(s.Where)
}

// complete leaves out what `panshi check` runs, and puts what really ran in the
// place of texts that are put together at run time.
func complete(t *testing.T, found []archtest.Statement, ran []string) []archtest.Statement {
	checks := map[string]bool{}
	for _, inv := range app.Invariants() {
		checks[archtest.Squeeze(inv.Query)] = true
	}
	var all []archtest.Statement
	for _, s := range found {
		switch {
		case checks[s.Text]: // made for it, on a reader of its own
		case s.Dynamic() && tool(s.Where) != "": // of a table that it is told when it runs
		case !s.Dynamic():
			all = append(all, s)
		default:
			same := slices.DeleteFunc(slices.Clone(ran), func(r string) bool { return !s.Made(r) })
			if len(same) == 0 {
				t.Errorf("%s: put together at run time, and walked does not run it: %s", s.Where, s.Text)
			}
			for _, r := range same {
				all = append(all, archtest.Statement{Where: s.Where, Text: r})
			}
		}
	}
	return all
}

// walked runs the code that puts statements together, in all ways that it can,
// and returns what it made.
func walked(t *testing.T) (ran []string) {
	dbtest.Engines(t, func(t *testing.T, open func(dbtest.Options) db.DB) {
		r := dbtest.Record(open(dbtest.Options{}))
		ctx := context.Background()
		m, err := merchant.NewService(r, clock.System{}).Put(ctx, merchant.Merchant{Slug: "m", Name: "m", Currency: money.CNY, Open: true})
		require.NoError(t, err)
		p, err := catalog.NewService(r).Put(ctx, catalog.Product{
			MerchantID: m.ID, Slug: "p", Kind: catalog.Card, Title: "p", On: true,
			SKUs: []catalog.SKU{{Code: "p", Price: money.Of(1, money.CNY), On: true}},
		})
		require.NoError(t, err)
		require.NoError(t, r.View(ctx, func(tx *db.Tx) error { return walkTx(tx, m.ID) }))
		walkCards(t, r, p)
		walkJobs(t, r, m.ID)
		walkSignIn(t, r)
		_ = r.Update(ctx, func(tx *db.Tx) error { return order.ArchiveTx(tx, []id.ID{id.New()}) }) // there is no such order
		require.NoError(t, r.Update(ctx, func(tx *db.Tx) error {
			return db.PartitionTx(tx, "archived_orders", db.MonthOf(id.Lowest(time.Now())))
		}))
		for _, s := range r.Take() {
			ran = append(ran, archtest.Squeeze(s.Query))
		}
	})
	// Of package imports, which puts as many parameters as it has keys.
	ran = append(ran, `SELECT content_index FROM cards WHERE merchant_id = $1 AND content_index IN (NULL, $2, $3)`)
	slices.Sort(ran)
	return slices.Compact(ran)
}

// walkCards stores as few cards as one statement takes, and as many.
func walkCards(t *testing.T, d db.DB, p catalog.Product) {
	var cards []stock.SealedCard
	for i := range byte(26) {
		cards = append(cards, stock.SealedCard{ID: id.New(), Content: []byte{i}, Index: []byte{i}})
	}
	require.NoError(t, d.Update(t.Context(), func(tx *db.Tx) error {
		_, err := stock.AddCardsTx(tx, p.MerchantID, p.SKUs[0].ID, id.New(), cards)
		return err
	}))
}

// walkJobs claims a job.
func walkJobs(t *testing.T, d db.DB, merchantID id.ID) {
	require.NoError(t, d.Update(t.Context(), func(tx *db.Tx) error {
		return jobs.EnqueueTx(tx, merchantID, "walk", id.New())
	}))
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	walk := func(context.Context, jobs.Job) error {
		stop()
		return nil
	}
	jobs.NewRunner(d, "walker", map[string]jobs.Handler{"walk": walk}, nil, clock.System{}, slog.New(slog.DiscardHandler)).Run(ctx)
}

// walkSignIn looks for an account that is not there.
func walkSignIn(t *testing.T, d db.DB) {
	dir := t.TempDir()
	v, err := vault.Create(vault.Config{KeyFile: filepath.Join(dir, "key"), Dir: filepath.Join(dir, "keys")})
	require.NoError(t, err)
	_, err = access.NewService(d, v, clock.System{}).SignIn(t.Context(), access.SignInRequest{Login: "nobody", Password: "nothing that is right"})
	require.Equal(t, access.ErrSignIn.Code, errs.CodeOf(err))
}

func walkTx(tx *db.Tx, merchantID id.ID) error {
	for _, status := range []order.Status{"", order.Closed} {
		for _, before := range []id.ID{{}, id.New()} {
			if _, err := order.ListTx(tx, merchantID, order.Filter{Status: status, Before: before, Limit: 1}); err != nil {
				return err
			}
		}
	}
	_, byID := order.ByIDTx(tx, merchantID, id.New())
	_, byNo := order.ByNoTx(tx, merchantID, "20260101")
	if byID == nil || byNo == nil {
		return order.ErrMove
	}
	if _, err := order.LinesTx(tx, order.Order{ID: id.New(), MerchantID: merchantID}); err != nil {
		return err
	}
	for _, category := range []string{"", "c"} {
		for _, text := range []string{"", "t"} {
			for _, off := range []bool{false, true} {
				q := catalog.ListQuery{Category: category, Text: text, IncludeOff: off, Limit: 1}
				if _, err := catalog.ListTx(tx, merchantID, q); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
