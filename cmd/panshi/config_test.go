package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"panshi/internal/db"
	"panshi/internal/db/sqlite"
)

// TestConfigurationHasAHistory: each start keeps the file if it is another one,
// with who and when, sealed, and a trace of the keys. The way back is checked,
// asked about, and open when the file is broken.
func TestConfigurationHasAHistory(t *testing.T) {
	dir := t.TempDir()
	data := filepath.Join(dir, "d")
	require.Zero(t, panshi(t, dir, "demo", "--data", data).code)
	file := filepath.Join(dir, "panshi.yaml")
	write := func(text string) { require.NoError(t, os.WriteFile(file, []byte(text), 0o640)) }
	serve := func() {
		_, stop := start(t, dir, "serve", "--data", data, "--config", file, "--http", "127.0.0.1:0", "--console", "127.0.0.1:0")
		require.Zero(t, stop())
	}
	run := func(code int, args ...string) string {
		t.Helper()
		got := panshi(t, dir, append(args, "--data", data, "--config", file)...)
		require.Equal(t, code, got.code, "%v: %s%s", args, got.out, got.errOut)
		return got.out + got.errOut
	}
	first := "# a password in a comment: hunter-two\nshop:\n  order_ttl: 11m\n"
	write(first)
	serve()
	serve()
	write("shop:\n  order_ttl: 12m\narchive:\n  after: 800h\n")
	serve()
	require.NoError(t, os.Rename(file, file+".away"))
	requireNowhere(t, dir, "hunter-two")
	require.NoError(t, os.Rename(file+".away", file))

	told := run(0, "config", "history")
	require.Len(t, strings.Split(strings.TrimSpace(told), "\n"), 3, "a head and two versions, not three: %s", told)
	require.Contains(t, told, "archive.after, shop.order_ttl")
	require.Contains(t, run(0, "config", "diff", "1", "2"), "shop.order_ttl: 11m -> 12m")
	require.Contains(t, run(0, "config", "diff", "2"), "no key differs")
	run(2, "config", "diff", "7")
	require.Equal(t, []string{"1 [shop.order_ttl]", "2 [archive.after shop.order_ttl]"}, audited(t, data))

	write("shop:\n  no_such_word: 1\n")
	run(2, "serve")
	run(2, "config", "rollback", "1") // nobody answers
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Contains(t, string(text), "no_such_word")
	asked := command(t, dir, "config", "rollback", "1", "--data", data, "--config", file)
	asked.Stdin = strings.NewReader("yes\n")
	require.NoError(t, asked.Run())
	text, err = os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, first, string(text), "byte by byte")
	info, err := os.Stat(file)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o640), info.Mode().Perm())
	require.Contains(t, run(0, "config", "diff", "3"), "shop.no_such_word: 1 -> (not set)")
	require.Contains(t, run(2, "config", "rollback", "3", "--yes"), "no_such_word", "what was broken is kept, and no way back to it")
	require.Contains(t, run(0, "config", "diff", "1"), "no key differs")
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		require.NotContains(t, e.Name(), ".new-", "nothing is left lying")
	}
	serve()
}

// audited reads what starts left in the trail: version and keys.
func audited(t *testing.T, data string) (all []string) {
	t.Helper()
	d, err := sqlite.Open(t.Context(), sqlite.Config{Dir: data})
	require.NoError(t, err)
	require.NoError(t, d.View(t.Context(), func(tx *db.Tx) error {
		all, err = db.Collect(tx, func(rows db.Rows) (line string, err error) {
			var keys string
			err = rows.Scan(&line, &keys)
			return line + " " + keys, err
		}, `SELECT detail ->> 'version', detail ->> 'keys' FROM audit_records WHERE action = 'config.changed' ORDER BY id`)
		return err
	}))
	require.NoError(t, d.Close())
	return all
}
