package histories

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/anishathalye/porcupine"
)

// change is a moment from which a SKU's shelf may be emptier, or is fuller.
type change struct {
	at    int64
	items int // fewer than 0: they may be gone
}

// surely lists when items may leave one SKU's shelf and when they are surely
// back, by time: adding up tells the least that it had at any moment, in
// whatever order things happened.
func surely(part []porcupine.Operation) (changes []change) {
	orders := map[int][]porcupine.Operation{}
	for _, op := range part {
		in, out := parts(op)
		if in.kind == restock {
			changes = append(changes, change{op.Call, in.quantity})
		} else if out.verdict != nothing && out.verdict != soldOut && in.kind != count {
			orders[in.order] = append(orders[in.order], op)
		}
	}
	for _, ops := range orders {
		in, _ := parts(ops[0])
		taken := slices.MinFunc(ops, func(a, b porcupine.Operation) int { return cmp.Compare(a.Call, b.Call) })
		changes = append(changes, change{taken.Call, -in.quantity})
		if back := surelyBack(ops); back != forever {
			changes = append(changes, change{back + 1, in.quantity})
		}
	}
	slices.SortFunc(changes, func(a, b change) int { return cmp.Compare(a.at, b.at) })
	return changes
}

// surelyBack is when an order's items are on the shelf again for good: never
// if it may have been served.
func surelyBack(ops []porcupine.Operation) int64 {
	back := forever
	for _, op := range ops {
		switch in, out := parts(op); {
		case in.kind == deliver && out.verdict != paidBack, in.kind == release && mayServe(out):
			return forever
		case in.kind == release && out.verdict == done:
			back = min(back, op.Return)
		}
	}
	return back
}

// mayServe tells whether a closing may have come upon the money.
func mayServe(out output) bool {
	return out.verdict == served || out.verdict == refused || out.verdict == closed && len(out.cards) > 0
}

// falselySoldOut tells of an order that was refused although the shelf had
// enough for it all the time of its call and, as a process may remember for so
// long what another has filled up since, of the time `memory` before.
func falselySoldOut(part []porcupine.Operation, memory int64) error {
	changes := surely(part)
	for _, op := range part {
		in, out := parts(op)
		if out.verdict != soldOut {
			continue
		}
		if had := least(changes, max(0, op.Call-memory), op.Return); had >= in.quantity {
			return fmt.Errorf("this does not fit: %s\n  because the shelf had %d or more all the time", tell(op), had)
		}
	}
	return nil
}

// least adds up what was there at the emptiest moment from one to another.
func least(changes []change, from, to int64) int {
	level, lowest := 0, int(^uint(0)>>1)
	for _, c := range changes {
		if c.at > to {
			break
		}
		if c.at > from {
			lowest = min(lowest, level)
		}
		level += c.items
	}
	return min(lowest, level)
}
