// Package backuptest is what tests of the backup share: keys, and randomness that
// a printed seed repeats. Nothing but tests imports it.
package backuptest

import (
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/streamingaead"
	"github.com/tink-crypto/tink-go/v2/tink"
)

// Cipher makes keys as the vault does.
func Cipher(t testing.TB) tink.StreamingAEAD {
	t.Helper()
	handle, err := keyset.NewHandle(streamingaead.AES256GCMHKDF4KBKeyTemplate())
	require.NoError(t, err)
	cipher, err := streamingaead.New(handle)
	require.NoError(t, err)
	return cipher
}

// Dice is a sequence that its seed repeats (splitmix64). It belongs to one
// goroutine.
type Dice struct{ state uint64 }

// NewDice takes PANSHI_SEED, or a seed of its own, and prints it.
func NewDice(t testing.TB) *Dice {
	t.Helper()
	seed := uint64(time.Now().UnixNano())             //nolint:forbidigo // any bits will do
	if text := os.Getenv("PANSHI_SEED"); text != "" { //nolint:forbidigo // for tests only
		n, err := strconv.ParseUint(text, 10, 64)
		require.NoError(t, err)
		seed = n
	}
	t.Logf("PANSHI_SEED=%d", seed)
	return &Dice{seed}
}

// Split gives another sequence, for another goroutine.
func (d *Dice) Split() *Dice { return &Dice{d.next()} }

func (d *Dice) next() uint64 {
	d.state += 0x9e3779b97f4a7c15
	z := d.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// IntN gives a number from 0 to n-1.
func (d *Dice) IntN(n int) int { return int(d.next() % uint64(n)) }
