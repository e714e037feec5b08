package wire_test

import (
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"panshi/internal/payment/wire"
)

func TestCut(t *testing.T) {
	require.Equal(t, "a b", wire.Cut(" a\nb\x00", 127))
	require.Equal(t, "磐", wire.Cut("磐石", 5))
	rapid.Check(t, func(t *rapid.T) {
		s := string(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes"))
		if rapid.Bool().Draw(t, "runes") {
			s = rapid.String().Draw(t, "s")
		}
		limit := rapid.IntRange(0, 40).Draw(t, "limit")
		got := wire.Cut(s, limit)
		require.LessOrEqual(t, len(got), limit)
		require.True(t, utf8.ValidString(got))
	})
}

func TestParseBase(t *testing.T) {
	for given, want := range map[string]string{
		"https://api.mch.weixin.qq.com/": "https://api.mch.weixin.qq.com",
		"http://127.0.0.1:8090/prefix/":  "http://127.0.0.1:8090/prefix",
		"http://notweixin.qq.com":        "http://notweixin.qq.com",
	} {
		got, err := wire.ParseBase(given, "weixin.qq.com")
		require.NoError(t, err, given)
		require.Equal(t, want, got)
	}
	for _, given := range []string{
		"", "api.example", "ftp://api.example", "https://user@api.example", "https://api.example?x=1", "https://api.example#x",
		"http://weixin.qq.com", "http://api.mch.weixin.qq.com",
	} {
		_, err := wire.ParseBase(given, "weixin.qq.com")
		require.Error(t, err, given)
	}
}
