package seal

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// The check value of the catalogue of parametrised CRC algorithms.
func TestTheChecksumIsTheKnownOne(t *testing.T) {
	t.Parallel()
	require.Equal(t, "29b1", crc16("123456789"))
}
