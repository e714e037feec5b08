package web

import (
	"context"
	"net/netip"

	"panshi/internal/i18n"
)

// state is what the middleware knows of one request. It is owned by the
// request's goroutine. It is the request's context itself, in one allocation
// with what is answered.
type state struct {
	context.Context //nolint:containedctx // it is one

	id     string
	idLine [1]string // id as the value of a header
	host   string
	client netip.Addr
	key    string // under which the client is counted and logged; "" until somebody asks
	lang   i18n.Lang
	texts  *i18n.Catalogue
	route  string // the pattern that matched, "" if none

	code   string // of the error that was answered
	cause  error  // of a 5xx, for the log
	record recorder
}

type stateKey struct{}

// Value implements context.Context.
func (s *state) Value(key any) any {
	if _, ok := key.(stateKey); ok {
		return s
	}
	return s.Context.Value(key)
}

func stateOf(ctx context.Context) *state {
	if s, ok := ctx.(*state); ok {
		return s
	}
	s, _ := ctx.Value(stateKey{}).(*state)
	return s
}

// RequestID gives the id under which ctx's request is logged, "" outside of a
// request.
func RequestID(ctx context.Context) string {
	if s := stateOf(ctx); s != nil {
		return s.id
	}
	return ""
}

// Host gives the host that ctx's request was sent to, as its sender spelled it
// and perhaps with a port: what tells shops apart. It is "" outside of a
// request.
func Host(ctx context.Context) string {
	if s := stateOf(ctx); s != nil {
		return s.host
	}
	return ""
}

// ClientAddr gives the address of who sent ctx's request; trusted proxies are
// looked through. It is the zero Addr outside of a request.
func ClientAddr(ctx context.Context) netip.Addr {
	if s := stateOf(ctx); s != nil {
		return s.client
	}
	return netip.Addr{}
}

// ClientKey gives the key under which ctx's client is rate limited.
func ClientKey(ctx context.Context) string {
	s := stateOf(ctx)
	if s == nil {
		return limitKey(netip.Addr{})
	}
	if s.key == "" {
		s.key = limitKey(s.client)
	}
	return s.key
}

// clientText spells the client's address; one of IPv4 is its own key.
func (s *state) clientText() string {
	if s.client.Is4() {
		return ClientKey(s)
	}
	return s.client.String()
}

// Lang gives the language to answer ctx's request in.
func Lang(ctx context.Context) i18n.Lang {
	if s := stateOf(ctx); s != nil {
		return s.lang
	}
	return i18n.Chinese
}

// SetLang makes the rest of the request, its errors too, speak lang: for a
// choice that is stronger than Accept-Language, such as a cookie's.
func SetLang(ctx context.Context, lang i18n.Lang) {
	if s := stateOf(ctx); s != nil {
		s.lang = lang
	}
}
