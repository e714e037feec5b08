package main

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/backup/seal"
	"panshi/internal/errs"
)

// TestSharesArePrintedOnce: three pages, of which two stand for a sheet that is
// stored nowhere; one alone, or one with a slip, is refused and the line named.
func TestSharesArePrintedOnce(t *testing.T) {
	dir := t.TempDir()
	data := filepath.Join(dir, "d")
	require.Zero(t, panshi(t, dir, "demo", "--data", data).code)
	got := panshi(t, dir, "key", "shares", "new", "--data", data, "--name", "茶叶店")
	require.Zero(t, got.code, got.errOut)
	pages := strings.Split(got.out, "\f")
	require.Len(t, pages, 3)
	var c seal.Shares
	for _, page := range pages[:2] {
		for line := range strings.Lines(page) {
			require.NoError(t, c.Line(line))
		}
	}
	sheet, err := c.Sheet()
	require.NoError(t, err)
	requireNowhere(t, dir, sheet.Identity.String())

	out := t.TempDir()
	a := writeFile(t, out, "a.txt", pages[0])
	slip := writeFile(t, out, "slip.txt", strings.Replace(pages[1], "key-3  ", "key-3  0", 1))
	for say, flags := range map[string][]string{
		"there are 1 recovery shares and 2": {"--share", a}, "key-3": {"--share", a, "--share", slip}, "is there already": {"--share", a, "--share", a},
		"only one": {"--share", a, "--sheet", a},
	} {
		r := panshi(t, dir, append([]string{"restore", "--from", dir, "--to", filepath.Join(dir, "to")}, flags...)...)
		require.NotZero(t, r.code)
		requireOneLine(t, r)
		require.Contains(t, r.errOut, say)
	}
	again := panshi(t, dir, "key", "recovery", "new", "--shares", "--data", data)
	require.Equal(t, 1, again.code)
	many := panshi(t, dir, "key", "shares", "new", "--shares", "12", "--replace", "--data", data)
	require.Equal(t, 2, many.code, many.errOut)
	other := panshi(t, dir, "key", "recovery", "new", "--shares", "--replace", "--data", data)
	require.Zero(t, other.code, other.errOut)
	require.Len(t, strings.Split(other.out, "\f"), 3)
}

// Somebody who types at a terminal is asked for each line, without its label,
// and again for one with a slip.
func TestSharesAreTyped(t *testing.T) {
	_, sheet, err := seal.New(seal.Options{Shop: "x", Now: time.Now()})
	require.NoError(t, err)
	shares, err := sheet.Split(2, 3)
	require.NoError(t, err)
	var lines []string
	for _, s := range []seal.Share{shares[0], shares[2]} {
		for line := range strings.Lines(s.Text()) {
			label, value, _ := strings.Cut(strings.TrimSpace(line), " ")
			if label == "share" || strings.HasPrefix(label, "key-") || label == "signing-key" && len(lines) < 7 {
				lines = append(lines, value)
			}
		}
	}
	lines = slices.Insert(lines, 2, "0000 1111")
	var told strings.Builder
	got, err := readShares(t.Context(), &terminal{in: strings.NewReader(strings.Join(lines, "\n") + "\n"), err: &told, live: true}, []string{"-"})
	require.NoError(t, err, "%s", told.String())
	require.Equal(t, sheet.Identity.String(), got.Identity.String())
	require.Contains(t, told.String(), "line key-2 of recovery share 1 is missing or has a slip")

	piped := shares[1].Text() + shares[0].Text()
	got, err = readShares(t.Context(), &terminal{in: strings.NewReader(piped)}, []string{"-"})
	require.NoError(t, err)
	require.Equal(t, sheet.Signer, got.Signer)
	_, err = readShares(t.Context(), &terminal{in: strings.NewReader(shares[1].Text())}, []string{"-"})
	require.Equal(t, "backup_shares_few", errs.CodeOf(err))
}
