package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"

	"panshi/internal/errs"
	"panshi/internal/perm"
)

// SecurityScheme documents how a caller proves who it is (OpenAPI security
// scheme object).
type SecurityScheme = huma.SecurityScheme

// Info describes a JSON API.
type Info struct {
	Title       string
	Version     string
	Description string
	// SpecPath is where the OpenAPI document is served; "" is /openapi.json.
	SpecPath string
	// Schemes are the proofs that operations may name in Auth.
	Schemes map[string]*SecurityScheme
	// Tags documents the groups that operations name, in order.
	Tags []string
}

// API is a JSON API whose OpenAPI 3.1 document comes from the same rows as its
// routes. Register every operation before serving.
type API struct {
	mux      *Mux
	audience Audience
	info     Info
	huma     huma.API
	schema   *huma.Schema // of Problem, a reference
	spec     func() ([]byte, error)
	err      error // what Register complained about first; Err gives it
}

// Operation is a row of a JSON API.
type Operation struct {
	Method      string
	Path        string // "/api/v1/orders/{order_no}"
	ID          string // operationId, snake_case: "place_order"
	Summary     string
	Description string
	Tag         string

	Permission perm.Permission
	Priority   perm.Priority
	Limit      LimitClass
	// Auth names a scheme of Info.Schemes; it must be set exactly when a proof
	// travels with the request (every permission but Anyone and Signed).
	Auth string
	// Status is the success; 0 is 200, or 204 without a body.
	Status int
	// Errors documents the codes that the handler answers with, beside those
	// of the frame (malformed_body, unknown_field, rate_limited, ...). The
	// kind gives the status.
	Errors map[errs.Kind][]string
	// MaxBody bounds the body in bytes; 0 is the listener's bound.
	MaxBody int64
	// Ready may answer before the parameters are decoded, from what is kept
	// ready; what it does not answer goes the ordinary way. It must answer as
	// that would. Nil: nothing is kept.
	Ready func(w http.ResponseWriter, r *http.Request) (answered bool, err error)
}

// NewAPI returns an API whose operations become rows of mux for audience, and
// serves its OpenAPI document.
func NewAPI(mux *Mux, audience Audience, info Info) (*API, error) {
	if info.SpecPath == "" {
		info.SpecPath = "/openapi.json"
	}
	a := &API{mux: mux, audience: audience, info: info}
	registry := huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer)
	a.huma = huma.NewAPI(huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI:    "3.1.0",
			Info:       &huma.Info{Title: info.Title, Version: info.Version, Description: info.Description},
			Components: &huma.Components{Schemas: registry, SecuritySchemes: info.Schemes},
		},
		Formats:                      map[string]huma.Format{"application/json": jsonFormat(), "json": jsonFormat()},
		DefaultFormat:                "application/json",
		RejectUnknownQueryParameters: true,
		Transformers:                 []huma.Transformer{translate},
	}, (*adapter)(a))
	for _, name := range info.Tags {
		a.huma.OpenAPI().Tags = append(a.huma.OpenAPI().Tags, &huma.Tag{Name: name})
	}
	a.schema = registry.Schema(problemType(), true, "Problem")
	a.spec = sync.OnceValues(a.encodeSpec)
	return a, mux.Add(audience, Route{
		Method: http.MethodGet, Pattern: info.SpecPath, Permission: perm.Anyone,
		Priority: perm.Optional, Limit: LimitRead, Handler: a.serveSpec,
	})
}

// Register adds an operation. I is a struct whose fields tagged path, query or
// header are parameters and whose field Body is the JSON body; O is a struct
// whose field Body is the answer's body and whose other fields are headers
// (tag header) or Status. Huma's tags apply (maxLength, minimum, enum,
// required, doc, ...): what they refuse never reaches handler. A mistake in op
// is remembered and given by Err.
func Register[I, O any](a *API, op Operation, handler func(ctx context.Context, in *I) (*O, error)) {
	if err := a.check(op); err != nil {
		a.err = errors.Join(a.err, err)
		return
	}
	huma.Register(a.huma, a.describe(op), func(ctx context.Context, in *I) (*O, error) {
		out, err := handler(ctx, in)
		if err != nil {
			return nil, &failure{err}
		}
		return out, nil
	})
	a.refuseNullLists()
}

// refuseNullLists undoes huma's rule that any list may be null: null would
// pass by minItems. The schemas are those that validation uses.
func (a *API) refuseNullLists() {
	doc := a.huma.OpenAPI()
	for _, s := range doc.Components.Schemas.Map() {
		notNull(s)
	}
	for _, item := range doc.Paths {
		for _, op := range []*huma.Operation{item.Get, item.Post, item.Put, item.Patch, item.Delete} {
			if op == nil || op.RequestBody == nil {
				continue
			}
			for _, media := range op.RequestBody.Content {
				notNull(media.Schema)
			}
		}
	}
}

func notNull(s *huma.Schema) {
	if s == nil {
		return
	}
	if s.Type == huma.TypeArray {
		s.Nullable = false
	}
	notNull(s.Items)
	for _, p := range s.Properties {
		notNull(p)
	}
}

// Err gives everything that Register complained about, nil if nothing.
func (a *API) Err() error { return a.err }

// check finds what is missing in op beside what Audience.check finds.
func (a *API) check(op Operation) error {
	complain := func(what string) error {
		return errs.New(errs.Internal, "route_incomplete", fmt.Sprintf("operation %s %s of %s: %s", op.Method, op.Path, a.audience.Name, what))
	}
	proof := op.Permission != perm.Anyone && op.Permission != perm.Signed
	switch {
	case op.ID == "" || op.Summary == "":
		return complain("it has no ID or no Summary")
	case proof && op.Auth == "":
		return complain("its permission wants a proof, so Auth must name a scheme")
	case op.Auth != "" && a.info.Schemes[op.Auth] == nil:
		return complain("Info.Schemes has no " + op.Auth)
	}
	return a.audience.check(Route{
		Method: op.Method, Pattern: op.Path, Permission: op.Permission, Priority: op.Priority, Limit: op.Limit,
		Handler: func(http.ResponseWriter, *http.Request) error { return nil },
	})
}

// metaKey keeps our Operation in huma's.
const metaKey = "panshi"

// describe makes huma's operation of ours.
func (a *API) describe(op Operation) huma.Operation {
	h := huma.Operation{
		OperationID: op.ID, Method: op.Method, Path: op.Path, Summary: op.Summary, Description: op.Description,
		DefaultStatus: op.Status, Metadata: map[string]any{metaKey: op},
		Responses:    map[string]*huma.Response{},
		MaxBodyBytes: -1, BodyReadTimeout: -1, // the row bounds both, before huma sees the request
	}
	if op.Tag != "" {
		h.Tags = []string{op.Tag}
	}
	h.Security = []map[string][]string{}
	if op.Auth != "" {
		h.Security = append(h.Security, map[string][]string{op.Auth: {}})
	}
	byStatus := a.errorCodes(op)
	for _, status := range slices.Sorted(maps.Keys(byStatus)) {
		codes := slices.Compact(slices.Sorted(slices.Values(byStatus[status])))
		h.Responses[strconv.Itoa(status)] = &huma.Response{
			Description: http.StatusText(status) + ": " + strings.Join(codes, ", "),
			Content:     map[string]*huma.MediaType{"application/problem+json": {Schema: a.schema}},
		}
	}
	return h
}

// errorCodes groups the codes of op and of the frame by status.
func (a *API) errorCodes(op Operation) map[int][]string {
	out := map[int][]string{}
	add := func(kind errs.Kind, codes ...string) {
		for _, code := range codes {
			status := StatusOf(errs.New(kind, code, ""))
			out[status] = append(out[status], code)
		}
	}
	for kind, codes := range op.Errors {
		add(kind, codes...)
	}
	add(errs.Invalid, "invalid_input", "unknown_parameter", "invalid_utf8")
	add(errs.TooMany, "rate_limited")
	add(errs.Unavailable, "overloaded")
	add(errs.Internal, "internal")
	if op.Method != http.MethodGet {
		add(errs.Malformed, "malformed_body")
		add(errs.TooLarge, "body_too_large")
		add(errs.Invalid, "unsupported_media_type", "unknown_field")
		add(errs.Forbidden, "cross_origin")
	}
	if op.Auth != "" {
		add(errs.Unauthenticated, "unauthenticated")
	}
	return out
}

func (a *API) encodeSpec() ([]byte, error) {
	doc := a.huma.OpenAPI()
	for _, name := range []string{"ErrorModel", "ErrorDetail"} {
		delete(doc.Components.Schemas.Map(), name) // huma's own errors, which nobody gets
	}
	raw, err := json.Marshal(doc)
	if err != nil {
		return nil, errs.Wrap(err, errs.Internal, "internal", "the OpenAPI document cannot be encoded")
	}
	return raw, nil
}

func (a *API) serveSpec(w http.ResponseWriter, _ *http.Request) error {
	raw, err := a.spec()
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-cache")
	_, _ = w.Write(raw) // a caller who has gone is no fault of ours
	return nil
}
