package consoleapi

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"panshi/internal/perm"
)

func TestSpecIsComplete(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	w := k.do(ask{path: "/console/openapi.json"})
	require.Equal(t, 200, w.Code)
	var doc struct {
		Paths map[string]map[string]struct {
			OperationID string                `json:"operationId"`
			Security    []map[string][]string `json:"security"`
			RequestBody json.RawMessage       `json:"requestBody"`
			Responses   map[string]any        `json:"responses"`
		} `json:"paths"`
		Components struct {
			Schemas map[string]struct {
				Properties map[string]any `json:"properties"`
			} `json:"schemas"`
		} `json:"components"`
	}
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &doc))
	documented := 0
	for _, row := range k.mux.Rows() {
		if row.Audience != "consoleapi" || row.Route.Pattern == "/console/openapi.json" {
			continue
		}
		documented++
		op, ok := doc.Paths[row.Route.Pattern][strings.ToLower(row.Route.Method)]
		require.True(t, ok, row.Route.Pattern)
		require.NotEmpty(t, op.OperationID)
		require.Equal(t, row.Route.Permission != perm.Anyone, len(op.Security) > 0, row.Route.Pattern)
		require.NotEmpty(t, op.Responses)
	}
	total := 0
	for _, item := range doc.Paths {
		total += len(item)
	}
	require.Equal(t, documented, total)
	require.Contains(t, doc.Components.Schemas["OrderView"].Properties, "order_no", "embedded fields are documented")
	require.Contains(t, doc.Components.Schemas["SignedIn"].Properties, "permissions")
	require.Contains(t, string(doc.Paths["/console/api/v1/skus/{code}/cards"]["post"].RequestBody), "multipart/form-data")
	require.NotContains(t, w.Body.String(), "panshi_console\",\"in", "the cookie is no parameter for programs")
}
