package cluster

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/app"
	"panshi/internal/db/dbtest"
	"panshi/test/kit"
)

// TestTheMainPathInEveryTopology buys, loses a callback and lets an order
// expire: in one process on SQLite (or the engine that PANSHI_TEST_ENGINE
// chooses), in one process on PostgreSQL, and in one process a role on
// PostgreSQL. No topology knows another way to sell.
func TestTheMainPathInEveryTopology(t *testing.T) {
	t.Parallel()
	t.Run("all", func(t *testing.T) {
		platform := kit.NewPlatform(t)
		shop := kit.NewShop(t, platform, "shop.order_ttl=3s")
		mainPath(t, shop.Client(), platform)
		shop.RequireClean()
	})
	t.Run("all on PostgreSQL", func(t *testing.T) {
		platform := kit.NewPlatform(t)
		c := kit.NewCluster(t, dbtest.NewNode(t), platform, []string{"all"}, "shop.order_ttl=3s")
		mainPath(t, c.Client(), platform)
		c.RequireClean()
	})
	t.Run("one process a role", func(t *testing.T) {
		platform := kit.NewPlatform(t)
		var roles []string
		for _, r := range app.Roles() {
			roles = append(roles, string(r))
		}
		c := kit.NewCluster(t, dbtest.NewNode(t), platform, roles, "shop.order_ttl=3s")
		mainPath(t, c.Client(), platform)
		requireRouted(t, c)
		requireOwnPathsOnly(t, c)
		c.RequireClean()
	})
}

// mainPath is what a shop is for.
func mainPath(t *testing.T, client *kit.Client, platform *kit.Platform) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second)
	defer cancel()
	sku := client.DemoCard(t)
	book := &kit.Book{}
	line := kit.Line{SKU: sku, Quantity: 1}

	_, err := kit.Buy(ctx, client, platform, book, buyer(1), line)
	require.NoError(t, err, "bought by callback")
	unpaid, err := client.Place(ctx, buyer(2), line)
	require.NoError(t, err)
	platform.Faults(t, `{"callbacks":{"drop":true}}`)
	_, err = kit.Buy(ctx, client, platform, book, buyer(3), line)
	require.NoError(t, err, "bought without a callback")
	_, err = client.AwaitStatus(ctx, unpaid, "closed")
	require.NoError(t, err, "an order that nobody pays closes")
	require.Len(t, book.RequireDistinct(t, client), 2)
}

// requireRouted asks for every address of the shop through Nginx: it knows a
// process that serves it.
func requireRouted(t *testing.T, c *kit.Cluster) {
	t.Helper()
	client := c.Client()
	_, _, raw, err := client.Raw(t.Context(), http.MethodGet, "/openapi.json", nil, nil)
	require.NoError(t, err)
	var described struct {
		Paths map[string]map[string]any `json:"paths"`
	}
	require.NoError(t, json.Unmarshal(raw, &described))
	require.Greater(t, len(described.Paths), 6)
	asks := []string{
		"GET /", "GET /c/x", "GET /p/x", "GET /search", "GET /lang", "GET /assets/x", "GET /media/demo/x", "GET /checkout",
		"POST /checkout", "GET /lookup", "POST /lookup", "GET /credit", "POST /credit", "GET /orders/1", "GET /orders/1/pay", "POST /orders/1/pay",
		"POST /orders/1/pay/credit",
		"GET /orders/1/status", "POST /orders/1/reveal", "POST /orders/1/cancel", "POST /notify/wechatpay/1", "GET /healthz", "GET /readyz",
	}
	for path, methods := range described.Paths {
		for method := range methods {
			asks = append(asks, strings.ToUpper(method)+" "+path)
		}
	}
	for _, ask := range asks {
		method, path, _ := strings.Cut(ask, " ")
		path = strings.NewReplacer("{", "", "}", "").Replace(path)
		status, _, body, err := client.Raw(t.Context(), method, path, nil, nil)
		require.NoError(t, err, ask)
		require.NotEqual(t, http.StatusMisdirectedRequest, status, "%s: %s", ask, body)
		require.Less(t, status, 500, "%s: %s", ask, body)
	}
	status, _, _, err := client.Raw(t.Context(), http.MethodGet, "/metrics", nil, nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusNotFound, status, "metrics are not for buyers")
}

// requireOwnPathsOnly asks each process itself.
func requireOwnPathsOnly(t *testing.T, c *kit.Cluster) {
	t.Helper()
	for role, path := range map[string]string{
		"catalog": "/api/v1/products", "order": "/api/v1/orders/1", "payment": "/api/v1/payment_channels", "account": "/lookup",
		"console": "/console/api/v1/session",
	} {
		for _, m := range c.Members {
			client := m.Client()
			if role == "console" {
				client.Base = "http://" + m.Console
			}
			status, _, body, err := client.Raw(t.Context(), http.MethodGet, path, nil, nil)
			require.NoError(t, err)
			require.Equal(t, !m.Has(role), status == http.StatusMisdirectedRequest, "%s at %s: %d %s", path, m.Roles, status, body)
		}
	}
	for _, m := range c.Members {
		client := m.Client()
		_, _, body, err := client.Raw(t.Context(), http.MethodGet, "/readyz", nil, nil)
		require.NoError(t, err)
		require.Equal(t, "ok\nroles "+m.Roles+"\n", string(body))
		client.Base = "http://" + m.Console
		status, _, _, err := client.Raw(t.Context(), http.MethodGet, "/metrics", nil, nil)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, status, m.Roles)
	}
}
