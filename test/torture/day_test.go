//go:build faultpoints

package torture

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/test/kit"
)

// TestADayOfEveryChannel: by each way to pay one order is paid and stays, one is
// paid and wholly given back, one is closed. The next day each bill agrees with
// payments and books line by line, the day closes, and what the shop says of
// itself is right.
func TestADayOfEveryChannel(t *testing.T) {
	platform := kit.NewPlatform(t)
	shop := kit.NewShop(t, platform)
	days := []string{kit.Today()}
	d := &day{t: t, platform: platform, client: shop.Client(), owner: shop.Owner("owner"), book: &kit.Book{}}
	d.sku = d.client.DemoCard(t)
	for _, ch := range kit.Channels() {
		d.live(ch.Kind)
	}
	d.book.RequireServed(t, d.client, time.Minute)
	for _, e := range d.back {
		_, err := d.client.AwaitStatus(t.Context(), e.Placed, "refunded")
		require.NoError(t, err)
	}
	shop.RequireClean()

	days = slices.Compact(append(days, kit.Today()))
	shop.NextDay()
	for _, when := range []string{"once", "again, which changes nothing"} {
		require.EqualValues(t, 3*len(kit.Channels()), shop.RequireReconciled(days...), "payments and refunds of all bills, %s", when)
	}
	shop.RequireClean()
}

// day is what happens in a shop on one.
type day struct {
	t        *testing.T
	platform *kit.Platform
	client   *kit.Client
	owner    *kit.Staff
	book     *kit.Book
	sku      string
	back     []*kit.Entry // orders whose money goes back
}

// live has three buyers come by a channel.
func (d *day) live(channel string) {
	d.t.Helper()
	d.buy(channel)
	e := d.buy(channel)
	_, err := d.client.AwaitStatus(d.t.Context(), e.Placed, "delivered")
	require.NoError(d.t, err)
	d.owner.GiveBack(e.Placed)
	d.back = append(d.back, e)
	e, _ = d.begin(channel)
	require.NoError(d.t, d.client.Cancel(d.t.Context(), e.Placed), channel)
}

func (d *day) buy(channel string) *kit.Entry {
	d.t.Helper()
	e, pay := d.begin(channel)
	require.NoError(d.t, d.platform.Pay(d.t.Context(), pay.No), channel)
	e.NotePaid(pay.No)
	return e
}

func (d *day) begin(channel string) (*kit.Entry, kit.Payment) {
	d.t.Helper()
	e, pay, err := kit.BeginBy(d.t.Context(), d.client, d.book, buyer(1), kit.Line{SKU: d.sku, Quantity: 1}, channel)
	require.NoError(d.t, err, channel)
	return e, pay
}
