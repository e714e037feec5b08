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

// apply sets the headers before the handler runs.
func (p HeaderPolicy) apply(h http.Header) {
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("X-Frame-Options", "DENY")
	if p.ContentSecurityPolicy != "" {
		h.Set("Content-Security-Policy", p.ContentSecurityPolicy)
	}
	if p.CacheControl != "" {
		h.Set("Cache-Control", p.CacheControl)
	}
}
