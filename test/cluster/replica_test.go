package cluster

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/db/dbtest"
	"panshi/test/kit"
)

// TestReadReplica lets a replica fall behind and then kills it: searches may be
// old for as long as is allowed, a buyer sees the own order as it is, and
// nobody's request fails.
func TestReadReplica(t *testing.T) {
	t.Parallel()
	platform := kit.NewPlatform(t)
	server := dbtest.NewNode(t)
	standby := server.Standby(t)
	c := kit.NewCluster(t, server, platform, []string{"all"}, "db.replica_urls="+standby.URL("shop"), "db.replica_max_lag=4s")
	crowd := newCrowd(t, c, platform)
	within(t, time.Minute, "the replica in use", func() bool { return strings.Contains(c.Run(0, "doctor").Out, "is read; at most") })

	client := c.Client()
	entry, pay, err := kit.Begin(t.Context(), client, crowd.book, buyer(1), kit.Line{SKU: crowd.sku, Quantity: 1})
	require.NoError(t, err)
	before := onShelf(t, crowd)
	platform.Faults(t, `{"callbacks":{"drop":true}}`)
	require.NoError(t, platform.Pay(t.Context(), pay.No))
	entry.NotePaid(pay.No)
	within(t, 30*time.Second, "the shelf up to date", func() bool { before = onShelf(t, crowd); return before == 1999 })

	standbyDo(t, standby, `SELECT pg_wal_replay_pause()`)
	within(t, 30*time.Second, "paused", func() bool {
		text, err := standby.Text("shop", `SELECT pg_get_wal_replay_pause_state()`)
		return err == nil && text == "paused"
	})
	paused := time.Now()
	require.Less(t, platform.Callback(t, pay.No, ""), 300, "the callback is accepted")
	own, err := client.Order(t.Context(), entry.Placed)
	require.NoError(t, err)
	require.Equal(t, "delivered", own.Status, "a buyer sees the own order at once")
	placed, err := client.Place(t.Context(), buyer(2), kit.Line{SKU: crowd.sku, Quantity: 1})
	require.NoError(t, err)
	_, err = client.Order(t.Context(), placed)
	require.NoError(t, err, "also one that the replica does not know")
	require.Equal(t, before, onShelf(t, crowd), "the shelf comes from the replica")
	within(t, 30*time.Second, "the shelf from the primary", func() bool { return onShelf(t, crowd) == before-1 })
	t.Logf("the shelf moved to the primary %v after the replica stood still", time.Since(paused).Round(10*time.Millisecond))

	standbyDo(t, standby, `SELECT pg_wal_replay_resume()`)
	platform.Faults(t, `{}`)
	stop := crowd.begin(t.Context(), 4)
	time.Sleep(time.Second)
	standby.Stop()
	time.Sleep(1500 * time.Millisecond)
	stop()
	crowd.requireServed(t, "a replica killed")
	requireTold(t, c)
	crowd.requirePromises(t, c)
}

func standbyDo(t *testing.T, standby *dbtest.Node, statement string) {
	t.Helper()
	require.NoError(t, standby.Exec("shop", statement))
}

// onShelf is how many a search for the product says there are.
func onShelf(t *testing.T, w *crowd) int64 {
	t.Helper()
	_, _, raw, err := w.client.Raw(t.Context(), http.MethodGet, "/api/v1/products?limit=100&q="+url.QueryEscape(w.title), nil, nil)
	require.NoError(t, err)
	var found struct {
		Items []kit.Product `json:"items"`
	}
	require.NoError(t, json.Unmarshal(raw, &found))
	for _, p := range found.Items {
		if p.ID == w.product {
			return p.Available
		}
	}
	require.Fail(t, "the product is not on the shelf")
	return 0
}

// requireTold: a dead replica is seen by whoever watches the shop.
func requireTold(t *testing.T, c *kit.Cluster) {
	t.Helper()
	doctor := c.Run(0, "doctor", "--json")
	var told struct {
		Findings []struct{ Level, Name, Text string }
	}
	require.NoError(t, json.Unmarshal([]byte(doctor.Out), &told))
	warned := false
	for _, f := range told.Findings {
		warned = warned || f.Name == "replica" && f.Level == "warn"
	}
	require.True(t, warned, doctor.Out)
	client := c.Client()
	client.Base = "http://" + c.Members[0].Console
	_, _, metrics, err := client.Raw(t.Context(), http.MethodGet, "/metrics", nil, nil)
	require.NoError(t, err)
	require.Contains(t, string(metrics), "panshi_db_replica_lag_seconds{replica=")
}
