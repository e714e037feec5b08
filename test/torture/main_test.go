package torture

import (
	"fmt"
	"os"
	"testing"

	"panshi/test/kit"
)

func TestMain(m *testing.M) { os.Exit(kit.Main(m)) }

// long tells whether the long forms are asked for.
func long() bool { return os.Getenv("PANSHI_TORTURE") == "long" }

// buyer is the contact of the n-th made-up buyer.
func buyer(n int) kit.Contact { return kit.Contact{Email: fmt.Sprintf("buyer%d@shop.example", n)} }
