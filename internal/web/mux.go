package web

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"

	"panshi/internal/errs"
)

// Mux is the route table of one listener. Add every audience's rows before
// serving; it does not change afterwards.
type Mux struct {
	mux      *http.ServeMux
	limiter  Limiter
	shedder  Shedder
	origins  *http.CrossOriginProtection
	maxBody  int64
	fallback Audience
	headers  []headerLine // of fallback
	routes   []Row
	entries  []*entry // of routes, in the same order
}

// Row is what the table knows of a route, for tests and the inventory of
// endpoints.
type Row struct {
	Audience string
	Route    Route
}

// NewMux returns an empty table. Fallback answers what no route matches
// (errors not_found and method_not_allowed).
func NewMux(cfg Config, limiter Limiter, shedder Shedder, fallback Audience) (*Mux, error) {
	m := &Mux{
		mux: http.NewServeMux(), limiter: limiter, shedder: shedder,
		origins: http.NewCrossOriginProtection(), maxBody: cfg.MaxBodyBytes, fallback: fallback,
		headers: fallback.Headers.lines(),
	}
	for _, origin := range cfg.TrustedOrigins {
		if err := m.origins.AddTrustedOrigin(origin); err != nil {
			return nil, errs.Wrap(err, errs.Invalid, "invalid_value", "trusted_origins: not an origin")
		}
	}
	return m, nil
}

// Add puts an audience's rows into the table, or none of them when one is
// incomplete. Patterns that contradict each other are a panic of
// http.ServeMux.
func (m *Mux) Add(audience Audience, routes ...Route) error {
	var problems []error
	for _, route := range routes {
		if err := audience.check(route); err != nil {
			problems = append(problems, err)
		}
	}
	if err := errors.Join(problems...); err != nil {
		return err
	}
	for _, route := range routes {
		if route.MaxBody == 0 {
			route.MaxBody = m.maxBody
		}
		if route.Headers.ContentSecurityPolicy == "" {
			route.Headers = audience.Headers
		}
		m.routes = append(m.routes, Row{Audience: audience.Name, Route: route})
		e := &entry{mux: m, audience: audience, route: route, headers: route.Headers.lines()}
		m.entries = append(m.entries, e)
		m.mux.Handle(route.Method+" "+route.Pattern, e)
	}
	return nil
}

// Narrow returns the same table for a process that serves a part of it: a row
// that serves refuses keeps its place and answers 421 not_served_here, which
// tells a proxy's operator that the request went to the wrong process, where
// "not found" would tell a buyer that the goods are gone.
func (m *Mux) Narrow(serves func(Row) bool) *Mux {
	narrow := *m
	narrow.mux = http.NewServeMux()
	for i, e := range m.entries {
		if serves(m.routes[i]) {
			narrow.mux.Handle(e.route.Method+" "+e.route.Pattern, e)
			continue
		}
		narrow.mux.HandleFunc(e.route.Method+" "+e.route.Pattern, m.misdirected)
	}
	return &narrow
}

func (m *Mux) misdirected(w http.ResponseWriter, r *http.Request) {
	claim(w)
	setLines(w.Header(), APIHeaders().lines())
	if err := allow(m.limiter, LimitRead, r); err != nil {
		WriteProblem(w, r, err)
		return
	}
	WriteProblem(w, r, errs.New(errs.NotFound, "not_served_here", "this process does not serve that address; its roles are others"))
}

// claim notes that a row has the request: from here on what is written goes
// out.
func claim(w http.ResponseWriter) {
	if rec, ok := w.(*recorder); ok {
		rec.unclaimed = false
	}
}

// Rows lists the table in the order of Add.
func (m *Mux) Rows() []Row { return slices.Clone(m.routes) }

// ServeHTTP finds the row of r and runs it. Under a Stack the table is looked
// through once: what http.ServeMux itself says to a request without a row is
// held back, and refuse says it in our words.
func (m *Mux) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rec, ok := w.(*recorder)
	if !ok {
		rec = &recorder{ResponseWriter: w}
	}
	rec.unclaimed = true
	m.mux.ServeHTTP(rec, r)
	if rec.unclaimed {
		rec.unclaimed = false
		m.refuse(rec, r)
	}
}

// refuse answers what no row matches: http.ServeMux knows whether another
// method would have, and has put its headers into w.
func (m *Mux) refuse(w *recorder, r *http.Request) {
	said, h := w.refused, w.Header()
	allowed := strings.Join(h.Values("Allow"), ", ")
	for _, name := range []string{"Allow", "Content-Type", "Location", "X-Content-Type-Options"} {
		h.Del(name)
	}
	setLines(h, m.headers)
	if err := allow(m.limiter, LimitRead, r); err != nil { // somebody who tries every address
		m.fallback.fail(w, r, err)
		return
	}
	if said == http.StatusMethodNotAllowed {
		h.Set("Allow", allowed)
		m.fallback.fail(w, r, errs.New(errs.Invalid, "method_not_allowed", "this address does not support that method"))
		return
	}
	m.fallback.fail(w, r, errs.New(errs.NotFound, "not_found", "there is nothing at this address"))
}

// entry is a row at work.
type entry struct {
	mux      *Mux
	audience Audience
	route    Route
	headers  []headerLine
}

func (e *entry) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	claim(w)
	if s := stateOf(r.Context()); s != nil {
		s.route = e.route.Pattern
	}
	setLines(w.Header(), e.headers)
	if err := e.serve(w, r); err != nil { //nolint:contextcheck // the request carries it
		e.audience.fail(w, r, err)
	}
}

// serve refuses in the order of cost: what is cheap to refuse comes first,
// and a slow sender has sent all before it takes a place among the work under
// way.
func (e *entry) serve(w http.ResponseWriter, r *http.Request) error {
	if err := e.mux.origins.Check(r); err != nil {
		return errs.Wrap(err, errs.Forbidden, "cross_origin", "the request came from another site")
	}
	if err := allow(e.mux.limiter, e.route.Limit, r); err != nil {
		return err
	}
	if err := e.takeBody(w, r); err != nil {
		return err
	}
	leave, ok := e.mux.shedder.Enter(e.route.Priority)
	if !ok {
		return errs.New(errs.Unavailable, "overloaded", "the shop is very busy")
	}
	defer leave()
	if !selfProving(e.route.Permission) {
		ctx, err := e.audience.Authorize.Authorize(r, e.route.Permission)
		if err != nil {
			return err
		}
		r = r.WithContext(ctx)
	}
	return e.route.Handler(w, r)
}

// allow counts r against its client.
func allow(limiter Limiter, class LimitClass, r *http.Request) error {
	if class == Unlimited {
		return nil
	}
	if ok, after := limiter.Allow(class, ClientKey(r.Context())); !ok {
		return RetryAfter(errs.New(errs.TooMany, "rate_limited", "too many requests"), after)
	}
	return nil
}

// takeBody bounds the body and, unless the route streams, reads it.
func (e *entry) takeBody(w http.ResponseWriter, r *http.Request) error {
	if r.Body == nil || r.Body == http.NoBody {
		return nil
	}
	limit := e.route.MaxBody
	if r.ContentLength > limit {
		w.Header().Set("Connection", "close") // not worth reading to the end
		return bodyTooLarge(limit)
	}
	r.Body = http.MaxBytesReader(w, r.Body, limit)
	if e.route.Stream {
		return nil
	}
	body, err := readAll(r.Body, r.ContentLength)
	if err != nil {
		return unreadable(err)
	}
	r.Body = &bufferedBody{Reader: bytes.NewReader(body), bytes: body}
	return nil
}

// readAll reads a body whose length is known, or -1.
func readAll(body io.Reader, length int64) ([]byte, error) {
	if length < 0 {
		return io.ReadAll(body)
	}
	buf := make([]byte, length)
	_, err := io.ReadFull(body, buf)
	return buf, err
}

// unreadable says why a body could not be read: it is too large, or its sender
// stopped, which is a malformed request.
func unreadable(err error) error {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return bodyTooLarge(tooLarge.Limit)
	}
	return errs.Wrap(err, errs.Malformed, "malformed_body", "the request body broke off")
}

// bufferedBody is a body that was read already.
type bufferedBody struct {
	*bytes.Reader
	bytes []byte
}

// Close does nothing: the connection's body is at its end.
func (*bufferedBody) Close() error { return nil }

// Body gives the whole body of a route that does not stream. It belongs to
// the request and must not be changed. Callbacks need it to verify a signature
// over the bytes as they were sent.
func Body(r *http.Request) ([]byte, error) {
	if r.Body == nil || r.Body == http.NoBody {
		return nil, nil
	}
	if b, ok := r.Body.(*bufferedBody); ok {
		return b.bytes, nil
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, unreadable(err)
	}
	return body, nil
}
