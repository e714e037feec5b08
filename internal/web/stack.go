package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime/debug"
	"time"

	"panshi/internal/clock"
	"panshi/internal/errs"
	"panshi/internal/i18n"
	"panshi/internal/id"
)

// statusClientGone is logged when the caller left before the answer; nobody
// receives it.
const statusClientGone = 499

// Stack is the middleware around every listener's handler.
type Stack struct {
	texts   *i18n.Catalogue
	logger  *slog.Logger
	clock   clock.Clock
	proxies []netip.Prefix
	hsts    bool
	secure  []headerLine // of answers by https
}

// NewStack returns the middleware for cfg. Texts translates errors; logger
// gets one line a request.
func NewStack(cfg Config, texts *i18n.Catalogue, logger *slog.Logger, c clock.Clock) (*Stack, error) {
	proxies, err := parseProxies(cfg.TrustedProxies)
	if err != nil {
		return nil, errs.Field("trusted_proxies", "invalid_value", err.Error())
	}
	return &Stack{texts: texts, logger: logger, clock: c, proxies: proxies, hsts: cfg.TLS, secure: []headerLine{
		{"Strict-Transport-Security", []string{"max-age=31536000; includeSubDomains"}},
	}}, nil
}

// Wrap puts around next: the request id, the client's address, the language,
// the request log and the recovery from panics. What it logs never holds a
// query string, a body, a cookie or a token.
func (s *Stack) Wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		started := s.clock.Now()
		st := &state{
			Context: r.Context(), id: requestID(r.Header.Get("X-Request-Id")),
			host:   r.Host,
			client: clientAddr(r, s.proxies),
			lang:   i18n.Negotiate(r.Header.Get("Accept-Language")),
			texts:  s.texts,
			record: recorder{ResponseWriter: w},
		}
		st.idLine[0] = st.id
		w.Header()["X-Request-Id"] = st.idLine[:]
		if s.hsts || r.TLS != nil {
			setLines(w.Header(), s.secure)
		}
		r = r.WithContext(st)                   //nolint:contextcheck // it holds the request's own
		aborted := s.serve(next, &st.record, r) //nolint:contextcheck // the request carries it
		s.log(r, st, started)
		if aborted {
			panic(http.ErrAbortHandler) // net/http cuts the connection and says nothing
		}
	})
}

// serve runs next and turns a panic into a 500. It tells whether the
// connection must be cut, because an answer was already under way.
func (s *Stack) serve(next http.Handler, w *recorder, r *http.Request) (abort bool) {
	defer func() {
		fault := recover()
		if fault == nil {
			return
		}
		if fault == http.ErrAbortHandler { //nolint:errorlint // net/http compares by identity too
			abort = true
			return
		}
		s.logger.LogAttrs(r.Context(), slog.LevelError, "panic",
			slog.String("request_id", RequestID(r.Context())),
			slog.String("panic", fmt.Sprint(fault)),
			slog.String("stack", string(debug.Stack())))
		if w.status != 0 {
			abort = true
			return
		}
		WriteProblem(w, r, errs.New(errs.Internal, "panic", "a handler panicked"))
	}()
	next.ServeHTTP(w, r)
	return false
}

// log writes the one line of a request. Its schema is stable: time, level,
// msg, request_id, method, route, status, bytes, ms, client, and for an error
// code and cause.
func (s *Stack) log(r *http.Request, st *state, started time.Time) {
	status := st.record.status
	switch {
	case status == 0 && r.Context().Err() != nil:
		status = statusClientGone
	case status == 0:
		status = http.StatusOK
	}
	level := slog.LevelInfo
	if status >= http.StatusInternalServerError {
		level = slog.LevelError
	}
	if !s.logger.Enabled(r.Context(), level) {
		return
	}
	now := s.clock.Now()
	line := slog.NewRecord(now, level, "request", 0) // Logger.LogAttrs would look for the caller, which is here
	line.AddAttrs(
		slog.String("request_id", st.id),
		slog.String("method", knownMethod(r.Method)),
		slog.String("route", st.route),
		slog.Int("status", status),
		slog.Int64("bytes", st.record.bytes),
		slog.Float64("ms", float64(now.Sub(started).Microseconds())/1000),
		slog.String("client", st.clientText())) //nolint:contextcheck // st is the context
	if st.code != "" {
		line.AddAttrs(slog.String("code", st.code))
	}
	if st.cause != nil && !errors.Is(st.cause, context.Canceled) {
		line.AddAttrs(slog.String("cause", st.cause.Error()))
	}
	_ = s.logger.Handler().Handle(r.Context(), line) // there is nobody left to tell
}

// requestID keeps the id that a caller sent if it is harmless, and else makes
// one. Harmless is 8 to 64 of [0-9A-Za-z._-].
func requestID(sent string) string {
	const shortest, longest = 8, 64
	if len(sent) < shortest || len(sent) > longest {
		return id.New().String()
	}
	for i := range len(sent) {
		c := sent[i]
		ok := c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '-' || c == '_' || c == '.'
		if !ok {
			return id.New().String()
		}
	}
	return sent
}

// knownMethod keeps a method that a stranger invented out of the log.
func knownMethod(m string) string {
	switch m {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch,
		http.MethodDelete, http.MethodOptions, http.MethodTrace, http.MethodConnect:
		return m
	}
	return "OTHER"
}
