package histories

import (
	"testing"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"
)

// told is an operation on a SKU that has three cards.
func told(call, ret int64, k kind, order, quantity int, v verdict, cards ...int) porcupine.Operation {
	return porcupine.Operation{
		Call: call, Return: ret, Input: input{kind: k, order: order, quantity: quantity}, Output: output{verdict: v, cards: cards},
	}
}

// TestModel: small histories that a shop may and may not have.
func TestModel(t *testing.T) {
	for name, c := range map[string]struct {
		fine bool
		ops  []porcupine.Operation
	}{
		"sold once": {true, []porcupine.Operation{
			told(1, 2, reserve, 1, 2, done, 0, 1), told(3, 4, pay, 1, 2, done), told(5, 6, deliver, 1, 2, done, 0, 1),
			told(7, 8, refund, 1, 2, done), told(9, 10, count, 0, 1, done, 2),
		}},
		"one card for two orders": {false, []porcupine.Operation{
			told(1, 4, reserve, 1, 1, done, 0), told(2, 3, reserve, 2, 1, done, 0),
		}},
		"a card after its order closed": {true, []porcupine.Operation{
			told(1, 2, reserve, 1, 1, done, 0), told(3, 6, release, 1, 1, done), told(4, 5, reserve, 2, 1, done, 0),
		}},
		"a card before its order closed": {false, []porcupine.Operation{
			told(1, 2, reserve, 1, 1, done, 0), told(3, 4, reserve, 2, 1, done, 0), told(5, 6, release, 1, 1, done),
		}},
		"a card of a refunded order": {false, []porcupine.Operation{
			told(1, 2, reserve, 1, 1, done, 0), told(3, 4, deliver, 1, 1, done, 0), told(5, 6, refund, 1, 1, done),
			told(7, 8, reserve, 2, 1, done, 0),
		}},
		"other cards than were held": {false, []porcupine.Operation{
			told(1, 2, reserve, 1, 1, done, 0), told(3, 4, deliver, 1, 1, done, 1),
		}},
		"too few cards":         {false, []porcupine.Operation{told(1, 2, reserve, 1, 2, done, 0)}},
		"sold out, and was":     {true, []porcupine.Operation{told(1, 5, reserve, 1, 2, done, 0, 1), told(2, 3, reserve, 2, 2, soldOut)}},
		"sold out, and was not": {false, []porcupine.Operation{told(2, 3, reserve, 2, 2, soldOut), told(4, 5, reserve, 1, 2, done, 0, 1)}},
		"late": {true, []porcupine.Operation{
			told(1, 2, reserve, 1, 1, done, 0), told(3, 4, release, 1, 1, done), told(5, 6, deliver, 1, 1, late, 2),
			told(7, 8, deliver, 1, 1, repeated), told(9, 10, count, 0, 2, done, 0, 1),
		}},
		"late and in time": {false, []porcupine.Operation{told(1, 2, reserve, 1, 1, done, 0), told(3, 4, deliver, 1, 1, late, 0)}},
		"delivered twice": {false, []porcupine.Operation{
			told(1, 2, reserve, 1, 1, done, 0), told(3, 4, deliver, 1, 1, done, 0), told(5, 6, deliver, 1, 1, done, 0),
		}},
		"closed after it was served": {false, []porcupine.Operation{
			told(1, 2, reserve, 1, 1, done, 0), told(3, 4, deliver, 1, 1, done, 0), told(5, 6, release, 1, 1, done),
		}},
		"paid while it was being cancelled": {true, []porcupine.Operation{
			told(1, 2, reserve, 1, 1, done, 0), told(3, 4, release, 1, 1, refused, 0), told(5, 6, deliver, 1, 1, repeated),
			told(9, 10, count, 0, 2, done, 1, 2),
		}},
		"lost, and it happened late": {true, []porcupine.Operation{
			told(1, forever, reserve, 1, 3, stands, 0, 1, 2), told(2, 3, reserve, 2, 1, done, 0), told(4, 5, release, 2, 1, done),
			told(6, 7, reserve, 1, 3, repeated),
		}},
		"repeated, and never was": {false, []porcupine.Operation{told(6, 7, reserve, 1, 3, repeated)}},
		"a card vanished":         {false, []porcupine.Operation{told(9, 10, count, 0, 2, done, 0, 1)}},
		"paid for a closed order": {false, []porcupine.Operation{
			told(1, 2, reserve, 1, 1, done, 0), told(3, 4, release, 1, 1, done), told(5, 6, pay, 1, 1, done),
		}},
	} {
		t.Run(name, func(t *testing.T) {
			history := append([]porcupine.Operation{told(-1, -1, restock, 0, 3, done, 0, 0, 0)}, c.ops...)
			prune(history)
			want := map[bool]porcupine.CheckResult{true: porcupine.Ok, false: porcupine.Illegal}[c.fine]
			require.Equal(t, want, judge(history, 0).result)
		})
	}
}
