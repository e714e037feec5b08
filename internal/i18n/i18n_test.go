package i18n

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

// TestCatalogues holds the embedded texts together: same keys, same
// placeholders, nothing empty.
func TestCatalogues(t *testing.T) {
	t.Parallel()
	c, err := Load()
	require.NoError(t, err)
	require.NotEmpty(t, c.Keys(Chinese))
	for _, problem := range c.Check() {
		t.Error(problem)
	}
}

func TestErrorTextsAreOneSentenceForAPerson(t *testing.T) {
	t.Parallel()
	c, err := Load()
	require.NoError(t, err)
	for _, lang := range Languages() {
		for _, key := range c.Keys(lang) {
			if text := c.Text(lang, key, nil); strings.HasPrefix(key, "error.") {
				require.True(t, strings.HasSuffix(text, "。") || strings.HasSuffix(text, "."), "%s %s: %s", lang, key, text)
			}
		}
	}
}

func TestCheckFindsPlantedFaults(t *testing.T) {
	t.Parallel()
	c, err := load(fstest.MapFS{
		"a.zh-CN.json": {Data: []byte(`{"same":"共 {n}","only_zh":"一","empty":" ","holes":"{a} {b}"}`)},
		"a.en.json":    {Data: []byte(`{"same":"{n} in all","only_en":"one","empty":"x","holes":"{a}"}`)},
	})
	require.NoError(t, err)
	all := strings.Join(c.Check(), "\n")
	for _, want := range []string{"en lacks only_zh", "zh-CN lacks only_en", "zh-CN: empty is empty", "holes has placeholders [a b]"} {
		require.Contains(t, all, want)
	}
	require.NotContains(t, all, "same")
}

func TestLoadRefuses(t *testing.T) {
	t.Parallel()
	for name, files := range map[string]fstest.MapFS{
		"an unknown language": {"a.fr.json": {Data: []byte(`{}`)}},
		"no language":         {"a.json": {Data: []byte(`{}`)}},
		"not JSON":            {"a.en.json": {Data: []byte(`{`)}},
		"nesting":             {"a.en.json": {Data: []byte(`{"a":{"b":"c"}}`)}},
		"a key in two files":  {"a.en.json": {Data: []byte(`{"k":"1"}`)}, "b.en.json": {Data: []byte(`{"k":"2"}`)}},
	} {
		_, err := load(files)
		require.Error(t, err, name)
	}
}

func TestText(t *testing.T) {
	t.Parallel()
	c, err := load(fstest.MapFS{
		"a.zh-CN.json": {Data: []byte(`{"hi":"你好 {name}，{name}","zh":"只有中文","n.one":"{count} 件","n.other":"{count} 件","odd":"a { b"}`)},
		"a.en.json":    {Data: []byte(`{"hi":"Hi {name}, {name}","n.one":"{count} item of {x}","n.other":"{count} items of {x}"}`)},
	})
	require.NoError(t, err)
	require.Equal(t, "Hi {name}, {name}", c.Text(English, "hi", nil))
	require.Equal(t, "Hi {x}, {x}", c.Text(English, "hi", map[string]string{"name": "{x}", "x": "no"}), "a value is not a template")
	require.Equal(t, "只有中文", c.Text(English, "zh", nil), "falls back to the default language")
	require.Equal(t, "nope", c.Text(English, "nope", nil))
	require.Equal(t, "a { b", c.Text(Chinese, "odd", map[string]string{"b": "x"}))
	require.Equal(t, "1 item of y", c.Count(English, "n", 1, map[string]string{"x": "y"}))
	require.Equal(t, "0 items of y", c.Count(English, "n", 0, map[string]string{"x": "y"}))
	require.Equal(t, "1 件", c.Count(Chinese, "n", 1, nil))
	require.False(t, c.Has(English, "zh"))
	require.True(t, c.Has(Chinese, "zh"))
}

func TestNegotiate(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]Lang{
		"": Chinese, "en": English, "EN-us": English, "zh-TW": Chinese, "fr": Chinese, "fr, en;q=0.3": English,
		"zh-CN,zh;q=0.9,en;q=0.8": Chinese, "en-GB,en;q=0.9,zh;q=0.95": English, "zh;q=0.1, en;q=0.2": English,
		"en;q=0": Chinese, "en;q=0, zh;q=0.1": Chinese, "*": Chinese, "en;q=2": Chinese, "en;q=NaN": Chinese, "en;q=x": Chinese,
		";;;,,,=": Chinese, strings.Repeat("fr,", 1000) + "en": Chinese, "english": Chinese,
	} {
		require.Equal(t, want, Negotiate(header), header[:min(len(header), 40)])
	}
}

func FuzzNegotiate(f *testing.F) {
	f.Add("en;q=0.5,zh")
	f.Fuzz(func(t *testing.T, header string) {
		if lang := Negotiate(header); lang != Chinese && lang != English {
			t.Fatal(lang)
		}
	})
}
