package wire_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"panshi/internal/money"
	"panshi/internal/payment/wire"
)

func TestParseYuan(t *testing.T) {
	for text, fen := range map[string]int64{"0": 0, "12": 1200, "12.3": 1230, "0.01": 1, "-8.88": -888, "1.2300": 123, "999999999999.99": 99999999999999} {
		got, err := wire.ParseYuan(text)
		require.NoError(t, err, text)
		require.Equal(t, money.Of(fen, money.CNY), got, text)
	}
	for _, text := range []string{"", ".", ".5", "5.", "1e3", "1,000", "0.001", "+1", "--1", "１", "1 ", "1000000000000"} {
		_, err := wire.ParseYuan(text)
		require.Error(t, err, text)
	}
	rapid.Check(t, func(t *rapid.T) {
		amount := money.Of(rapid.Int64Range(-1e14+1, 1e14-1).Draw(t, "fen"), money.CNY)
		got, err := wire.ParseYuan(amount.Decimal())
		require.NoError(t, err)
		require.Equal(t, amount, got)
	})
}
