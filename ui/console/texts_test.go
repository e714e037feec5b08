package console

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// catalogue reads the texts of one language by dotted key.
func catalogue(t *testing.T, lang string) map[string]string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("src", "locales", lang+".json"))
	require.NoError(t, err)
	var groups map[string]map[string]string
	require.NoError(t, json.Unmarshal(raw, &groups))
	texts := map[string]string{}
	for group, members := range groups {
		for key, text := range members {
			texts[group+"."+key] = text
		}
	}
	return texts
}

// sources reads the files of the pages, by path.
func sources(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	require.NoError(t, filepath.WalkDir("src", func(path string, d fs.DirEntry, err error) error {
		source := strings.HasSuffix(path, ".vue") || strings.HasSuffix(path, ".ts") && !strings.HasSuffix(path, ".d.ts")
		if err != nil || d.IsDir() || !source {
			return err
		}
		raw, err := os.ReadFile(path)
		found[path] = string(raw)
		return err
	}))
	return found
}

func TestBothLanguagesSayTheSame(t *testing.T) {
	t.Parallel()
	zh, en := catalogue(t, "zh-CN"), catalogue(t, "en")
	require.Equal(t, slices.Sorted(maps.Keys(zh)), slices.Sorted(maps.Keys(en)))
	hole, han := regexp.MustCompile(`\{\w+\}`), regexp.MustCompile(`\p{Han}`)
	for key, text := range zh {
		require.NotEmpty(t, strings.TrimSpace(text), key)
		require.NotEmpty(t, strings.TrimSpace(en[key]), key)
		was, is := hole.FindAllString(text, -1), hole.FindAllString(en[key], -1)
		slices.Sort(was)
		slices.Sort(is)
		require.Equal(t, was, is, "%s fills other holes in English", key)
		if key != "shell.other_language" {
			require.NotRegexp(t, han, en[key], key)
		}
	}
}

// literal is a key that stands whole in the source; group is the beginning of
// one whose end is a value of the API.
var (
	literal = regexp.MustCompile(`["'\x60]([a-z_]+\.[a-z_]+)["'\x60]`)
	group   = regexp.MustCompile(`["'\x60]([a-z_]+)\.["'\x60] \+`)
	named   = regexp.MustCompile(`(?:word\(\s*"|group=")([a-z_]+)"`)
)

func TestEveryTextExistsAndIsUsed(t *testing.T) {
	t.Parallel()
	texts := catalogue(t, "zh-CN")
	groups, used := map[string]bool{}, map[string]bool{}
	for key := range texts {
		groups[strings.SplitN(key, ".", 2)[0]] = false
	}
	shown := regexp.MustCompile(`\bt\(\s*["']([^"']+)["']`)
	for path, source := range sources(t) {
		for _, m := range shown.FindAllStringSubmatch(source, -1) {
			if !strings.HasSuffix(m[1], ".") {
				require.Contains(t, texts, m[1], path)
			}
		}
		for _, m := range literal.FindAllStringSubmatch(source, -1) {
			used[m[1]] = true
		}
		for _, m := range append(group.FindAllStringSubmatch(source, -1), named.FindAllStringSubmatch(source, -1)...) {
			require.Contains(t, groups, m[1], "%s: no texts of this group", path)
			groups[m[1]] = true
		}
	}
	for key := range texts {
		require.True(t, used[key] || groups[strings.SplitN(key, ".", 2)[0]], "nobody shows %s", key)
	}
}

// What a reader sees or hears comes from the catalogues: no words stand in
// templates, in text or in attributes.
func TestNoTextStandsInTemplates(t *testing.T) {
	t.Parallel()
	template := regexp.MustCompile(`(?s)<template>\n(.*)\n</template>`)
	for path, source := range sources(t) {
		m := template.FindStringSubmatch(source)
		if m == nil {
			continue
		}
		require.Empty(t, wordsOf(m[1]), path)
	}
	require.NotEmpty(t, wordsOf(`<p>Hello</p>`), "the test sees words")
	require.NotEmpty(t, wordsOf(`<p>{{ a }} 元</p>`))
	require.NotEmpty(t, wordsOf(`<p title="Hello">{{ a }}</p>`))
	require.Empty(t, wordsOf(`<p v-if="a > b" :title="t('x')">{{ a }}%</p>`))
}

// wordsOf finds letters that a template would show by itself. Units of
// measurement are the same in all languages.
func wordsOf(template string) []string {
	comments := regexp.MustCompile(`(?s)<!--.*?-->`)
	tag := regexp.MustCompile(`(?s)<[/a-zA-Z](?:[^>"]|"[^"]*")*>`)
	shown := regexp.MustCompile(`(?s)\{\{.*?\}\}`)
	spoken := regexp.MustCompile(`\s(?:title|placeholder|aria-label|alt|label|nothing|hint|what|verb|lead)="([^"]+)"`)
	template = comments.ReplaceAllString(template, "")
	var words []string
	for _, m := range spoken.FindAllStringSubmatch(template, -1) {
		if !regexp.MustCompile(`^[0-9.:, -]*$|^mon-fri`).MatchString(m[1]) {
			words = append(words, m[1])
		}
	}
	text := shown.ReplaceAllString(tag.ReplaceAllString(template, " "), " ")
	for _, word := range regexp.MustCompile(`\p{L}+`).FindAllString(text, -1) {
		if word != "ms" {
			words = append(words, word)
		}
	}
	return words
}

// firstView is the most that may come before a page of the console is shown,
// compressed. The whole console is smaller, so that no list of what belongs to
// which page is needed to prove it.
const firstView = 300_000

func TestFirstViewIsSmall(t *testing.T) {
	t.Parallel()
	dist, err := Dist()
	require.NoError(t, err)
	var total counter
	require.NoError(t, fs.WalkDir(dist, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := fs.ReadFile(dist, path)
		if err != nil {
			return err
		}
		packed, err := gzip.NewWriterLevel(&total, gzip.BestCompression)
		if err != nil {
			return err
		}
		_, err = packed.Write(raw)
		return errors.Join(err, packed.Close())
	}))
	t.Logf("all of the console: %d bytes compressed", total)
	require.Less(t, int(total), firstView)
}

// counter counts what is written to it.
type counter int

func (c *counter) Write(p []byte) (int, error) { *c += counter(len(p)); return len(p), nil }
