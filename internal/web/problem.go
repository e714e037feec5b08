package web

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"panshi/internal/errs"
	"panshi/internal/i18n"
)

// Problem is the body of every error (RFC 9457, application/problem+json).
type Problem struct {
	Type     string         `json:"type" doc:"Always about:blank: the code tells errors apart." example:"about:blank"`
	Title    string         `json:"title" doc:"The phrase of the HTTP status." example:"Conflict"`
	Status   int            `json:"status" doc:"The HTTP status." example:"409"`
	Code     string         `json:"code" doc:"Stable and machine-readable." example:"sold_out"`
	Detail   string         `json:"detail" doc:"For a person, in the language of Accept-Language."`
	Instance string         `json:"instance,omitempty" doc:"The request id; tell it to support."`
	Errors   []FieldProblem `json:"errors,omitempty" doc:"The inputs that must change."`
	KeptTo   string         `json:"expires_at,omitempty" format:"date-time" example:"2026-05-04T03:17:01Z" doc:"payment_busy and payment_checking: until when the order is kept, unpaid."`
	Missing  int64          `json:"missing,omitempty" example:"1200" doc:"credit_insufficient: what is missing, in minor units of the order's currency."`
	Channels []string       `json:"channels,omitempty" doc:"payment_busy: ids of other payment channels that work."`
}

// FieldProblem names one input that must change.
type FieldProblem struct {
	Field  string `json:"field" doc:"As the caller spells it." example:"lines[0].quantity"`
	Code   string `json:"code" doc:"Stable and machine-readable." example:"out_of_range"`
	Detail string `json:"detail" doc:"For a person, in the language of Accept-Language."`
}

// maxFieldProblems bounds an answer about an input that is wrong all over.
const maxFieldProblems = 20

// StatusOf gives the HTTP status of an error. This is the one place where
// kinds become statuses.
func StatusOf(err error) int {
	if code := errs.CodeOf(err); code != "internal" {
		switch code { // statuses that no kind has
		case "method_not_allowed":
			return http.StatusMethodNotAllowed
		case "unsupported_media_type":
			return http.StatusUnsupportedMediaType
		case "not_served_here":
			return http.StatusMisdirectedRequest
		}
	}
	switch errs.KindOf(err) {
	case errs.Invalid:
		return http.StatusUnprocessableEntity
	case errs.NotFound:
		return http.StatusNotFound
	case errs.Conflict:
		return http.StatusConflict
	case errs.Unauthenticated:
		return http.StatusUnauthorized
	case errs.Forbidden:
		return http.StatusForbidden
	case errs.TooMany:
		return http.StatusTooManyRequests
	case errs.TooLarge:
		return http.StatusRequestEntityTooLarge
	case errs.Unavailable:
		return http.StatusServiceUnavailable
	case errs.Malformed:
		return http.StatusBadRequest
	case errs.Internal, errs.Integrity:
	}
	return http.StatusInternalServerError
}

// RetryAfter returns err, a TooMany or Unavailable error, with the time after
// which the caller may come again.
func RetryAfter(err *errs.Error, after time.Duration) *errs.Error {
	seconds := max(1, int64((after+time.Second-1)/time.Second))
	return err.With("retry_after", strconv.FormatInt(seconds, 10))
}

// WriteProblem answers r with err as application/problem+json. A 5xx tells
// the caller nothing but the request id; its cause goes to the request log.
// Several errs.Error joined by errors.Join become one answer that names every
// field.
func WriteProblem(w http.ResponseWriter, r *http.Request, err error) {
	p := ProblemOf(r.Context(), w.Header(), err)
	body, jsonErr := json.Marshal(p)
	if jsonErr != nil {
		panic("web: a problem cannot be encoded: " + jsonErr.Error())
	}
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	h.Del("Content-Encoding")
	h.Del("ETag")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(p.Status)
	_, _ = w.Write(body) // a caller who has gone is no fault of ours
}

// ProblemOf builds the answer to err, notes it for the request log and sets
// the headers that belong to it (Retry-After, WWW-Authenticate). A page that
// shows errors as HTML calls it; everyone else calls WriteProblem.
func ProblemOf(ctx context.Context, h http.Header, err error) Problem {
	all := flatten(normal(err))
	first := all[0]
	p := Problem{Type: "about:blank", Status: StatusOf(first), Code: first.Code, Instance: RequestID(ctx)}
	note(ctx, p.Status, first.Code, err)
	if p.Status == http.StatusInternalServerError {
		first, all = errs.New(errs.Internal, "internal", "something went wrong on our side"), nil
		p.Code = first.Code
	}
	p.Title = http.StatusText(p.Status)
	p.Errors = fieldProblems(ctx, all)
	if differ(p.Errors) {
		first = errs.New(errs.Invalid, "invalid_input", "some fields are not right")
		p.Code = first.Code
	}
	p.Detail = textOf(ctx, first)
	p.KeptTo, p.Channels = first.Params["expires_at"], strings.Fields(first.Params["channels"])
	p.Missing, _ = strconv.ParseInt(first.Params["missing_minor"], 10, 64) // 0: nothing is
	setHeaders(h, p.Status, first)
	return p
}

// normal makes an errs.Error of the errors that others make.
func normal(err error) error {
	var known *errs.Error
	if errors.As(err, &known) {
		return err
	}
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return bodyTooLarge(tooLarge.Limit)
	case errors.Is(err, context.DeadlineExceeded):
		return errs.Wrap(err, errs.Unavailable, "timeout", "this took too long")
	}
	return errs.Wrap(err, errs.Internal, "internal", "something went wrong on our side")
}

func bodyTooLarge(limit int64) error {
	return errs.New(errs.TooLarge, "body_too_large", "the request body is too large").With("max", strconv.FormatInt(limit, 10))
}

// flatten lists the errs.Error that err joins, at least one: the worst first,
// then by field, so that equal inputs get equal answers.
func flatten(err error) []*errs.Error {
	var out []*errs.Error
	collect(err, &out)
	slices.SortStableFunc(out, func(a, b *errs.Error) int {
		if sa, sb := StatusOf(a), StatusOf(b); sa != sb && (sa >= 500 || sb >= 500) {
			return sb - sa
		}
		return 0
	})
	return out[:min(len(out), maxFieldProblems)]
}

func collect(err error, out *[]*errs.Error) {
	switch e := err.(type) { //nolint:errorlint // this walks the tree itself
	case *errs.Error:
		*out = append(*out, e)
	case interface{ Unwrap() []error }:
		for _, sub := range e.Unwrap() {
			collect(sub, out)
		}
	case interface{ Unwrap() error }:
		collect(e.Unwrap(), out)
	case nil:
	default:
		*out = append(*out, errs.Wrap(e, errs.Internal, "internal", "something went wrong on our side"))
	}
}

func fieldProblems(ctx context.Context, all []*errs.Error) []FieldProblem {
	var out []FieldProblem
	for _, e := range all {
		if e.Field != "" {
			out = append(out, FieldProblem{Field: e.Field, Code: e.Code, Detail: textOf(ctx, e)})
		}
	}
	return out
}

// differ tells whether the fields have more than one code between them.
func differ(list []FieldProblem) bool {
	return slices.ContainsFunc(list, func(f FieldProblem) bool { return f.Code != list[0].Code })
}

// note leaves code and cause for the request log.
func note(ctx context.Context, status int, code string, err error) {
	s := stateOf(ctx)
	if s == nil {
		return
	}
	s.code = code
	if status >= http.StatusInternalServerError {
		s.cause = err
	}
}

// textOf translates e: by code and parameter, by code, and else the message
// that e brought, which is safe to show by contract of package errs.
func textOf(ctx context.Context, e *errs.Error) string {
	s := stateOf(ctx)
	if s == nil || s.texts == nil {
		return e.Msg
	}
	key := "error." + e.Code
	for _, param := range slices.Sorted(maps.Keys(e.Params)) {
		if longer := key + "." + param; s.texts.Has(s.lang, longer) {
			return s.texts.Text(s.lang, longer, e.Params)
		}
	}
	if s.texts.Has(s.lang, key) || s.texts.Has(i18n.Chinese, key) {
		return s.texts.Text(s.lang, key, e.Params)
	}
	return e.Msg
}

func setHeaders(h http.Header, status int, e *errs.Error) {
	switch status {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		after := e.Params["retry_after"]
		if after == "" {
			after = "1"
		}
		h.Set("Retry-After", after)
	case http.StatusUnauthorized:
		h.Set("WWW-Authenticate", `Bearer realm="panshi"`)
	}
}
