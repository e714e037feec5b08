package web

import (
	"context"
	"net/netip"

	"panshi/internal/i18n"
)

// state is what the middleware knows of one request. It is owned by the
// request's goroutine.
type state struct {
	id     string
	host   string
	client netip.Addr
	lang   i18n.Lang
	texts  *i18n.Catalogue
	route  string // the pattern that matched, "" if none

	code   string // of the error that was answered
	cause  error  // of a 5xx, for the log
	record recorder
}

type stateKey struct{}

func stateOf(ctx context.Context) *state {
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
func ClientKey(ctx context.Context) string { return limitKey(ClientAddr(ctx)) }

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
