package powerloss

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/test/kit"
	"panshi/test/powerloss/disk"
)

// stocked is how many keys the product has that the crowd buys.
const stocked = 3000

// world is a shop on a disk of its own, and what it promised.
type world struct {
	t        *testing.T
	dice     *rand.Rand
	disk     *disk.Disk
	mount    *disk.Mount
	platform *kit.Platform
	shop     *kit.Shop
	client   *kit.Client
	sku      string
	env      []string // of the shop

	promises ledger
	wrong    faults // answers that no buyer should get
	buyers   int    // that came so far
}

// image is a disk with a shop that never ran on it, which worlds begin with.
type image struct {
	once sync.Once
	disk *disk.Disk
	sku  string
}

var prepared image

func (i *image) prepare(t *testing.T) {
	t.Helper()
	i.once.Do(func() {
		shop := kit.NewShop(t, kit.NewPlatform(t))
		sku := shop.ImportCards("power", "1.00", kit.Keys("POWER", stocked))
		require.Zero(t, shop.Stop(time.Minute), "stopping in peace")
		d, err := disk.Load(shop.Data)
		require.NoError(t, err)
		i.disk, i.sku = d, sku
	})
	require.NotNil(t, i.disk, "preparing the disk failed before")
}

// newWorld makes a shop that does not run yet. Its disk is mounted on the data
// directory; the keys beside it and the logs are elsewhere.
func newWorld(t *testing.T, seed uint64, env ...string) *world {
	t.Helper()
	prepared.prepare(t)
	w := &world{
		t: t, dice: rand.New(rand.NewPCG(seed, 0)), env: env,
		disk: prepared.disk.Clone(), platform: kit.NewPlatform(t), sku: prepared.sku,
	}
	w.shop = kit.Stopped(t, w.platform)
	w.client = w.shop.Client()
	w.plug()
	t.Cleanup(func() {
		if w.shop.Proc != nil {
			w.shop.Kill()
		}
		require.NoError(t, w.mount.Unmount())
		w.client.HTTP.CloseIdleConnections()
	})
	return w
}

// seedOf prints what repeats this run's dice.
func seedOf(t *testing.T) uint64 {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("PANSHI_SEED"); text != "" {
		n, err := strconv.ParseUint(text, 10, 64)
		require.NoError(t, err)
		seed = n
	}
	t.Logf("PANSHI_SEED=%d", seed)
	return seed
}

func (w *world) plug() {
	w.t.Helper()
	mount, err := w.disk.Mount(w.shop.Data)
	require.NoError(w.t, err)
	w.mount = mount
}

// crash is the power loss: the disk stops first, so that nothing that the
// shop still says can rest on later writes. With dice the disk keeps any part
// of what was not synced.
func (w *world) crash(dice *rand.Rand) {
	w.t.Helper()
	w.disk.Cut()
	w.shop.Kill()
	require.NoError(w.t, w.mount.Unmount())
	w.disk.Reboot(dice)
	w.plug()
}

// start starts the shop and waits until it sells.
func (w *world) start() {
	w.t.Helper()
	w.shop.Start(w.env...)
}

// crowd lets buyers in. The function that it gives makes them go home, and
// waits until they have.
func (w *world) crowd(size int) (home func()) {
	ctx, cancel := context.WithCancel(w.t.Context())
	down := w.disk.Down()
	var all sync.WaitGroup
	for range size {
		dice := rand.New(rand.NewPCG(w.dice.Uint64(), 0))
		w.buyers++
		number := w.buyers * 10_000
		all.Go(func() {
			for ctx.Err() == nil {
				number++
				err := w.buy(ctx, dice, number)
				if err == nil {
					continue
				}
				if ctx.Err() == nil && !isClosed(down) && kit.CodeOf(err) != "sold_out" {
					w.wrong.add("buyer %d: %v", number, err)
				}
				return // a shop without a disk may say anything
			}
		})
	}
	return func() {
		cancel()
		all.Wait()
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// buy orders and then does what buyers do, and notes what was acknowledged.
func (w *world) buy(ctx context.Context, dice *rand.Rand, number int) error {
	who := kit.Contact{Email: fmt.Sprintf("buyer%d@shop.example", number)}
	quantity := 1 + dice.IntN(2)
	placed, err := w.client.Place(ctx, who, kit.Line{SKU: w.sku, Quantity: quantity})
	if err != nil {
		return err
	}
	p := w.promises.write(placed, quantity)
	if dice.IntN(4) == 0 {
		return nil
	}
	pay, err := w.client.StartPayment(ctx, placed)
	if err != nil {
		return err
	}
	p.payment = pay.No
	if dice.IntN(6) == 0 {
		err := w.client.Cancel(ctx, placed)
		p.cancelled = err == nil
		return err
	}
	if err := w.platform.Pay(ctx, pay.No); err != nil {
		return err
	}
	p.NotePaid(pay.No)
	if dice.IntN(2) == 0 {
		return nil
	}
	return w.collect(ctx, p)
}

// collect waits for the goods and looks at them.
func (w *world) collect(ctx context.Context, p *promise) error {
	if _, err := w.client.AwaitStatus(ctx, p.Placed, "delivered", "completed"); err != nil {
		return err
	}
	p.delivered = true
	keys, err := w.client.Reveal(ctx, p.Placed)
	if err == nil {
		p.keys = keys
	}
	return err
}
