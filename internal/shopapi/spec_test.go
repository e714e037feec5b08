package shopapi

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"panshi/internal/i18n"
	"panshi/internal/perm"
)

// document is what the tests read of the OpenAPI document.
type document struct {
	OpenAPI    string                          `json:"openapi"`
	Paths      map[string]map[string]operation `json:"paths"`
	Components struct {
		Schemas map[string]schema `json:"schemas"`
	} `json:"components"`
}

type operation struct {
	OperationID string                `json:"operationId"`
	Summary     string                `json:"summary"`
	Tags        []string              `json:"tags"`
	Security    []map[string][]string `json:"security"`
	Parameters  []parameter           `json:"parameters"`
	Responses   map[string]struct {
		Description string                     `json:"description"`
		Content     map[string]json.RawMessage `json:"content"`
	} `json:"responses"`
}

type parameter struct {
	Name        string `json:"name"`
	In          string `json:"in"`
	Required    bool   `json:"required"`
	Description string `json:"description"`
}

type schema struct {
	Properties map[string]struct {
		Description string            `json:"description"`
		Examples    []json.RawMessage `json:"examples"`
		Type        any               `json:"type"`
		Ref         string            `json:"$ref"`
	} `json:"properties"`
	Required []string `json:"required"`
}

func readSpec(t testing.TB) document {
	t.Helper()
	w := ask{method: "GET", target: "/openapi.json"}.do(server(t, &fakes{}, io.Discard))
	require.Equal(t, http.StatusOK, w.Code)
	return decode[document](t, w)
}

// TestEveryRouteIsDescribed holds the route table against the document, both
// ways (controls C15, C19).
func TestEveryRouteIsDescribed(t *testing.T) {
	t.Parallel()
	mux, _ := newMux(t, (&fakes{}).deps(io.Discard))
	doc := readSpec(t)
	require.Equal(t, "3.1.0", doc.OpenAPI)
	var routed, described []string
	for _, row := range mux.Rows() {
		if row.Route.Pattern == "/openapi.json" {
			continue
		}
		require.Equal(t, "shopapi", row.Audience)
		routed = append(routed, strings.ToLower(row.Route.Method)+" "+row.Route.Pattern)
		op, ok := doc.Paths[row.Route.Pattern][strings.ToLower(row.Route.Method)]
		require.True(t, ok, row.Route.Pattern)
		require.Equal(t, row.Route.Permission == perm.OrderHeld, len(op.Security) == 1, row.Route.Pattern)
	}
	for path, methods := range doc.Paths {
		for method := range methods {
			described = append(described, method+" "+path)
		}
	}
	slices.Sort(routed)
	slices.Sort(described)
	require.Equal(t, routed, described)
	require.Equal(t, []string{
		"get /api/v1/categories", "get /api/v1/orders/{order_no}", "get /api/v1/payment_channels",
		"get /api/v1/products", "get /api/v1/products/{id}", "post /api/v1/credit", "post /api/v1/orders",
		"post /api/v1/orders/{order_no}/cancel", "post /api/v1/orders/{order_no}/deliveries/reveal",
		"post /api/v1/orders/{order_no}/payments",
	}, routed)
}

func TestOrdersWantProof(t *testing.T) {
	t.Parallel()
	mux, _ := newMux(t, (&fakes{}).deps(io.Discard))
	for _, row := range mux.Rows() {
		held := strings.Contains(row.Route.Pattern, "{order_no}")
		require.Equal(t, held, row.Route.Permission == perm.OrderHeld, row.Route.Pattern)
		if held || row.Route.Method == http.MethodPost {
			require.Equal(t, perm.Critical, row.Route.Priority, row.Route.Pattern)
		}
	}
}

func TestDocumentIsComplete(t *testing.T) {
	t.Parallel()
	doc := readSpec(t)
	for path, methods := range doc.Paths {
		for method, op := range methods {
			name := method + " " + path
			require.NotEmpty(t, op.OperationID, name)
			require.NotEmpty(t, op.Summary, name)
			require.Len(t, op.Tags, 1, name)
			inPath := func(p parameter) bool { return p.In == "path" && p.Required }
			require.Equal(t, strings.Contains(path, "{"), slices.ContainsFunc(op.Parameters, inPath), name)
			for _, p := range op.Parameters {
				require.NotEmpty(t, p.Description, name+" "+p.Name)
			}
			for status, r := range op.Responses {
				want := "application/json"
				if status >= "4" {
					want = "application/problem+json"
				}
				require.Contains(t, r.Content, want, name+" "+status)
			}
		}
	}
	key := func(p parameter) bool { return p.Name == "Idempotency-Key" && p.In == "header" && p.Required }
	require.True(t, slices.ContainsFunc(doc.Paths["/api/v1/orders"]["post"].Parameters, key))
	require.True(t, slices.ContainsFunc(doc.Paths["/api/v1/orders/{order_no}/payments"]["post"].Parameters, key))
	for name, s := range doc.Components.Schemas {
		for field, p := range s.Properties {
			require.NotEmpty(t, p.Description, name+"."+field)
			text := p.Type == "string" || p.Type == "integer"
			free := slices.Contains([]string{"detail", "instance", "description", "phone"}, field)
			require.True(t, !text || free || len(p.Examples) > 0, name+"."+field+" has no example")
		}
	}
}

// TestContract holds the names that other programs rely on.
func TestContract(t *testing.T) {
	t.Parallel()
	schemas := readSpec(t).Components.Schemas
	for name, fields := range map[string]string{
		"ProductPage":   "items next_cursor",
		"ProductItem":   "id title kind price currency image available slug summary",
		"ProductDetail": "id title kind description skus price currency image available",
		"ProductSKU":    "id title price currency available",
		"Channel":       "id name kind available",
		"PlacedOrder":   "order_no status total currency expires_at access_token",
		"OrderView":     "order_no status lines total currency created_at expires_at payments refunds",
		"OrderLine":     "line_no sku_id product_id title kind quantity unit_price amount delivered",
		"OrderPayment":  "payment_no status channel amount currency",
		"OrderRefund":   "refund_no status amount",
		"CreditView":    "number balance currency state movements next_cursor",
		"Delivery":      "sku_id kind content line_no title",
	} {
		for field := range strings.FieldsSeq(fields) {
			require.Contains(t, schemas[name].Properties, field, name)
			require.Contains(t, schemas[name].Required, field, name)
		}
	}
	for _, forbidden := range []string{"contact", "merchant_id", "transaction_id", "hold_reason", "content"} {
		require.NotContains(t, schemas["OrderView"].Properties, forbidden)
		require.NotContains(t, schemas["OrderPayment"].Properties, forbidden)
	}
}

// TestEveryCodeHasATextInBothLanguages looks up every code that the document
// names.
func TestEveryCodeHasATextInBothLanguages(t *testing.T) {
	t.Parallel()
	texts, err := i18n.Load()
	require.NoError(t, err)
	codes := map[string]bool{}
	for _, methods := range readSpec(t).Paths {
		for _, op := range methods {
			for status, r := range op.Responses {
				if _, list, ok := strings.Cut(r.Description, ": "); ok && status >= "4" {
					for code := range strings.SplitSeq(list, ", ") {
						codes[code] = true
					}
				}
			}
		}
	}
	require.Greater(t, len(codes), 40)
	for code := range codes {
		for _, lang := range i18n.Languages() {
			require.True(t, texts.Has(lang, "error."+code), "%s lacks error.%s", lang, code)
		}
	}
}
