package i18n

import (
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
)

//go:embed catalogues/*.json
var files embed.FS

// Catalogue is the texts of all areas. It does not change after Load and may
// be used by any goroutine.
type Catalogue struct {
	texts map[Lang]map[string]string
}

// Load reads the embedded catalogues. It fails on a file that is not a flat
// JSON object of strings, on an unknown language and on a key that two files
// give.
func Load() (*Catalogue, error) {
	sub, err := fs.Sub(files, "catalogues")
	if err != nil {
		return nil, fmt.Errorf("i18n: %w", err)
	}
	return load(sub)
}

func load(fsys fs.FS) (*Catalogue, error) {
	c := &Catalogue{texts: map[Lang]map[string]string{}}
	for _, l := range Languages() {
		c.texts[l] = map[string]string{}
	}
	names, err := fs.Glob(fsys, "*.json")
	if err != nil {
		return nil, fmt.Errorf("i18n: %w", err)
	}
	for _, name := range names {
		if err := c.add(fsys, name); err != nil {
			return nil, fmt.Errorf("i18n: %s: %w", name, err)
		}
	}
	return c, nil
}

// add reads one "<area>.<lang>.json".
func (c *Catalogue) add(fsys fs.FS, name string) error {
	_, langName, _ := strings.Cut(strings.TrimSuffix(path.Base(name), ".json"), ".")
	lang, ok := Parse(langName)
	if !ok {
		return fmt.Errorf("no language %q; name it area.zh-CN.json or area.en.json", langName)
	}
	raw, err := fs.ReadFile(fsys, name)
	if err != nil {
		return err
	}
	var texts map[string]string
	if err := json.Unmarshal(raw, &texts); err != nil {
		return err
	}
	for key, text := range texts {
		if _, twice := c.texts[lang][key]; twice {
			return fmt.Errorf("key %q is in another file already", key)
		}
		c.texts[lang][key] = text
	}
	return nil
}

// Text gives the text of key with its {placeholders} filled from args. A key
// that lang lacks is looked for in the default language; a key that nobody
// has comes back itself, so that the gap is seen and nothing breaks.
func (c *Catalogue) Text(lang Lang, key string, args map[string]string) string {
	text, ok := c.texts[lang][key]
	if !ok {
		text, ok = c.texts[Chinese][key]
	}
	if !ok {
		return key
	}
	return fill(text, args)
}

// Count gives the text of key+".one" or key+".other", as lang's plural wants
// it for n, with {count} filled.
func (c *Catalogue) Count(lang Lang, key string, n int, args map[string]string) string {
	form := ".other"
	if lang == English && n == 1 {
		form = ".one"
	}
	all := make(map[string]string, len(args)+1)
	maps.Copy(all, args)
	all["count"] = strconv.Itoa(n)
	return c.Text(lang, key+form, all)
}

// Has tells whether lang itself has key.
func (c *Catalogue) Has(lang Lang, key string) bool {
	_, ok := c.texts[lang][key]
	return ok
}

// Keys lists lang's keys, sorted.
func (c *Catalogue) Keys(lang Lang) []string {
	return slices.Sorted(maps.Keys(c.texts[lang]))
}

// fill replaces {name} by args[name] in one pass, so that a value which looks
// like a placeholder stays what it is. Unknown names stay as they are.
func fill(text string, args map[string]string) string {
	if len(args) == 0 || !strings.Contains(text, "{") {
		return text
	}
	var b strings.Builder
	for {
		before, name, after, ok := nextPlaceholder(text)
		if !ok {
			b.WriteString(text)
			return b.String()
		}
		b.WriteString(before)
		if value, known := args[name]; known {
			b.WriteString(value)
		} else {
			b.WriteString("{" + name + "}")
		}
		text = after
	}
}

// nextPlaceholder splits text at its first {name}.
func nextPlaceholder(text string) (before, name, after string, ok bool) {
	before, rest, found := strings.Cut(text, "{")
	if !found {
		return text, "", "", false
	}
	name, after, found = strings.Cut(rest, "}")
	return before, name, after, found
}
