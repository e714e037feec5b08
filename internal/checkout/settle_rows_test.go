package checkout

import (
	"testing"

	"github.com/stretchr/testify/require"

	"panshi/internal/db"
	"panshi/internal/order"
	"panshi/internal/stock"
)

// What a batch takes in by expectation it must not put out again when it has
// read the orders: whoever is put out waits for the others at the counter.
func TestABatchKeepsTheOrdersItTookIn(t *testing.T) {
	card := order.Line{StockMode: string(stock.Cards), Quantity: 1}
	require.Equal(t, settling{}.rows(), rowsOfSettling+rowsOfGoods([]order.Line{card}))
	require.Equal(t, 50, db.MaxRows/settling{}.rows())
	text := order.Line{StockMode: string(stock.Unlimited), Quantity: 9}
	require.Equal(t, 1+1+1+2*5, rowsOfGoods([]order.Line{text, {StockMode: string(stock.Cards), Quantity: 5}}),
		"a delivery and two counters, and five cards with their deliveries")
}
