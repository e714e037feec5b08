package web

import (
	"encoding/json"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// document is what the tests look at of an OpenAPI document.
type document struct {
	OpenAPI string `json:"openapi"`
	Paths   map[string]map[string]struct {
		OperationID string                `json:"operationId"`
		Security    []map[string][]string `json:"security"`
		Parameters  []struct {
			Name, In string
			Required bool
		} `json:"parameters"`
		RequestBody struct {
			Required bool
			Content  map[string]json.RawMessage
		} `json:"requestBody"`
		Responses map[string]struct {
			Description string                     `json:"description"`
			Content     map[string]json.RawMessage `json:"content"`
		} `json:"responses"`
	} `json:"paths"`
	Components struct {
		Schemas         map[string]json.RawMessage `json:"schemas"`
		SecuritySchemes map[string]json.RawMessage `json:"securitySchemes"`
	} `json:"components"`
}

func TestSpecIsComplete(t *testing.T) {
	t.Parallel()
	_, mux := newTestAPI(t)
	h := wrapped(t, DefaultConfig(), mux, io.Discard)
	w := request{method: "GET", target: "/openapi.json"}.do(h)
	require.Equal(t, 200, w.Code)
	require.Equal(t, "application/json", w.Header().Get("Content-Type"))
	raw := w.Body.String()
	require.NotContains(t, raw, "http://", "no external address")
	require.NotContains(t, raw, "https://")
	require.NotContains(t, raw, "$schema")
	require.NotContains(t, raw, "ErrorModel")
	var doc document
	require.NoError(t, json.Unmarshal([]byte(raw), &doc))
	require.Equal(t, "3.1.0", doc.OpenAPI)
	require.Contains(t, doc.Components.Schemas, "Problem")
	require.Contains(t, doc.Components.SecuritySchemes, "order_token")

	var rows, documented []string
	for _, row := range mux.Rows() {
		if row.Route.Pattern != "/openapi.json" {
			rows = append(rows, row.Route.Method+" "+row.Route.Pattern)
		}
	}
	for path, item := range doc.Paths {
		for method, op := range item {
			documented = append(documented, strings.ToUpper(method)+" "+path)
			for _, status := range []string{"422", "429", "500", "503"} {
				require.Contains(t, op.Responses, status)
				require.Contains(t, op.Responses[status].Content, "application/problem+json")
			}
		}
	}
	slices.Sort(rows)
	slices.Sort(documented)
	require.Equal(t, rows, documented, "the document is the table")

	place := doc.Paths["/api/v1/orders"]["post"]
	require.Equal(t, "place_order", place.OperationID)
	require.True(t, place.RequestBody.Required)
	require.Contains(t, place.Responses["409"].Description, "sold_out")
	require.Contains(t, place.Responses, "201")
	require.Equal(t, "Idempotency-Key", place.Parameters[0].Name)
	require.True(t, place.Parameters[0].Required)
	require.Empty(t, place.Security)
	cancel := doc.Paths["/api/v1/orders/{order_no}/cancel"]["post"]
	require.Equal(t, []map[string][]string{{"order_token": {}}}, cancel.Security)
	require.Contains(t, cancel.Responses, "204")
	require.Contains(t, cancel.Responses, "401")
	for _, p := range cancel.Parameters {
		require.NotEqual(t, "Authorization", p.Name, "OpenAPI wants it as a security scheme")
	}
}
