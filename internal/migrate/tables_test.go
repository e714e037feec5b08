package migrate_test

import (
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/account"
	"panshi/internal/app"
	"panshi/internal/archive"
	"panshi/internal/bulk"
	"panshi/internal/clock"
	"panshi/internal/db"
	"panshi/internal/db/dbtest"
	"panshi/internal/db/postgres"
	"panshi/internal/db/sqlite"
	"panshi/internal/db/transfer"
	"panshi/internal/id"
	"panshi/internal/ledger"
	"panshi/internal/migrate"
	"panshi/internal/money"
	"panshi/internal/vault"
)

// TestEveryTableMoves moves a shop that has rows in every table that any
// package declares there and back: rules of accounts, reconciled days and their
// cases, archive, staff. It is sound at each place and the same at the end. A
// new table fails here until it gets a row.
func TestEveryTableMoves(t *testing.T) {
	home, next, url := filepath.Join(t.TempDir(), "home"), filepath.Join(t.TempDir(), "next"), dbtest.EmptyPostgres(t)
	fill(t, home, bulk.Size{Orders: 150, SKUs: 2, CardsPerSKU: 2, Span: 500 * 24 * time.Hour})
	fillTheRest(t, home)
	requireSoundDir(t, home)

	there, err := migrate.Run(t.Context(), request(t, home, url, home))
	require.NoError(t, err)
	requireEveryTable(t, there.Tables)
	server, err := postgres.Open(t.Context(), postgres.Config{URL: url})
	require.NoError(t, err)
	requireSound(t, server)
	require.NoError(t, server.Close())

	r := request(t, url, next, home)
	r.CopyKeys = true
	back, err := migrate.Run(t.Context(), r)
	require.NoError(t, err)
	requireEveryTable(t, back.Tables)
	for i, first := range there.Tables {
		require.Equal(t, first.Table, back.Tables[i].Table)
		require.Equal(t, first.Source, back.Tables[i].Destination, first.Table)
	}
	requireSoundDir(t, next)
	s, err := app.OpenLocal(t.Context(), config(t, next), slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	require.NoError(t, s.Close())
}

// requireEveryTable: what packages declare is what moved, and each had rows.
func requireEveryTable(t *testing.T, moved []transfer.TableReport) {
	t.Helper()
	rows := map[string]int64{}
	for _, m := range moved {
		rows[m.Table] = m.Source.Rows
	}
	for _, declared := range app.Columns() {
		if declared.Name == "leases" || strings.HasPrefix(declared.Name, "_litestream_") { // they belong to processes, to one engine
			continue
		}
		require.Contains(t, rows, declared.Name, "the move leaves a table out")
		require.Positive(t, rows[declared.Name], "the test's shop has no row in %s: add one in fillTheRest", declared.Name)
		delete(rows, declared.Name)
	}
	require.Empty(t, rows, "a table moved that no package declares")
}

// fillTheRest adds what a shop of orders alone does not have.
func fillTheRest(t *testing.T, dir string) {
	t.Helper()
	d, err := sqlite.Open(t.Context(), sqlite.Config{Dir: dir})
	require.NoError(t, err)
	old := archive.New(d, archive.Defaults(), clock.System{})
	for walking := true; walking; {
		walking, err = old.Step(t.Context())
		require.NoError(t, err)
	}
	for _, statement := range theRest() {
		exec(t, d, statement)
	}
	grantCredit(t, d, dir)
	require.NoError(t, d.Close())
}

// grantCredit gives the shop store credit: its contact is sealed, so that no
// statement alone can write it.
func grantCredit(t *testing.T, d db.DB, dir string) {
	t.Helper()
	v, err := vault.Open(vault.DefaultConfig(dir))
	require.NoError(t, err)
	creditID := id.New()
	sealed, err := v.Seal(vault.PII, account.ContactCell(creditID), []byte("buyer@example.com"))
	require.NoError(t, err)
	require.NoError(t, d.Update(t.Context(), func(tx *db.Tx) error {
		c := account.Credit{
			ID: creditID, ContactKind: "email", ContactSealed: sealed, ContactIndex: []byte{1}, Balance: money.Of(0, money.CNY),
		}
		if err := tx.Get([]any{&c.MerchantID}, `SELECT id FROM merchants`); err != nil {
			return err
		}
		c, err := account.OpenTx(tx, c)
		if err != nil {
			return err
		}
		_, err = account.MoveTx(tx, c, account.Change{Kind: account.Granted, Minor: 5, SubjectID: id.New(), Against: ledger.Goodwill})
		return err
	}))
}

func theRest() []string {
	const merchant, account, staff = `(SELECT id FROM merchants)`, `(SELECT id FROM payment_accounts)`, `X'05'`
	return []string{
		`UPDATE payment_accounts SET min_amount = 1, max_amount = 900, day_amount = 5000, day_count = 70, currency = 'CNY',
			clients = 'desktop', hours = '08:00-22:00', weight = 3`,
		`UPDATE payments SET counted = 1`,
		`UPDATE payment_transactions SET paid_at = created_at`,
		`INSERT INTO catalog_versions VALUES (` + merchant + `, X'01', 7, 1)`,
		`INSERT INTO categories VALUES (X'02', ` + merchant + `, 'games', '游戏', 'Games', 1, 1)`,
		`INSERT INTO idempotency_keys VALUES (` + merchant + `, 'place', 'k', X'03', X'04', 1)`,
		`INSERT INTO import_findings SELECT id, 3, merchant_id, 'duplicate' FROM import_batches LIMIT 1`,
		`UPDATE import_batches SET duplicates = 1, next_line = next_line + 1 WHERE id IN (SELECT batch_id FROM import_findings)`,
		`INSERT INTO staff VALUES (` + staff + `, ` + merchant + `, 'owner', 'owner', 'active', 'hash', 1, X'00FF', 2, 0, NULL, 1, 1, 1)`,
		`INSERT INTO staff_recovery_codes VALUES (` + staff + `, X'06', ` + merchant + `, NULL)`,
		`INSERT INTO staff_sessions VALUES (X'07', X'08', ` + merchant + `, ` + staff + `, 1, 1, 2)`,
		`INSERT INTO staff_setup_links VALUES (` + staff + `, ` + merchant + `, X'09', 0, NULL, NULL, 1, 2, 1, 'operator')`,
		`INSERT INTO staff_unknown_logins VALUES (11, NULL, 2, 1)`,
		`INSERT INTO reconcile_days (id, merchant_id, account_id, day, currency, state, run, digest, bill_count, bill_paid, problem, created_at)
			VALUES (X'0A', ` + merchant + `, ` + account + `, '2026-05-03', 'CNY', 'differs', 2, 'ab', 1, 100, '一笔不同', 1)`,
		`INSERT INTO reconcile_lines VALUES (` + merchant + `, X'0A', 'payment', '42', '', 'P1', 100, 1, 'SUCCESS', 5)`,
		`INSERT INTO merchant_limits VALUES (` + merchant + `, 500, 1)`,
		`INSERT INTO approvals (id, merchant_id, kind, subject_kind, subject_id, reason, digest, status, requested_by, requested_at, expires_at,
			decided_by, decided_at) VALUES (X'0C', ` + merchant + `, 'refund', 'order', X'0D', 'x', X'0E', 'withdrawn', ` + staff + `, 1, 9,
			` + staff + `, 2)`,
		`INSERT INTO alerts (id, merchant_id, dedup, code, subject, severity, state, args, opened_at, last_at, resolved_at)
			VALUES (X'0F', ` + merchant + `, 'd', 'jobs_dead', 's', 'warning', 'resolved', '{}', 1, 1, 2)`,
		`INSERT INTO alert_deliveries (id, merchant_id, alert_id, event, state, step_since, next_try_at, created_at)
			VALUES (X'10', ` + merchant + `, X'0F', 'opened', 'dropped', 1, 1, 1)`,
		`INSERT INTO refund_lines SELECT r.id, l.line_no, r.merchant_id, r.order_id, 1, 0, l.unit_price FROM refunds r
			JOIN all_order_lines l ON l.order_id = r.order_id LIMIT 1`,
		`INSERT INTO reconcile_cases (id, merchant_id, day_id, kind, line_kind, transaction_id, number, bill_amount, our_amount, currency, remedy,
			seen_run, created_at) VALUES (X'0B', ` + merchant + `, X'0A', 'theirs_only', 'payment', '42', 'P1', 100, 0, 'CNY', 'ask', 2, 1)`,
	}
}
