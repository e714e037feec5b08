package i18n

import (
	"fmt"
	"slices"
	"strings"
)

// Check lists what is wrong with the catalogue as a whole: a key that one
// language lacks, an empty text, placeholders that differ between languages.
func (c *Catalogue) Check() []string {
	var out []string
	for _, lang := range Languages() {
		for _, key := range c.Keys(lang) {
			if strings.TrimSpace(c.texts[lang][key]) == "" {
				out = append(out, fmt.Sprintf("%s: %s is empty", lang, key))
			}
			out = append(out, c.compare(lang, key)...)
		}
	}
	return out
}

// compare holds one text against the same key in the other languages.
func (c *Catalogue) compare(lang Lang, key string) []string {
	var out []string
	own := placeholders(c.texts[lang][key])
	for _, other := range Languages() {
		text, ok := c.texts[other][key]
		if !ok {
			out = append(out, fmt.Sprintf("%s lacks %s, which %s has", other, key, lang))
		} else if theirs := placeholders(text); !slices.Equal(own, theirs) {
			out = append(out, fmt.Sprintf("%s: %s has placeholders %v, %s has %v", lang, key, own, other, theirs))
		}
	}
	return out
}

// placeholders lists the names in text, sorted, each once.
func placeholders(text string) []string {
	var out []string
	for {
		_, name, after, ok := nextPlaceholder(text)
		if !ok {
			break
		}
		out = append(out, name)
		text = after
	}
	slices.Sort(out)
	return slices.Compact(out)
}
