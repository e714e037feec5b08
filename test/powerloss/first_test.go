package powerloss

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"panshi/test/kit"
	"panshi/test/powerloss/disk"
)

// TestPowerLossAtFirstStart takes the power away while a shop and its keys are
// made, both on one disk. Made again it must open: the database must not hold
// what only a key that is gone can read, and a shop that was reported as made
// is there.
func TestPowerLossAtFirstStart(t *testing.T) {
	t.Parallel()
	tries := 6
	if long() {
		tries = 200
	}
	seed := seedOf(t)
	for n := range uint64(tries) {
		dice := rand.New(rand.NewPCG(seed, n))
		cutIn := 0 // the first one comes to its end
		if n > 0 {
			// Keys and tables come in the first requests, keys of goods later.
			cutIn = 1 + dice.IntN(60<<dice.IntN(6))
		}
		t.Run(fmt.Sprint(n), func(t *testing.T) { firstStart(t, dice, cutIn) })
	}
}

func firstStart(t *testing.T, dice *rand.Rand, cutIn int) {
	platform := kit.NewPlatform(t)
	home, d := filepath.Join(t.TempDir(), "home"), disk.New()
	require.NoError(t, os.Mkdir(home, 0o700))
	mount, err := d.Mount(home)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, mount.Unmount()) })
	shop := kit.Empty(t, home, platform)
	shop.LogFile = filepath.Join(t.TempDir(), "shop.log")
	d.CutIn(cutIn)
	made := shop.Run("demo")
	d.Cut()
	require.NoError(t, mount.Unmount())
	if dice.IntN(2) == 0 {
		d.Reboot(dice)
	} else {
		d.Reboot(nil)
	}
	mount, err = d.Mount(home)
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(filepath.Join(home, "tmp"), 0o700))
	require.Equal(t, cutIn == 0, made.Code == 0, "%s%s", made.Out, made.Err)
	if made.Code != 0 {
		made = shop.Run("demo")
		require.Zero(t, made.Code, "again: %s%s", made.Out, made.Err)
	}
	shop.Start()
	defer shop.Kill()
	client := shop.Client()
	defer client.HTTP.CloseIdleConnections()
	var book kit.Book
	_, err = kit.Buy(t.Context(), client, platform, &book, kit.Contact{Email: "first@shop.example"}, kit.Line{SKU: client.DemoCard(t), Quantity: 1})
	require.NoError(t, err)
	require.Len(t, book.RequireDistinct(t, client), 1)
	shop.RequireClean()
}
