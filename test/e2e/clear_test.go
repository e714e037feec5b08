package e2e

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/test/kit"
)

// TestNothingInClear: after 50 sales nobody who reads the disk learns a card
// key or a contact: not from the database, its log, the program's logs, its
// temporary files, or the platform's state, and not while the shop runs.
func TestNothingInClear(t *testing.T) {
	t.Parallel()
	const sales = 50
	mark := rand.Text()[:8]
	phones := fmt.Sprintf("139%05d", randomBelow(100_000)) // what the numbers begin with
	platform := kit.NewPlatform(t)
	shop := kit.NewShop(t, platform)
	sku := shop.ImportCards("canary", "1.00", kit.Keys("CANARY-"+mark, sales))
	client, book := shop.Client(), &kit.Book{}
	for i := range sales {
		contact := kit.Contact{Email: fmt.Sprintf("canary.%s.%d@shop.example", mark, i)}
		if i%2 == 1 {
			contact = kit.Contact{Phone: fmt.Sprintf("%s%03d", phones, i)}
		}
		paid(t, client, platform, book, contact, one(sku))
	}
	book.RequireServed(t, client, 30*time.Second)
	require.Len(t, book.RequireDistinct(t, client), sales)

	scanner := kit.NewScanner("CANARY-"+mark, "canary."+mark, "CANARY."+mark, phones)
	shelf := kit.NewScanner("Test canary") // the product's title, which is stored in clear
	requireNothing := func(when string) {
		t.Helper()
		titles := 0
		for _, dir := range append(shop.Disks(), filepath.Dir(platform.State)) {
			hits, _ := scanner.Dir(t, dir)
			require.Empty(t, hits, when)
			seen, _ := shelf.Dir(t, dir)
			titles += len(seen)
		}
		require.Positive(t, titles, "%s: what is stored in clear is found", when)
	}
	requireNothing("running")
	require.Zero(t, shop.Stop(20*time.Second))
	requireNothing("stopped")

	planted := filepath.Join(shop.Data, "planted")
	require.NoError(t, os.WriteFile(planted, []byte("x canary."+mark+".7@shop.example"), 0o600))
	hits, _ := scanner.Dir(t, shop.Dir)
	require.Len(t, hits, 1, "the scanner sees what is there")
}

func randomBelow(n uint64) uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return binary.LittleEndian.Uint64(b[:]) % n
}
