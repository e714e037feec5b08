package recovery

import (
	"fmt"
	"os"
	"testing"

	"panshi/test/kit"
)

func TestMain(m *testing.M) { os.Exit(kit.Main(m)) }

// buyer is the contact of the n-th made-up buyer.
func buyer(n int) kit.Contact { return kit.Contact{Email: fmt.Sprintf("buyer%d@shop.example", n)} }

// one asks for one item of a SKU.
func one(sku string) kit.Line { return kit.Line{SKU: sku, Quantity: 1} }

// night tells whether everything is to run, or the part that fits into each
// change's minutes.
func night() bool { return os.Getenv("PANSHI_TORTURE") == "long" }

// amount is how many cases a test tries.
func amount(few, all int) int {
	if night() {
		return all
	}
	return few
}
