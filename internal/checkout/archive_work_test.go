package checkout_test

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/audit"
	"panshi/internal/catalog"
	"panshi/internal/clock"
	"panshi/internal/db"
	"panshi/internal/db/dbtest"
	"panshi/internal/db/postgres"
	"panshi/internal/db/sqlite"
	"panshi/internal/id"
	"panshi/internal/order"
)

const monthly = 100 // orders a month of a history

// remember writes orders that were bought and completed from a time on, one an
// hour, with all that a sale leaves behind; prefix is that of the archive's
// tables, or nothing.
func (s *aged) remember(prefix string, from time.Time, sku catalog.SKU) {
	s.t.Helper()
	lite, server := `unhex(printf('%012x%020x', at, N))`, `decode(lpad(to_hex(at), 12, '0') || lpad(to_hex(N), 20, '0'), 'hex')`
	for _, query := range []string{
		`INSERT INTO order_numbers (order_no, merchant_id, order_id) SELECT '00000' || at, MER, ID1 FROM hours`,
		`INSERT INTO +orders (id, merchant_id, order_no, status, currency, total, contact_kind, contact_sealed, contact_index,
			lang, expires_at, created_at, paid_at, delivered_at) SELECT ID1, MER, '00000' || at, 'completed', 'CNY', 100, 'email',
			ID9, ID9, 'zh-CN', at, at, at, at FROM hours`,
		`INSERT INTO +order_lines (order_id, line_no, merchant_id, product_id, sku_id, kind, title, quantity, unit_price,
			amount, stock_mode, limited) SELECT ID1, 1, MER, PRO, SKU, 'text', 'a title', 1, 100, 100, 'unlimited', 0 FROM hours`,
		`INSERT INTO payments (id, merchant_id, order_id, account_id, payment_no, provider, method, status, amount, currency,
			received, created_at, paid_at) SELECT ID2, MER, ID1, (SELECT id FROM payment_accounts), 'P' || at, 'wechatpay', 'native',
			'paid', 100, 'CNY', 100, at, at FROM hours`,
		`INSERT INTO ledger_entries (id, merchant_id, kind, subject_id, created_at) SELECT ID3, MER, 'payment', ID2, at
			FROM hours`,
		`INSERT INTO +ledger_postings (entry_id, leg, merchant_id, account, amount, currency)
			SELECT ID3, 1, MER, 'provider/x', 100, 'CNY' FROM hours
			UNION ALL SELECT ID3, 2, MER, 'sales', -100, 'CNY' FROM hours`,
		`INSERT INTO +audit_records (id, merchant_id, actor_kind, action, subject_kind, subject_id, at)
			SELECT ID4, MER, 'system', 'order.settled', 'order', ID1, at FROM hours
			UNION ALL SELECT ID5, MER, 'buyer', 'order.goods_revealed', 'order', ID1, at FROM hours`,
	} {
		require.NoError(s.t, s.db.Update(s.t.Context(), func(tx *db.Tx) error {
			at, blob := lite, `x'%x'`
			if tx.Engine() == db.Postgres {
				at, blob = server, `CAST('\x%x' AS bytea)`
			}
			for name, v := range map[string]id.ID{"MER": s.merchant.ID, "PRO": sku.ProductID, "SKU": sku.ID} {
				query = strings.ReplaceAll(query, name, fmt.Sprintf(blob, v[:]))
			}
			for _, n := range []string{"1", "2", "3", "4", "5", "9"} {
				query = strings.ReplaceAll(query, "ID"+n, strings.ReplaceAll(at, "N", n))
			}
			query = strings.ReplaceAll(query, "+", prefix)
			into, rest, _ := strings.Cut(query, "SELECT")
			_, err := tx.Exec(into+`SELECT * FROM (WITH RECURSIVE k (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM k WHERE i < `+
				strconv.Itoa(monthly-1)+`), hours AS (SELECT CAST($1 AS BIGINT) + i * 3600000 AS at FROM k) SELECT`+rest+`) h`,
				from.UnixMilli())
			return err
		}))
	}
}

const byNumber = "an order by its number"

// work is how many pages the queries of today read in a shop with a history of
// so many months: those that staff and buyers wait for.
func (s *aged) work(months int, pages func([]dbtest.Statement) []int64) map[string]int64 {
	text := s.product("text", catalog.Text, 100)
	s.exec(`INSERT INTO shared_contents (id, merchant_id, sku_id, content_sealed, created_at) VALUES ($1, $2, $3, $4, 1)`,
		id.New(), s.merchant.ID, text.ID, []byte("x"))
	today := s.now.Now()
	begin := time.Date(today.Year(), today.Month(), 1, 0, 0, 0, 0, time.UTC)
	for i := range months {
		month := begin.AddDate(0, -8-i, 0)
		require.NoError(s.t, s.db.Update(s.t.Context(), func(tx *db.Tx) error {
			for _, table := range append(order.ArchiveTables(), "archived_ledger_postings", "archived_audit_records") {
				if err := db.PartitionTx(tx, table, db.MonthOf(id.Lowest(month))); err != nil {
					return err
				}
			}
			return nil
		}))
		s.remember("archived_", month, text)
	}
	s.remember("", today.Add(-monthly*time.Hour), text)
	bought, _ := s.bought("a", text, 1)
	s.exec(`ANALYZE`)
	s.rows.Take()

	queries := map[string][]dbtest.Statement{}
	note := func(name string, do func(tx *db.Tx) error) {
		require.NoError(s.t, s.db.View(s.t.Context(), do))
		queries[name] = s.rows.Take()
	}
	o, m := bought.Order, s.merchant.ID
	note("newest orders", func(tx *db.Tx) error { _, err := order.ListTx(tx, m, order.Filter{Limit: 20}); return err })
	note("newest of a state", func(tx *db.Tx) error {
		_, err := order.ListTx(tx, m, order.Filter{Status: order.Completed, Limit: 20})
		return err
	})
	note("second page", func(tx *db.Tx) error {
		_, err := order.ListTx(tx, m, order.Filter{Before: o.ID, Limit: 20})
		return err
	})
	note(byNumber, func(tx *db.Tx) error { _, err := order.ByNoTx(tx, m, o.No); return err })
	note("its lines", func(tx *db.Tx) error { _, err := order.LinesTx(tx, o); return err })
	note("its trail", func(tx *db.Tx) error { _, err := audit.OfTx(tx, m, o.ID); return err })
	note("what is due", func(tx *db.Tx) error { _, err := order.DueTx(tx, order.Delivered, 100); return err })
	note("unpaid orders", func(tx *db.Tx) error { _, err := order.UnpaidOfTx(tx, m, o.ContactIndex); return err })
	counted := map[string]int64{}
	for name, all := range queries {
		for _, n := range pages(all) {
			counted[name] += n
		}
	}
	return counted
}

// TestHistoryIsNoBurden: what is asked about today costs the same after 24
// months of orders as after one, counted in pages. (P81)
func TestHistoryIsNoBurden(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) {
		constant(t, func(months int) map[string]int64 {
			now, dir := clock.NewManual(time.Now()), ""
			rows := dbtest.Record(dbtest.SQLite(t, func(c *sqlite.Config) { c.Clock, dir = now, c.Dir }))
			s := &aged{newShopOn(t, rows), now, rows}
			return s.work(months, func(all []dbtest.Statement) []int64 {
				all = append(all, all...) // once to read the schema
				pages, err := dbtest.PagesSQLite(context.Background(), dir, all)
				require.NoError(t, err)
				return pages[len(all)/2:]
			})
		})
	})
	t.Run("postgres", func(t *testing.T) {
		constant(t, func(months int) map[string]int64 {
			now := clock.NewManual(time.Now())
			rows := dbtest.Record(dbtest.Postgres(t, func(c *postgres.Config) { c.Clock, c.StatementLimit = now, time.Minute }))
			s := &aged{newShopOn(t, rows), now, rows}
			return s.work(months, func(all []dbtest.Statement) (pages []int64) {
				for _, q := range all {
					n, err := dbtest.PagesPostgres(context.Background(), rows.DB, q)
					require.NoError(t, err)
					pages = append(pages, n)
				}
				return pages
			})
		})
	})
}

// constant holds the work after 24 months against that after one.
func constant(t *testing.T, work func(months int) map[string]int64) {
	short, long := work(1), work(24)
	var b strings.Builder
	for name, n := range short {
		fmt.Fprintf(&b, "\n%-24s %3d pages after 1 month, %3d after 24", name, n, long[name])
	}
	t.Log(b.String())
	for name, n := range short {
		require.Positive(t, n, name)
		if name == byNumber {
			n++ // numbers are unique for ever, in a tree that grows a level when it has grown a hundredfold
		}
		require.LessOrEqual(t, long[name]*10, n*11, name)
	}
}
