package e2e

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"panshi/test/kit"
)

// operation is what /openapi.json says of one row of the route table.
type operation struct {
	method, path string
	parameters   []parameter
	body         *schema // of an application/json request; nil for none
}

type parameter struct {
	Name    string `json:"name"`
	In      string `json:"in"`
	Example any    `json:"example"`
	Schema  schema `json:"schema"`
}

type schema struct {
	Ref        string            `json:"$ref"`
	Type       any               `json:"type"` // a name or, in 3.1, a list
	Properties map[string]schema `json:"properties"`
	Required   []string          `json:"required"`
	Items      *schema           `json:"items"`
	Enum       []any             `json:"enum"`
	Example    any               `json:"example"`
	Examples   []any             `json:"examples"`
	MaxLength  int               `json:"maxLength"`
	MaxItems   int               `json:"maxItems"`
	Minimum    *float64          `json:"minimum"`
	Maximum    *float64          `json:"maximum"`
}

// describe reads the contract of a running shop.
func describe(t *testing.T, c *kit.Client) []operation {
	t.Helper()
	status, _, raw, err := c.Raw(t.Context(), "GET", "/openapi.json", nil, nil)
	require.NoError(t, err)
	require.Equal(t, 200, status)
	var doc struct {
		Version string `json:"openapi"`
		Paths   map[string]map[string]struct {
			Parameters []parameter `json:"parameters"`
			Body       *struct {
				Content map[string]struct {
					Schema schema `json:"schema"`
				} `json:"content"`
			} `json:"requestBody"`
		} `json:"paths"`
		Components struct {
			Schemas map[string]schema `json:"schemas"`
		} `json:"components"`
	}
	require.NoError(t, json.Unmarshal(raw, &doc))
	require.True(t, strings.HasPrefix(doc.Version, "3.1"), doc.Version)
	var all []operation
	for path, methods := range doc.Paths {
		for method, o := range methods {
			op := operation{method: strings.ToUpper(method), path: path, parameters: o.Parameters}
			if o.Body != nil {
				body := o.Body.Content["application/json"].Schema.resolve(doc.Components.Schemas, 0)
				op.body = &body
			}
			all = append(all, op)
		}
	}
	slices.SortFunc(all, func(a, b operation) int { return strings.Compare(a.path+a.method, b.path+b.method) })
	return all
}

// resolve puts in what is described elsewhere.
func (s schema) resolve(known map[string]schema, depth int) schema {
	if name, ok := strings.CutPrefix(s.Ref, "#/components/schemas/"); ok && depth < 10 {
		return known[name].resolve(known, depth+1)
	}
	properties := map[string]schema{}
	for name, p := range s.Properties {
		if name != "$schema" {
			properties[name] = p.resolve(known, depth+1)
		}
	}
	s.Properties = properties
	if s.Items != nil {
		items := s.Items.resolve(known, depth+1)
		s.Items = &items
	}
	return s
}

func (s schema) kind() string {
	switch k := s.Type.(type) {
	case string:
		return k
	case []any:
		for _, name := range k {
			if name != "null" {
				return name.(string)
			}
		}
	}
	return ""
}

// sample makes a value that fits.
func (s schema) sample() any {
	switch {
	case s.Example != nil:
		return s.Example
	case len(s.Examples) > 0:
		return s.Examples[0]
	case len(s.Enum) > 0:
		return s.Enum[0]
	}
	switch s.kind() {
	case "object":
		out := map[string]any{}
		for name, p := range s.Properties {
			if slices.Contains(s.Required, name) {
				out[name] = p.sample()
			}
		}
		return out
	case "array":
		return []any{s.Items.sample()}
	case "integer", "number":
		return 1
	case "boolean":
		return true
	}
	return "x"
}

// wrong lists values that do not fit, each in one way.
func (s schema) wrong() map[string]any {
	out := map[string]any{}
	for name, v := range map[string]any{"a text": "x", "a number": 1.5, "a list": []any{}, "an object": map[string]any{}, "true": true} {
		if want := map[string]string{"a text": "string", "a list": "array", "an object": "object", "true": "boolean"}[name]; want != s.kind() {
			out[name] = v
		}
	}
	switch s.kind() {
	case "string":
		out["with NUL"] = "a\x00b"
		if s.MaxLength > 0 {
			out["too long"] = strings.Repeat("x", s.MaxLength+1)
		}
	case "array":
		out["empty"] = []any{}
		out["with nonsense in it"] = []any{map[string]any{"nonsense": 1}}
		if s.MaxItems > 0 {
			out["too many"] = slices.Repeat([]any{s.Items.sample()}, s.MaxItems+1)
		}
		for what, v := range s.Items.wrong() {
			out["of "+what] = []any{v}
		}
	case "object":
		out["with nonsense in it"] = map[string]any{"nonsense": 1}
		sample := s.sample().(map[string]any)
		for name, p := range s.Properties {
			for what, v := range p.wrong() {
				out[name+" "+what] = with(sample, name, v)
			}
		}
	case "integer":
		if s.Minimum != nil {
			out["too small"] = *s.Minimum - 1
		}
		if s.Maximum != nil {
			out["too large"] = *s.Maximum + 1
		}
	}
	return out
}
