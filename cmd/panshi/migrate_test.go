package main

import (
	"context"
	"encoding/json"
	"io"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/db/dbtest"
	"panshi/internal/db/transfer"
	"panshi/internal/migrate"
)

// TestMigrateDemo moves the demo shop to a server and into a new directory
// with the program alone, and undoes the second move.
func TestMigrateDemo(t *testing.T) {
	t.Parallel()
	dir, url := t.TempDir(), dbtest.EmptyPostgres(t)
	got := panshi(t, dir, "demo", "--data", "home")
	require.Zero(t, got.code, got.errOut)

	got = panshi(t, dir, "migrate", "--from", "home", "--to", url, "--data", "home", "--dry-run")
	require.Zero(t, got.code, got.errOut)
	require.Contains(t, got.out, "this was a dry run")

	got = panshi(t, dir, "migrate", "--from", "home", "--to", url, "--data", "home")
	require.Zero(t, got.code, got.errOut)
	require.Contains(t, got.out, "home refuses to be served.")
	require.Contains(t, got.out, "已迁移并核对无误")
	got = panshi(t, dir, "check", "--data", "home")
	require.Equal(t, exitFailure, got.code)
	requireOneLine(t, got)
	require.Contains(t, got.errOut, "this shop moved to postgres://")

	got = panshi(t, dir, "migrate", "--from", url, "--to", "next", "--data", "home")
	require.Equal(t, exitUsage, got.code)
	requireOneLine(t, got)
	require.Contains(t, got.errOut, "--copy-keys")
	got = panshi(t, dir, "migrate", "--from", url, "--to", "next", "--data", "home", "--copy-keys", "--json")
	require.Zero(t, got.code, got.errOut)
	var report migrate.Report
	require.NoError(t, json.Unmarshal([]byte(got.out), &report))
	require.True(t, report.Moved)
	require.Greater(t, report.Rows, int64(2000))
	require.Equal(t, "next", report.To)
	got = panshi(t, dir, "check", "--data", "next")
	require.Zero(t, got.code, "%s%s", got.out, got.errOut)

	got = panshi(t, dir, "migrate", "--from", "home", "--reopen")
	require.Zero(t, got.code, got.errOut)
	require.Contains(t, got.out, "can be served again")
	got = panshi(t, dir, "check", "--data", "home")
	require.Zero(t, got.code, got.errOut)

	ctx, cancel := context.WithCancel(t.Context())
	cancel() // as Ctrl-C does
	home := filepath.Join(dir, "home")
	err := run(ctx, &terminal{out: io.Discard, err: io.Discard}, []string{"migrate", "--from", home, "--to", url, "--data", home})
	require.Equal(t, "interrupted; run the same command again to go on where it stopped", explain(ctx, err))
	require.Equal(t, exitFailure, exitCode(err))
}

func TestPacerTellsSpeedAndTimeLeft(t *testing.T) {
	now := time.Unix(1000, 0)
	p := pacer{clock: func() time.Time { return now }}
	at := transfer.Progress{Table: "orders", Done: 5000, Total: 100_000}
	require.Equal(t, "copying orders", p.note(at), "nothing is known yet")
	now, at.Done = now.Add(2*time.Second), 25_000
	require.Equal(t, "copying orders, 10,000 rows/s, 8s left", p.note(at))
	now, at.Verifying, at.Done = now.Add(time.Hour), true, 0
	require.Equal(t, "verifying orders", p.note(at))
	require.EqualValues(t, 100_000, at.Steps())
	now, at.Done = now.Add(time.Second), 50_000
	require.Equal(t, "verifying orders, 50,000 rows/s, 1s left", p.note(at))
	require.EqualValues(t, 150_000, at.Steps())
}
