package histories

import (
	"slices"
	"strings"
	"testing"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"

	"panshi/internal/db"
	"panshi/internal/db/dbtest"
)

// plantedOperations is enough for a planted defect to show.
const plantedOperations = 1500

// requireRefused fails the test unless some SKU's operations have no order.
func requireRefused(t *testing.T, history []porcupine.Operation, memory int64) {
	t.Helper()
	found := judge(history, memory)
	require.Equal(t, porcupine.Illegal, found.result, "the defect was not seen")
	require.Contains(t, found.text, "does not fit")
	t.Log(found.text)
}

// TestDoubleSaleIsRefused edits a real history: two orders that were served at
// about the same time got the same cards.
func TestDoubleSaleIsRefused(t *testing.T) {
	inMemory(t)
	seed := seedOf(t)
	history, wrong := newShop(t, dbtest.SQLite(t), 1, loses(seed)).record(0, seed, plantedOperations)
	require.Empty(t, wrong)
	require.True(t, requireOrder(t, history, 0))
	edited := slices.Clone(history)
	type goods struct{ sku, quantity int }
	sold := map[goods]sale{}
	for i, op := range edited {
		in, out := parts(op)
		if in.kind != deliver || out.verdict != done || len(out.cards) == 0 {
			continue
		}
		same := goods{in.sku, in.quantity}
		first, known := sold[same]
		if !known {
			sold[same] = sale{in.order, out.cards}
			continue
		}
		if in.order != first.order {
			out.cards = first.cards
			edited[i].Output = out
			requireRefused(t, edited, 0)
			return
		}
	}
	t.Fatal("no two sales to edit")
}

// sale is an order and the cards that it got of one SKU.
type sale struct {
	order int
	cards []int
}

// TestPlantedDefectsAreRefused runs the real services on real databases with
// one statement written wrongly.
func TestPlantedDefectsAreRefused(t *testing.T) {
	inMemory(t)
	for name, plant := range map[string]struct {
		engine db.Engine
		spoil  func(query string) string
	}{
		"a claim takes held cards too": {db.SQLite, func(q string) string {
			if !claims(q) {
				return q
			}
			return strings.ReplaceAll(q, "status = 'available'", "status <> 'sold'")
		}},
		"a claim does not lock": {db.Postgres, func(q string) string {
			q = strings.ReplaceAll(q, " FOR UPDATE SKIP LOCKED", "")
			return strings.ReplaceAll(q, " AND cards.status = 'available'", "") // the second look of a batch
		}},
		"a closed order keeps its cards": {db.SQLite, func(q string) string {
			return strings.Replace(q, "SET status = 'available', order_id = NULL\n\t\tWHERE", "SET status = 'available', order_id = NULL\n\t\tWHERE 1 = 0 AND", 1)
		}},
		"sold out while some are left": {db.SQLite, func(q string) string {
			return strings.Replace(q, "AND available >= ", "AND available >= 4 + ", 1)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			var d db.DB
			services := 1
			if plant.engine == db.Postgres {
				d, _ = openPostgres(t)
				services = 2
			} else {
				d = dbtest.SQLite(t)
			}
			planted := &spoilt{DB: d, spoil: plant.spoil}
			s := newShop(t, d, services, func(db.DB) db.DB { return planted })
			history, _ := s.record(0, seedOf(t), plantedOperations) // what it is told besides does not matter
			require.Positive(t, planted.spoils.Load(), "the statement that the defect is planted in is written otherwise by now")
			requireRefused(t, history, s.memory())
		})
	}
}
