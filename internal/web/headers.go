package web

import "net/http"

// HeaderPolicy is the security headers of an audience (controls C5).
type HeaderPolicy struct {
	ContentSecurityPolicy string
	CacheControl          string // "" leaves it to the handler; a handler may also overwrite it
}

// PageHeaders suits server-rendered pages: own files only, nothing inline, no
// frames, so that an injected script has nowhere to run.
func PageHeaders() HeaderPolicy {
	return HeaderPolicy{ContentSecurityPolicy: "default-src 'none'; script-src 'self'; style-src 'self'; " +
		"img-src 'self' data:; font-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"}
}

// APIHeaders suits JSON: an answer that a browser shows must not be able to
// load anything, and nothing is kept by caches unless its handler says so.
func APIHeaders() HeaderPolicy {
	return HeaderPolicy{ContentSecurityPolicy: "default-src 'none'; frame-ancestors 'none'", CacheControl: "no-store"}
}

// NoStore is p with "Cache-Control: no-store": for pages that show what only
// one person may see.
func (p HeaderPolicy) NoStore() HeaderPolicy {
	p.CacheControl = "no-store"
	return p
}

// lines are the headers to set before the handler runs, ready to be shared by
// all answers.
func (p HeaderPolicy) lines() []headerLine {
	all := []headerLine{
		{"X-Content-Type-Options", []string{"nosniff"}},
		{"Referrer-Policy", []string{"same-origin"}},
		{"Cross-Origin-Opener-Policy", []string{"same-origin"}},
		{"Cross-Origin-Resource-Policy", []string{"same-origin"}},
		{"X-Frame-Options", []string{"DENY"}},
	}
	if p.ContentSecurityPolicy != "" {
		all = append(all, headerLine{"Content-Security-Policy", []string{p.ContentSecurityPolicy}})
	}
	if p.CacheControl != "" {
		all = append(all, headerLine{"Cache-Control", []string{p.CacheControl}})
	}
	return all
}

// headerLine is a header whose value all answers share: http.Header's own
// methods replace a value's slice or grow a copy of it, and never write into
// it. Setting it allocates nothing.
type headerLine struct {
	name  string // canonical
	value []string
}

func setLines(h http.Header, lines []headerLine) {
	for i := range lines {
		h[lines[i].name] = lines[i].value
	}
}
