package money_test

import (
	"math"
	"math/big"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"panshi/internal/money"
)

func TestArithmeticIsExactOrAnError(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.Int64().Draw(t, "a"), rapid.Int64().Draw(t, "b")
		sum, err := money.Of(a, money.CNY).Add(money.Of(b, money.CNY))
		exact := new(big.Int).Add(big.NewInt(a), big.NewInt(b))
		require.Equal(t, exact.IsInt64(), err == nil)
		if err == nil {
			require.Equal(t, exact.Int64(), sum.Minor)
		}
		price, n := rapid.Int64Min(0).Draw(t, "price"), rapid.Int64Min(0).Draw(t, "n")
		product, err := money.Of(price, money.CNY).Times(n)
		exact.Mul(big.NewInt(price), big.NewInt(n))
		require.Equal(t, exact.IsInt64(), err == nil)
		if err == nil {
			require.Equal(t, exact.Int64(), product.Minor)
		}
	})
}

func TestCurrenciesDoNotMix(t *testing.T) {
	_, err := money.Of(1, money.CNY).Add(money.Of(1, "USD"))
	require.Error(t, err)
	_, err = money.Of(-1, money.CNY).Times(2)
	require.Error(t, err)
	_, err = money.Of(1, money.CNY).Times(-2)
	require.Error(t, err)
}

func TestDecimal(t *testing.T) {
	for minor, want := range map[int64]string{
		0: "0.00", 5: "0.05", 1999: "19.99", -150: "-1.50", math.MinInt64: "-92233720368547758.08",
	} {
		require.Equal(t, want, money.Of(minor, money.CNY).Decimal())
	}
}
