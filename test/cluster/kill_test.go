package cluster

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/db/dbtest"
	"panshi/test/kit"
)

// TestKillAProcess kills processes of a shop while buyers order and pay. No
// buyer sees it, and what a dead process did by itself another does within
// seconds.
func TestKillAProcess(t *testing.T) {
	platform := kit.NewPlatform(t)
	// The worker is the first, so that it has every lease.
	c := kit.NewCluster(t, dbtest.NewNode(t), platform, []string{"worker,keeper", "all", "all"}, "shop.order_ttl=8s")
	worker, web := c.Members[0], c.Members[1]
	crowd := newCrowd(t, c, platform)

	stop := crowd.begin(t.Context(), 6)
	time.Sleep(1500 * time.Millisecond)
	web.Kill()
	time.Sleep(2500 * time.Millisecond)
	web.Start()
	time.Sleep(time.Second)
	stop()
	crowd.requireServed(t, "a web process killed")

	holder := func() string { return c.Text(`SELECT holder FROM leases WHERE name = 'sweep/payments.query'`) }
	platform.Faults(t, `{"callbacks":{"drop":true}}`)
	paid, unpaid := lostCallback(t, c.Client(), platform, crowd.sku), place(t, c.Client(), crowd.sku)
	before := holder()
	require.NotEmpty(t, before)
	worker.Kill()
	killed := time.Now()
	t.Logf("the sweep has another process after %v",
		within(t, takeover, "taking over", func() bool { return holder() != before }).Round(10*time.Millisecond))
	status := func(no string) string { return c.Text(`SELECT status FROM orders WHERE order_no = $1`, no) }
	within(t, takeover+2*time.Second, "asking for a lost callback", func() bool { return status(paid) == "delivered" })
	t.Logf("a lost callback is asked for %v after the kill", time.Since(killed).Round(10*time.Millisecond))
	within(t, 8*time.Second+takeover, "expiry", func() bool { return status(unpaid) == "closed" })
	crowd.requirePromises(t, c)
}

// TestKillTheDatabase restarts PostgreSQL as a crash would while buyers order
// and pay: meanwhile they are told to come again, then the processes go on by
// themselves, and nothing is lost or done twice.
func TestKillTheDatabase(t *testing.T) {
	t.Parallel()
	platform := kit.NewPlatform(t)
	server := dbtest.NewNode(t)
	c := kit.NewCluster(t, server, platform, []string{"all", "all"})
	crowd := newCrowd(t, c, platform)
	stop := crowd.begin(t.Context(), 6)
	time.Sleep(1500 * time.Millisecond)
	crowd.lenient.Store(true)
	server.Stop()
	time.Sleep(1500 * time.Millisecond)
	server.Start()
	recovered := within(t, 20*time.Second, "recovery", func() bool {
		status, _, _, err := crowd.client.Raw(t.Context(), "GET", "/readyz", nil, nil)
		return err == nil && status == 200
	})
	time.Sleep(time.Second)
	crowd.lenient.Store(false)
	time.Sleep(1500 * time.Millisecond)
	stop()
	crowd.requireServed(t, "the database killed")
	require.Positive(t, crowd.busy.Load(), "the database was down and nobody noticed: the test does not test")
	t.Logf("%d answers 503; ready %v after the restart", crowd.busy.Load(), recovered.Round(10*time.Millisecond))
	crowd.requirePromises(t, c)
}

// place places an order and does not pay it.
func place(t *testing.T, client *kit.Client, sku string) (no string) {
	t.Helper()
	p, err := client.Place(t.Context(), buyer(0), kit.Line{SKU: sku, Quantity: 1})
	require.NoError(t, err)
	return p.No
}

// lostCallback pays an order of which the platform will not tell.
func lostCallback(t *testing.T, client *kit.Client, p *kit.Platform, sku string) (no string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	e, pay, err := kit.Begin(ctx, client, &kit.Book{}, buyer(0), kit.Line{SKU: sku, Quantity: 1})
	require.NoError(t, err)
	require.NoError(t, p.Pay(ctx, pay.No))
	return e.No
}
