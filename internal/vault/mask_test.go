package vault

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestMaskPhone(t *testing.T) {
	for in, want := range map[string]string{
		"13800001234":       "138****1234",
		"+86 138-0000-1234": "138****1234",
		"0086 13800001234":  "138****1234",
		"8613800001234":     "138****1234",
		"+1 (212) 555-0142": "121****0142",
		"0571-8888":         "****88",
		"12345":             "****",
		"":                  "****",
		"buyer@example.com": "****",
		"１３８００００１２３４":       "****", // full-width digits are no ASCII digits: hidden
	} {
		require.Equal(t, want, MaskPhone(in), in)
	}
}

func TestMaskPhoneNeverShowsMore(t *testing.T) {
	number := rapid.OneOf(rapid.String(), rapid.StringMatching(`(\+86|0086|86)?[ -]?[0-9 -]{0,20}`))
	rapid.Check(t, func(t *rapid.T) {
		in := number.Draw(t, "number")
		out := MaskPhone(in)
		require.Regexp(t, `^([0-9]{3}\*{4}[0-9]{4}|\*{4}[0-9]{2}|\*{4})$`, out)
		shown := len(strings.ReplaceAll(out, "*", ""))
		digits := strings.Count(strings.Map(asDigit, in), "9")
		switch {
		case digits >= 11:
			require.LessOrEqual(t, shown, 7)
		case digits >= 7:
			require.LessOrEqual(t, shown, 2)
		default:
			require.Zero(t, shown)
		}
	})
}

func asDigit(r rune) rune {
	if r >= '0' && r <= '9' {
		return '9'
	}
	return 'x'
}

func TestMaskEmail(t *testing.T) {
	for in, want := range map[string]string{
		"alice@example.com":         "a***@example.com",
		"a@example.com":             "***@example.com",
		"@example.com":              "***@example.com",
		"王小明@例子.中国":                 "王***@例子.中国",
		"x@y@mail.example.com":      "x***@mail.example.com",
		"\"odd name\"@example.com":  "***@example.com",
		"alice@localhost":           "***",
		"alice@13800001234":         "***",
		"alice@exa mple.com":        "***",
		"alice@example.com\nBcc: x": "***",
		"alice":                     "***",
		"alice@":                    "***",
		"alice@.":                   "***",
		"":                          "***",
		"\xff\xfe@example.com":      "***@example.com",
	} {
		require.Equal(t, want, MaskEmail(in), in)
	}
}

func TestMaskEmailNeverShowsMore(t *testing.T) {
	address := rapid.OneOf(rapid.String(), rapid.StringMatching(`[^@]{0,10}@?[a-z0-9.@-]{0,20}`))
	rapid.Check(t, func(t *rapid.T) {
		in := address.Draw(t, "address")
		out := MaskEmail(in)
		before, after, hidden := strings.Cut(out, "***")
		require.True(t, hidden)
		require.LessOrEqual(t, utf8.RuneCountInString(before), 1)
		if after == "" {
			require.Empty(t, before)
			return
		}
		at := strings.LastIndexByte(in, '@')
		require.Equal(t, in[at:], after, "only the domain follows the stars")
		if utf8.RuneCountInString(in[:at]) <= 1 {
			require.Empty(t, before, "the only character stays hidden")
		}
		require.True(t, strings.HasPrefix(in, before))
	})
}
