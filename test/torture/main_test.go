package torture

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/test/kit"
)

func TestMain(m *testing.M) { os.Exit(kit.Main(m)) }

// long tells whether the long forms are asked for.
func long() bool { return os.Getenv("PANSHI_TORTURE") == "long" }

// buyer is the contact of the n-th made-up buyer.
func buyer(n int) kit.Contact { return kit.Contact{Email: fmt.Sprintf("buyer%d@shop.example", n)} }

// seedOf prints what repeats this run.
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

// moments waits from least to most milliseconds.
func moments(dice *rand.Rand, least, most int) {
	time.Sleep(time.Duration(least+dice.IntN(most-least)) * time.Millisecond)
}
