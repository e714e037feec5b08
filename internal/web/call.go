package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"panshi/internal/errs"
)

// This file is the whole of the glue to huma. Huma keeps its error
// constructor in a package variable; we leave it alone and translate its
// errors on their way out instead, in the API's own transformer.

func problemType() reflect.Type { return reflect.TypeFor[Problem]() }

// adapter makes a row of the route table of each operation.
type adapter API

// Handle adds op to the table. Huma calls it from Register, which has checked
// the row.
func (a *adapter) Handle(op *huma.Operation, next func(huma.Context)) {
	own, _ := op.Metadata[metaKey].(Operation)
	inputs := inputsOf(op)
	err := a.mux.Add(a.audience, Route{
		Method: own.Method, Pattern: own.Path, Permission: own.Permission, Priority: own.Priority,
		Limit: own.Limit, MaxBody: own.MaxBody,
		Handler: func(w http.ResponseWriter, r *http.Request) error {
			if own.Ready != nil {
				if answered, err := own.Ready(w, r); answered || err != nil {
					return err
				}
			}
			if err := inputs.check(r); err != nil {
				return err
			}
			c := &call{humaContext: humago.NewContext(op, r, w), w: w}
			next(c)
			return c.finish()
		},
	})
	if err != nil {
		panic("web: a row that was checked is refused: " + err.Error())
	}
}

// ServeHTTP is part of huma.Adapter, whose tests use it.
func (a *adapter) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.mux.ServeHTTP(w, r) }

// humaContext is huma.Context under a name that its method Context leaves free.
type humaContext huma.Context

// call is huma's view of one request. It holds the status back until there is
// a body or the call ends, so that an error can still become a problem.
type call struct {
	humaContext
	w       http.ResponseWriter
	status  int
	err     error // what to answer instead
	started bool  // the status went out
}

// Unwrap gives the adapter's context, which humago.Unwrap looks for.
func (c *call) Unwrap() huma.Context { return c.humaContext }

// SetReadDeadline does nothing: the body was read under the server's time-out.
func (c *call) SetReadDeadline(time.Time) error { return nil }

// SetStatus notes the status.
func (c *call) SetStatus(code int) { c.status = code }

// Status gives the noted status.
func (c *call) Status() int { return c.status }

// BodyWriter gives a writer that sends the status first and drops the body
// that huma made of an error.
func (c *call) BodyWriter() io.Writer { return c }

// Write never fails: a caller who has gone is no fault of ours, and huma would
// panic.
func (c *call) Write(p []byte) (int, error) {
	if c.err == nil {
		c.start()
		_, _ = c.w.Write(p)
	}
	return len(p), nil
}

func (c *call) start() {
	if !c.started {
		c.started = true
		c.w.WriteHeader(c.status)
	}
}

// finish ends the call: the error to answer, or an answer without a body.
func (c *call) finish() error {
	if c.err == nil {
		c.start()
	}
	return c.err
}

// failure carries a handler's error through huma, unchanged.
type failure struct{ err error }

func (f *failure) Error() string { return f.err.Error() }

// Unwrap gives the handler's error.
func (f *failure) Unwrap() error { return f.err }

// GetStatus makes it a huma.StatusError; the true status is decided by
// WriteProblem.
func (f *failure) GetStatus() int { return http.StatusInternalServerError }

// translate takes errors out of huma's hands: it notes them in the call and
// lets huma write nothing.
func translate(ctx huma.Context, _ string, v any) (any, error) {
	var err error
	switch e := v.(type) {
	case *failure:
		err = e.err
	case *huma.ErrorModel:
		err = fromHuma(e)
	default:
		return v, nil
	}
	if c := callOf(ctx); c != nil {
		c.err = err
	}
	return struct{}{}, nil
}

func callOf(ctx huma.Context) *call {
	for ctx != nil {
		if c, ok := ctx.(*call); ok {
			return c
		}
		wrapped, ok := ctx.(interface{ Unwrap() huma.Context })
		if !ok {
			return nil
		}
		ctx = wrapped.Unwrap()
	}
	return nil
}

// jsonFormat encodes whole answers, so that a value which cannot be encoded
// becomes a 500 and not half a body.
func jsonFormat() huma.Format {
	return huma.Format{Marshal: writeJSON, Unmarshal: readJSON}
}

// readJSON decodes and words its errors so that fromHuma knows the field.
func readJSON(data []byte, v any) error {
	err := json.Unmarshal(data, v)
	var mismatch *json.UnmarshalTypeError
	if errors.As(err, &mismatch) {
		return errors.New(msgCannotDecode + mismatch.Field)
	}
	return err
}

func writeJSON(w io.Writer, v any) error {
	raw, err := EncodeJSON(v)
	if err != nil {
		return err
	}
	_, err = w.Write(raw)
	return err
}

// EncodeJSON gives the bytes that an operation answers v with.
func EncodeJSON(v any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

// inputs is what an operation takes.
type inputs struct {
	body    bool // it has a JSON body
	must    bool // which must not be empty
	headers []string
	paths   []string
	singles map[string]bool // query parameters that may come once
}

func inputsOf(op *huma.Operation) inputs {
	in := inputs{singles: map[string]bool{}}
	if op.RequestBody != nil {
		in.body, in.must = true, op.RequestBody.Required
	}
	for _, p := range op.Parameters {
		switch p.In {
		case "header":
			in.headers = append(in.headers, p.Name)
		case "path":
			in.paths = append(in.paths, p.Name)
		case "query":
			in.singles[p.Name] = p.Explode == nil || !*p.Explode
		}
	}
	return in
}

// check refuses what no operation wants, before huma decodes anything.
func (in inputs) check(r *http.Request) error {
	for _, name := range in.paths {
		if !cleanText(r.PathValue(name)) {
			return badText(name)
		}
	}
	for _, name := range in.headers {
		values := r.Header.Values(name)
		if len(values) > 1 {
			return errs.Field(name, "duplicate_field", "this header may come once")
		}
		if len(values) == 1 && !cleanText(values[0]) {
			return badText(name)
		}
	}
	if err := in.checkQuery(r); err != nil {
		return err
	}
	return in.checkBody(r)
}

func (in inputs) checkQuery(r *http.Request) error {
	if r.URL.RawQuery == "" {
		return nil
	}
	query, err := parseQuery(r.URL.RawQuery)
	if err != nil {
		return err
	}
	for name, values := range query {
		if len(values) > 1 && in.singles[name] {
			return errs.Field(name, "duplicate_field", "this parameter may come once")
		}
		for _, value := range values {
			if !cleanText(value) || !cleanText(name) {
				return badText(printable([]byte(name)))
			}
		}
	}
	return nil
}

// checkBody examines the bytes of a JSON body. An operation without a body
// takes nothing or an empty object.
func (in inputs) checkBody(r *http.Request) error {
	body, err := Body(r)
	if err != nil {
		return err
	}
	body = bytes.TrimSpace(body)
	if len(body) == 0 {
		if in.must {
			return errs.New(errs.Malformed, "malformed_body", "a JSON body is required")
		}
		return nil
	}
	if !isJSON(r.Header.Get("Content-Type")) {
		return errs.New(errs.Invalid, "unsupported_media_type", "send application/json")
	}
	if err := CheckJSON(body); err != nil {
		return err
	}
	if !in.body && (body[0] != '{' || len(bytes.TrimSpace(body[1:len(body)-1])) > 0) {
		return errs.Field("body", "unknown_field", "this operation takes no body")
	}
	return nil
}
