package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"panshi/internal/backup/seal"
)

// TestTheRecoverySheetIsPrintedOnce: it can be typed back, it is stored nowhere,
// and a second one has to be asked for.
func TestTheRecoverySheetIsPrintedOnce(t *testing.T) {
	dir := t.TempDir()
	data := filepath.Join(dir, "d")
	got := panshi(t, dir, "key", "recovery", "new", "--data", data)
	require.Equal(t, 2, got.code, "no shop: %s", got.errOut)
	requireOneLine(t, got)
	require.Zero(t, panshi(t, dir, "demo", "--data", data).code)

	unprinted := command(t, dir, "key", "recovery", "new", "--data", data)
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	require.NoError(t, err)
	unprinted.Stdout = full
	require.Error(t, unprinted.Run(), "a sheet that could not be printed counts for nothing")
	require.NoError(t, full.Close())

	got = panshi(t, dir, "key", "recovery", "new", "--data", data, "--name", "茶叶店")
	require.Zero(t, got.code, got.errOut)
	sheet, err := seal.ParseSheet(got.out)
	require.NoError(t, err)
	require.Equal(t, "茶叶店", sheet.Shop)
	requireNowhere(t, dir, sheet.Identity.String())

	again := panshi(t, dir, "key", "recovery", "new", "--data", data)
	require.Equal(t, 1, again.code)
	requireOneLine(t, again)
	require.Contains(t, again.errOut, "--replace")

	other := panshi(t, dir, "key", "recovery", "new", "--data", data, "--replace", "--strict")
	require.Zero(t, other.code, other.errOut)
	second, err := seal.ParseSheet(other.out)
	require.NoError(t, err)
	require.Equal(t, sheet.Signer, second.Signer)
	require.NotEqual(t, sheet.Identity.String(), second.Identity.String())
}

func TestACredentialIsStoredSealed(t *testing.T) {
	dir := t.TempDir()
	data := filepath.Join(dir, "d")
	require.Zero(t, panshi(t, dir, "demo", "--data", data).code)
	file := writeFile(t, dir, "oss.json", `{"access_key":"AKID","secret_key":"only-for-the-vault"}`)
	got := panshi(t, dir, "key", "destination", "put", "hangzhou", file, "--data", data)
	require.Zero(t, got.code, got.errOut)
	require.NoError(t, os.Remove(file))
	requireNowhere(t, dir, "only-for-the-vault")

	for _, args := range [][]string{{"Big", writeFile(t, dir, "a.json", `{"secret_key":"x"}`)}, {"ok", writeFile(t, dir, "b.json", "x")}, {"ok", "missing.json"}} {
		got := panshi(t, dir, append([]string{"key", "destination", "put", "--data", data}, args...)...)
		require.Equal(t, 2, got.code, args)
		requireOneLine(t, got)
	}
}

// requireNowhere looks for a secret in every file below dir.
func requireNowhere(t *testing.T, dir, secret string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		require.NotContains(t, string(content), secret, path)
		return err
	}))
}
