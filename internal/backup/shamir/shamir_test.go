package shamir_test

import (
	"bytes"
	"crypto/rand"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"panshi/internal/backup/backuptest"
	"panshi/internal/backup/shamir"
)

// Values that were worked out by hand: 0x42 + 1x, and with {57}·{83} = {c1} of
// FIPS 197, 4.2, the slope 0x57 at 0x83.
func TestKnownAnswers(t *testing.T) {
	t.Parallel()
	shares, err := shamir.Split([]byte{0x42, 0}, 2, 0x83, bytes.NewReader([]byte{1, 0x57}))
	require.NoError(t, err)
	require.Equal(t, shamir.Share{X: 1, Y: []byte{0x43, 0x57}}, shares[0])
	require.Equal(t, shamir.Share{X: 2, Y: []byte{0x40, 0xae}}, shares[1])
	require.Equal(t, shamir.Share{X: 3, Y: []byte{0x41, 0xf9}}, shares[2])
	require.Equal(t, byte(0xc1), shares[0x83-1].Y[1])
}

// Any threshold of the shares, in any order, gives the secret; more do, too.
func TestAnyThresholdGivesTheSecret(t *testing.T) {
	t.Parallel()
	dice := backuptest.NewDice(t)
	for range 300 {
		n := 2 + dice.IntN(9)
		threshold := 2 + dice.IntN(n-1)
		secret := make([]byte, dice.IntN(40))
		_, _ = rand.Read(secret)
		shares, err := shamir.Split(secret, threshold, n, rand.Reader)
		require.NoError(t, err)
		for i := range shares {
			j := i + dice.IntN(len(shares)-i)
			shares[i], shares[j] = shares[j], shares[i]
		}
		for k := threshold; k <= n; k++ {
			got, err := shamir.Combine(shares[:k])
			require.NoError(t, err)
			require.Equal(t, secret, got, "%d of %d by %d", threshold, n, k)
		}
	}
}

// Fewer shares say nothing: whatever the secret, the shares that one has are
// those of every other secret as well, each by one choice of the rest.
func TestFewerSharesSayNothing(t *testing.T) {
	t.Parallel()
	seen := map[byte]int{}
	for slope := range 256 {
		shares, err := shamir.Split([]byte{7}, 2, 2, bytes.NewReader([]byte{byte(slope)}))
		require.NoError(t, err)
		seen[shares[0].Y[0]]++
	}
	require.Len(t, seen, 256, "one share of a known secret is any byte, each by one slope")
	shares, err := shamir.Split([]byte("a secret"), 3, 3, rand.Reader)
	require.NoError(t, err)
	got, err := shamir.Combine(shares[:2])
	require.NoError(t, err)
	require.NotEqual(t, "a secret", string(got))
}

func TestWhatCannotBeSplit(t *testing.T) {
	t.Parallel()
	for _, c := range [][2]int{{1, 3}, {4, 3}, {2, 256}, {0, 0}} {
		_, err := shamir.Split([]byte("x"), c[0], c[1], rand.Reader)
		require.Error(t, err, c)
	}
	_, err := shamir.Split([]byte("x"), 2, 3, strings.NewReader(""))
	require.Error(t, err, "no randomness")
	for _, s := range [][]shamir.Share{
		nil,
		{{X: 1, Y: []byte("a")}},
		{{X: 1, Y: []byte("a")}, {X: 1, Y: []byte("a")}},
		{{X: 0, Y: []byte("a")}, {X: 1, Y: []byte("a")}},
		{{X: 1, Y: []byte("a")}, {X: 2, Y: []byte("ab")}},
	} {
		_, err := shamir.Combine(s)
		require.Error(t, err, s)
	}
}
