package dbtest_test

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/app"
	"panshi/internal/archtest"
	"panshi/internal/catalog"
	"panshi/internal/clock"
	"panshi/internal/db"
	"panshi/internal/db/dbtest"
	"panshi/internal/id"
	"panshi/internal/merchant"
	"panshi/internal/money"
	"panshi/internal/order"
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
	}
}

// serverOnly tells that a statement stands beside another one for SQLite.
func serverOnly(text string) bool {
	return strings.Contains(text, " FOR UPDATE") || strings.Contains(text, "_default") || strings.Contains(text, "pg_")
}

// TestNoStatementReadsAWholeTable asks both engines for the plan of every
// statement in the source. (P80)
func TestNoStatementReadsAWholeTable(t *testing.T) {
	t.Parallel()
	found, err := archtest.Statements(os.DirFS("../../.."))
	require.NoError(t, err)
	all := complete(t, found, walked(t))
	require.Greater(t, len(all), 150)
	used := map[scan]bool{}
	for engine, planner := range dbtest.Planners(t) {
		planted, err := planner.Scans(`SELECT o.id FROM orders o WHERE o.currency = $1`)
		require.NoError(t, err)
		require.Equal(t, []string{"orders"}, planted, "%s hides a whole read", engine)
		for _, s := range all {
			if engine == db.SQLite && serverOnly(s.Text) {
				continue
			}
			tables, err := planner.Scans(s.Text)
			if err != nil {
				t.Errorf("%s: %s: %v", s.Where, engine, err)
			}
			for _, table := range tables {
				i := slices.IndexFunc(allowedScans(), func(a scan) bool { return a.table == table && strings.HasPrefix(s.Text, a.head) })
				if i >= 0 {
					used[allowedScans()[i]] = true
				} else if small()[table] == "" {
					t.Errorf("%s: %s reads all of %s: %s", s.Where, engine, table, s.Text)
				}
			}
		}
	}
	for _, a := range allowedScans() {
		if !used[a] {
			t.Errorf("nothing needs the exception of %s: %s", a.table, a.head)
		}
	}
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
		_, err = catalog.NewService(r).Put(ctx, catalog.Product{
			MerchantID: m.ID, Slug: "p", Kind: catalog.Text, Title: "p", On: true,
			SKUs: []catalog.SKU{{Code: "p", Price: money.Of(1, money.CNY), On: true}},
		})
		require.NoError(t, err)
		require.NoError(t, r.View(ctx, func(tx *db.Tx) error { return walkTx(tx, m.ID) }))
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
