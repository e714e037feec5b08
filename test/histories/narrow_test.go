package histories

import (
	"slices"

	"github.com/anishathalye/porcupine"
)

// decisive leaves out what may stand anywhere, and narrows the time of the rest
// to what the cards tell. An order of what is left exists exactly if one of the
// whole exists.
func decisive(part []porcupine.Operation) []porcupine.Operation {
	left := slices.DeleteFunc(slices.Clone(part), func(op porcupine.Operation) bool {
		_, out := parts(op)
		lost := out.verdict == served || out.verdict == back
		return out.verdict == nothing || out.verdict == soldOut || lost && out.known // somebody else was told that he did it
	})
	boundRepeats(left)
	held := holdings(left)
	for narrowed := true; narrowed; {
		narrowed = false
		for _, pair := range sharing(held) {
			narrowed = pair[0].apart(left, pair[1]) || narrowed
		}
	}
	return left
}

// boundRepeats: an order whose placing was lost stood before its repeat was
// answered.
func boundRepeats(part []porcupine.Operation) {
	answered := map[int]int64{}
	for _, op := range part {
		if in, out := parts(op); in.kind == reserve && out.verdict == repeated {
			answered[in.order] = op.Return
		}
	}
	for i := range part {
		in, out := parts(part[i])
		if at, ok := answered[in.order]; ok && in.kind == reserve && out.verdict == stands {
			part[i].Return = min(part[i].Return, at)
		}
	}
}

// holding is an order that held cards from when it was placed, and what may
// have closed it. All are indices into the SKU's operations.
type holding struct {
	cards         []int
	takes, closes []int
}

// holdings finds what each order held when it was placed.
func holdings(part []porcupine.Operation) []*holding {
	byOrder := map[int]*holding{}
	var all []*holding
	for i, op := range part {
		in, out := parts(op)
		if in.kind != reserve || (out.verdict != done && out.verdict != stands) || len(out.cards) == 0 {
			continue
		}
		h := byOrder[in.order]
		if h == nil {
			h = &holding{cards: out.cards}
			byOrder[in.order] = h
			all = append(all, h)
		}
		h.takes = append(h.takes, i)
	}
	kept := map[int]bool{} // served as it was held: it never closed
	for i, op := range part {
		in, out := parts(op)
		h := byOrder[in.order]
		switch {
		case h == nil:
		case in.kind == deliver && out.verdict == done:
			kept[in.order] = true
		case in.kind == release && (out.verdict == done || out.verdict == closed):
			h.closes = append(h.closes, i)
		}
	}
	for order := range kept {
		byOrder[order].closes = nil
	}
	return all
}

// sharing lists the pairs that held the same card.
func sharing(held []*holding) (pairs [][2]*holding) {
	byCard := map[int][]*holding{}
	for _, h := range held {
		for _, c := range h.cards {
			for _, other := range byCard[c] {
				pairs = append(pairs, [2]*holding{other, h})
			}
			byCard[c] = append(byCard[c], h)
		}
	}
	return pairs
}

// apart narrows two holdings of one card if they can only have come in one
// order, and tells whether it did.
func (h *holding) apart(part []porcupine.Operation, other *holding) bool {
	first, second := h.before(part, other), other.before(part, h)
	switch {
	case first && !second:
		return h.then(part, other)
	case second && !first:
		return other.then(part, h)
	}
	return false
}

// before tells whether h may have given back what other took then.
func (h *holding) before(part []porcupine.Operation, other *holding) bool {
	return len(h.closes) > 0 && earliest(part, h.closes) <= latest(part, other.takes)
}

// then narrows h's closing to before other's taking, and that to after it.
func (h *holding) then(part []porcupine.Operation, other *holding) (narrowed bool) {
	after := earliest(part, h.closes)
	for _, i := range other.takes {
		if part[i].Call < after && after <= part[i].Return {
			part[i].Call, narrowed = after, true
		}
	}
	if len(h.closes) == 1 {
		if i, by := h.closes[0], latest(part, other.takes); part[i].Return > by && by >= part[i].Call {
			part[i].Return, narrowed = by, true
		}
	}
	return narrowed
}

func earliest(part []porcupine.Operation, of []int) int64 {
	at := forever
	for _, i := range of {
		at = min(at, part[i].Call)
	}
	return at
}

func latest(part []porcupine.Operation, of []int) (at int64) {
	for _, i := range of {
		at = max(at, part[i].Return)
	}
	return at
}
