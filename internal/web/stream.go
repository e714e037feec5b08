package web

import (
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"
)

// Upload is an operation whose body is a file and not JSON. Its handler reads
// the connection itself and checks what Register checks for others.
type Upload struct {
	Operation
	Types  []string    // media types that the body may have, such as "text/plain"
	Params []Parameter // of path and query
	Answer any         // a value of the type that the answer's JSON body has
}

// Parameter documents one parameter of an Upload.
type Parameter struct {
	Name string
	In   string // "path" or "query"
	Type string // of JSON schema: "string", "boolean", "integer"
	Doc  string
}

// RegisterUpload adds an operation that streams. It stands in the document
// like any other.
func RegisterUpload(a *API, up Upload, handler HandlerFunc) error {
	if err := a.check(up.Operation); err != nil {
		return err
	}
	if err := a.mux.Add(a.audience, Route{
		Method: up.Method, Pattern: up.Path, Permission: up.Permission, Priority: up.Priority,
		Limit: up.Limit, MaxBody: up.MaxBody, Stream: true, Handler: handler,
	}); err != nil {
		return err
	}
	op := a.describe(up.Operation)
	op.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{}}
	for _, kind := range up.Types {
		op.RequestBody.Content[kind] = &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}
	}
	for _, p := range up.Params {
		op.Parameters = append(op.Parameters, &huma.Param{
			Name: p.Name, In: p.In, Description: p.Doc, Required: p.In == "path", Schema: &huma.Schema{Type: p.Type},
		})
	}
	answer := a.huma.OpenAPI().Components.Schemas.Schema(reflect.TypeOf(up.Answer), true, up.ID+"Answer")
	op.Responses["200"] = &huma.Response{
		Description: http.StatusText(http.StatusOK),
		Content:     map[string]*huma.MediaType{"application/json": {Schema: answer}},
	}
	a.huma.OpenAPI().AddOperation(&op)
	return nil
}
