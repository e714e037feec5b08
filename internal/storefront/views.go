package storefront

import (
	"embed"
	"fmt"
	"hash/fnv"
	"html/template"
	"io"
	"io/fs"
	"path"
	"strings"
	"time"
	"unicode"

	"panshi/internal/i18n"
	"panshi/internal/money"
)

//go:embed templates/*.html
var templateFiles embed.FS

// views are the parsed pages of one language, by name.
type views map[string]*template.Template

// shared files are part of every page.
func sharedTemplates() []string { return []string{"templates/layout.html", "templates/parts.html"} }

func loadViews(funcs template.FuncMap) (views, error) {
	base, err := template.New("layout.html").Funcs(funcs).ParseFS(templateFiles, sharedTemplates()...)
	if err != nil {
		return nil, fmt.Errorf("storefront: %w", err)
	}
	files, err := fs.Glob(templateFiles, "templates/page_*.html")
	if err != nil {
		return nil, fmt.Errorf("storefront: %w", err)
	}
	all := views{}
	for _, file := range files {
		page, err := base.Clone()
		if err == nil {
			page, err = page.ParseFS(templateFiles, file)
		}
		if err != nil {
			return nil, fmt.Errorf("storefront: %w", err)
		}
		all[strings.TrimSuffix(strings.TrimPrefix(path.Base(file), "page_"), ".html")] = page
	}
	return all, nil
}

func (vs views) render(w io.Writer, name string, sc screen) error {
	t, ok := vs[name]
	if !ok {
		return fmt.Errorf("storefront: no page %q", name)
	}
	return t.Execute(w, sc)
}

// funcs is what templates can call, in one language.
func (s *Shop) funcs(lang i18n.Lang) template.FuncMap {
	return template.FuncMap{
		"t": func(key string, pairs ...any) string {
			return s.Texts.Text(lang, key, pairsOf(stringsOf(pairs)))
		},
		"count": func(key string, n int) string { return s.Texts.Count(lang, key, n, nil) },
		"price": func(a money.Amount) string { return s.priceText(lang, a) },
		"moment": func(at time.Time) string {
			return s.Texts.Text(lang, "shop.time.moment", map[string]string{
				"at": at.In(s.Zone).Format("2006-01-02 15:04"), "zone": at.In(s.Zone).Format("UTC-07"),
			})
		},
		"machine": func(at time.Time) string { return at.UTC().Format(time.RFC3339) },
		"asset":   s.assets.url,
		"initial": initial,
		"tone":    tone,
	}
}

func (s *Shop) priceText(lang i18n.Lang, a money.Amount) string {
	key := "shop.price.other"
	if a.Currency == money.CNY {
		key = "shop.price.cny"
	}
	return s.Texts.Text(lang, key, map[string]string{"amount": a.Decimal(), "currency": string(a.Currency)})
}

// pairsOf makes a map of names and values in turn; a name without a value is
// left out.
func pairsOf(list []string) map[string]string {
	m := make(map[string]string, len(list)/2)
	for i := 0; i+1 < len(list); i += 2 {
		m[list[i]] = list[i+1]
	}
	return m
}

func stringsOf(values []any) []string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = fmt.Sprint(v)
	}
	return out
}

// initial is the letter on the drawing of a product without a picture.
func initial(title string) string {
	for _, c := range title {
		if unicode.IsLetter(c) || unicode.IsDigit(c) {
			return string(unicode.ToUpper(c))
		}
	}
	return "·"
}

// tones is how many colours shop.css has for such drawings.
const tones = 5

// tone picks a drawing's colour: always the same for a product.
func tone(slug string) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(slug)) // a hash never fails
	return int(h.Sum32() % tones)
}
