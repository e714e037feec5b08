package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"panshi/test/kit"
)

// TestBadInputs takes every operation that /openapi.json promises and spoils
// its request in every way that the description lets us think of: the answer is
// always problem+json with a code, and names the field that must change. An
// operation that is added is covered without a word here.
func TestBadInputs(t *testing.T) {
	t.Parallel()
	shop := kit.NewShop(t, kit.NewPlatform(t))
	client := shop.Client()
	all := describe(t, client)
	require.Greater(t, len(all), 7, "operations of the contract")
	for _, op := range all {
		t.Run(op.method+" "+op.path, func(t *testing.T) {
			for _, bad := range op.spoilt() {
				requireRefused(t, client, op, bad)
			}
		})
	}
	t.Run("outside of the table", func(t *testing.T) {
		for _, bad := range []request{
			{name: "no such path", method: "GET", path: "/api/v1/nothing"},
			{name: "no such version", method: "GET", path: "/api/v2/products"},
			{name: "method", method: "DELETE", path: "/api/v1/products"},
			{name: "method of an order", method: "PUT", path: "/api/v1/orders/X1"},
		} {
			requireRefused(t, client, operation{}, bad)
		}
	})
	log := shop.Log()
	require.NotContains(t, log, "panic")
	require.NotContains(t, log, `"level":"ERROR"`)
}

// request is a request with one thing wrong.
type request struct {
	name, method, path string
	header             map[string]string
	body               string
	field              string // that a 422 must name; "" for any
}

// requireRefused sends a bad request and looks at the answer.
func requireRefused(t *testing.T, c *kit.Client, op operation, bad request) {
	t.Helper()
	header := map[string]string{"Idempotency-Key": kit.NewKey(), "Authorization": "Bearer abcdefghijklmnopqrstuv"}
	for k, v := range bad.header {
		header[k] = v
	}
	for k, v := range header {
		if v == "" {
			delete(header, k)
		}
	}
	method, path := op.method, op.example()
	if bad.method != "" {
		method = bad.method
	}
	if bad.path != "" {
		path = bad.path
	}
	body := bad.body
	if body == "" && op.body != nil {
		body = encode(op.body.sample())
	}
	var status int
	var answered http.Header
	var raw []byte
	var err error
	if body == "" {
		status, answered, raw, err = c.Raw(t.Context(), method, path, header, nil)
	} else {
		status, answered, raw, err = c.Raw(t.Context(), method, path, header, strings.NewReader(body))
	}
	require.NoError(t, err, bad.name)
	requireProblem(t, bad, status, answered, raw)
}

func requireProblem(t *testing.T, bad request, status int, header http.Header, raw []byte) {
	t.Helper()
	what := fmt.Sprintf("%s: %d %s", bad.name, status, raw)
	require.GreaterOrEqual(t, status, 400, what)
	require.Less(t, status, 500, what)
	require.Equal(t, "application/problem+json", header.Get("Content-Type"), what)
	var p kit.Problem
	require.NoError(t, json.Unmarshal(raw, &p), what)
	require.Regexp(t, "^[a-z0-9_]+$", p.Code, what)
	require.NotEmpty(t, p.Detail, what)
	if status != http.StatusUnprocessableEntity {
		require.Empty(t, bad.field, "%s: wants a 422 about %s", what, bad.field)
		return
	}
	require.NotEmpty(t, p.Errors, what)
	named := false
	for _, e := range p.Errors {
		require.NotEmpty(t, e.Field, what)
		named = named || strings.Contains(strings.ToLower(e.Field), strings.ToLower(bad.field))
	}
	require.True(t, named, "%s: names %q", what, bad.field)
}

// spoilt lists the requests of an operation that must be refused.
func (op operation) spoilt() []request {
	all := []request{
		{name: "unknown parameter", path: op.example() + "?nonsense=1", field: "nonsense"},
		{name: "invalid UTF-8 in the query", path: op.example() + "?nonsense=%ff"},
		{name: "broken escape in the query", path: op.example() + "?q=%zz"},
	}
	for _, p := range op.parameters {
		all = append(all, op.spoiltParameter(p)...)
	}
	if op.body != nil {
		all = append(all, op.spoiltBody()...)
	}
	return all
}

func (op operation) spoiltParameter(p parameter) []request {
	at := func(escaped string) string {
		if p.In == "path" {
			return strings.Replace(op.path, "{"+p.Name+"}", escaped, 1)
		}
		return op.example() + "?" + p.Name + "=" + escaped
	}
	if p.In == "header" {
		return op.spoiltHeader(p)
	}
	out := []request{
		{name: p.Name + " with NUL", path: at("a%00b")},
		{name: p.Name + " not UTF-8", path: at("a%ffb")},
	}
	if p.Schema.MaxLength > 0 {
		out = append(out, request{name: p.Name + " too long", path: at(strings.Repeat("x", p.Schema.MaxLength+1)), field: p.Name})
	}
	if p.Schema.kind() == "integer" {
		for _, v := range []string{"x", "0", "-1", "1.5", "101", "99999999999999999999"} {
			out = append(out, request{name: p.Name + " = " + v, path: at(v), field: p.Name})
		}
	}
	if p.In == "query" {
		out = append(out, request{name: p.Name + " twice", path: at("1") + "&" + p.Name + "=2", field: p.Name})
	}
	return out
}

func (op operation) spoiltHeader(p parameter) []request {
	if p.Name != "Idempotency-Key" {
		return nil
	}
	return []request{
		{name: "no key", header: map[string]string{p.Name: ""}, field: p.Name},
		{name: "key too long", header: map[string]string{p.Name: strings.Repeat("k", 129)}, field: p.Name},
	}
}

func (op operation) spoiltBody() []request {
	whole := encode(op.body.sample())
	out := []request{
		{name: "no JSON", body: "hello"},
		{name: "cut off", body: whole[:len(whole)-1]},
		{name: "something behind", body: whole + "{}"},
		{name: "null", body: "null"},
		{name: "a list", body: "[]"},
		{name: "a deep list", body: strings.Repeat("[", 20_000)},
		{name: "too large", body: `{"x":"` + strings.Repeat("x", 70<<10) + `"}`},
		{name: "another type", body: whole, header: map[string]string{"Content-Type": "text/plain"}},
		{name: "a form", body: "a=b", header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"}},
		{name: "not UTF-8", body: strings.Replace(whole, "{", "{\"nonsense\":\"\xff\xfe\",", 1)},
		{name: "unknown field", body: strings.Replace(whole, "{", `{"nonsense":1,`, 1), field: "nonsense"},
		{name: "a field twice", body: strings.Replace(whole, "{", `{"nonsense":1,"nonsense":1,`, 1)},
	}
	sample := op.body.sample().(map[string]any)
	for name, s := range op.body.Properties {
		for what, value := range s.wrong() {
			out = append(out, request{name: name + " " + what, body: encode(with(sample, name, value)), field: name})
		}
	}
	for _, name := range op.body.Required {
		out = append(out, request{name: "without " + name, body: encode(with(sample, name, nil)), field: name})
	}
	return out
}

// with copies an object with another value at a name; nil leaves it out.
func with(object map[string]any, name string, value any) map[string]any {
	out := map[string]any{}
	for k, v := range object {
		out[k] = v
	}
	out[name] = value
	if value == nil {
		delete(out, name)
	}
	return out
}

func encode(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(raw)
}

// example is the operation's path with the examples of its parameters.
func (op operation) example() string {
	path := op.path
	for _, p := range op.parameters {
		if p.In == "path" {
			value := fmt.Sprint(p.Example)
			if p.Example == nil {
				value = fmt.Sprint(p.Schema.sample())
			}
			path = strings.Replace(path, "{"+p.Name+"}", url.PathEscape(value), 1)
		}
	}
	return path
}
