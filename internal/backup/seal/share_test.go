package seal_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/backup/backuptest"
	"panshi/internal/backup/seal"
	"panshi/internal/errs"
)

func split(t *testing.T, threshold, of int) (seal.Sheet, []seal.Share) {
	t.Helper()
	_, sheet, err := seal.New(seal.Options{Shop: "茶叶店", Now: time.Now()})
	require.NoError(t, err)
	shares, err := sheet.Split(threshold, of)
	require.NoError(t, err)
	return sheet, shares
}

// typed collects texts as somebody types them.
func typed(texts ...string) (seal.Sheet, error) {
	var c seal.Shares
	for _, text := range texts {
		for line := range strings.Lines(text) {
			if err := c.Line(line); err != nil {
				return seal.Sheet{}, err
			}
		}
	}
	return c.Sheet()
}

// Any two of three printed shares give the very keys of the sheet, whatever the
// case, the spaces and letters that look like digits.
func TestSharesGiveTheSheetBack(t *testing.T) {
	t.Parallel()
	for range 20 {
		sheet, shares := split(t, 2, 3)
		for _, pair := range [][2]int{{0, 1}, {1, 0}, {0, 2}, {2, 1}} {
			a, b := shares[pair[0]].Text(), shares[pair[1]].Text()
			got, err := typed(a, strings.ToUpper(b))
			require.NoError(t, err)
			require.Equal(t, sheet.Identity.String(), got.Identity.String())
			require.Equal(t, sheet.Signer, got.Signer)
		}
		require.NotContains(t, shares[0].Text(), strings.ToLower(sheet.Identity.String()))
	}
	sheet, shares := split(t, 3, 5)
	got, err := typed(shares[4].Text(), shares[1].Text(), shares[2].Text())
	require.NoError(t, err)
	require.Equal(t, sheet.Identity.String(), got.Identity.String())
}

// One wrong character in any line that is typed is found in that line, and
// typing it again goes on.
func TestASlipIsNamedByItsLine(t *testing.T) {
	t.Parallel()
	dice := backuptest.NewDice(t)
	_, shares := split(t, 2, 3)
	lines := []string{}
	for line := range strings.Lines(shares[1].Text()) {
		label, _, _ := strings.Cut(line, " ")
		if strings.HasPrefix(label, "key-") || label == "share" || label == "signing-key" {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	require.Len(t, lines, 6)
	var first seal.Shares
	for line := range strings.Lines(shares[0].Text()) {
		require.NoError(t, first.Line(line))
	}
	for i, line := range lines {
		label, value, _ := strings.Cut(line, " ")
		for range 60 {
			wrong := []byte(value)
			at := dice.IntN(len(wrong))
			for wrong[at] == ' ' {
				at = dice.IntN(len(wrong))
			}
			digit := "0123456789abcdef"[dice.IntN(16)]
			if wrong[at] == digit {
				continue
			}
			wrong[at] = digit
			err := first.Line(label + " " + string(wrong))
			require.Contains(t, []string{"backup_share_invalid", "backup_share_foreign"}, errs.CodeOf(err), "%d %s", i, label)
			require.NotContains(t, err.Error(), strings.ReplaceAll(value, " ", ""))
		}
		require.NoError(t, first.Line(line), "the right one goes on")
	}
	require.Empty(t, first.Next())
	_, err := first.Sheet()
	require.NoError(t, err)
}

// Shares of another shop, the same one twice, too few, lines that were swapped:
// each is refused for what it is.
func TestAWrongShareIsNamed(t *testing.T) {
	t.Parallel()
	_, shares := split(t, 2, 3)
	_, others := split(t, 2, 3)
	for code, texts := range map[string][]string{
		"backup_share_foreign": {shares[0].Text(), others[1].Text()},
		"backup_share_twice":   {shares[0].Text(), shares[0].Text()},
		"backup_shares_few":    {shares[0].Text()},
	} {
		_, err := typed(texts...)
		require.Equal(t, code, errs.CodeOf(err))
	}
	_, err := typed()
	require.Equal(t, "backup_shares_few", errs.CodeOf(err))
	swapped := strings.NewReplacer("key-1", "key-2", "key-2", "key-1").Replace(shares[0].Text())
	_, err = typed(swapped)
	require.Equal(t, "backup_share_invalid", errs.CodeOf(err))
	require.ErrorContains(t, err, "slip")
	half, _, _ := strings.Cut(shares[0].Text(), "key-3")
	_, err = typed(half, shares[1].Text())
	require.Equal(t, "backup_share_invalid", errs.CodeOf(err), "a line is missing")
	sheet, _ := split(t, 2, 2)
	for _, counts := range [][2]int{{1, 3}, {4, 3}, {2, 10}} {
		_, err := sheet.Split(counts[0], counts[1])
		require.Equal(t, "backup_shares_counts", errs.CodeOf(err))
	}
}
