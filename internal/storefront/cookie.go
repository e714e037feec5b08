package storefront

import (
	"net/http"
	"strings"
	"time"
)

const (
	orderCookie = "order_"
	orderAge    = 30 * 24 * time.Hour
)

// Bounds of what is read from outside before anybody else sees it.
const (
	minOrderNo = 8
	maxOrderNo = 32
	maxToken   = 128
)

// keepToken lets this browser open an order for 30 days. The cookie goes to
// the order's own pages only.
func (s *Shop) keepToken(v *visit, orderNo, token string) {
	http.SetCookie(v.w, &http.Cookie{ //nolint:gosec // Secure follows how the buyer reaches us: a shop on plain http must work on loopback
		Name: orderCookie + orderNo, Value: token, Path: "/orders/" + orderNo, MaxAge: int(orderAge / time.Second),
		HttpOnly: true, Secure: s.secure(v.r), SameSite: http.SameSiteLaxMode,
	})
}

// tokenOf finds the token of an order in the request's cookies; "" if none.
func tokenOf(r *http.Request, orderNo string) string {
	c, err := r.Cookie(orderCookie + orderNo)
	if err != nil || !validToken(c.Value) {
		return ""
	}
	return c.Value
}

// secure tells whether this browser reaches us by https.
func (s *Shop) secure(r *http.Request) bool {
	return r.TLS != nil || strings.HasPrefix(s.PublicURL, "https://")
}

// validOrderNo tells whether s can be an order number, so that nothing else
// becomes part of a cookie's name or path.
func validOrderNo(s string) bool {
	return len(s) >= minOrderNo && len(s) <= maxOrderNo && only(s, func(c rune) bool {
		return c >= '0' && c <= '9' || c >= 'A' && c <= 'Z'
	})
}

// validToken tells whether s can be an access token: base64url.
func validToken(s string) bool {
	return s != "" && len(s) <= maxToken && only(s, func(c rune) bool {
		return c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c == '-' || c == '_'
	})
}

func only(s string, allowed func(rune) bool) bool {
	return !strings.ContainsFunc(s, func(c rune) bool { return !allowed(c) })
}
