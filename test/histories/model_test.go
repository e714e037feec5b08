package histories

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"github.com/anishathalye/porcupine"
)

// kind is what a client asked for.
type kind string

const (
	restock kind = "stock" // before all: so many items came onto the shelf
	reserve kind = "reserve"
	pay     kind = "pay"
	deliver kind = "deliver"
	release kind = "release" // a buyer's cancelling, or expiry
	refund  kind = "refund"
	count   kind = "count" // after all: what is on the shelf
)

// verdict is what a client was told, or found out by asking again.
type verdict string

const (
	done     verdict = "done"     // it happened: placed, payable, delivered, closed, refunded
	repeated verdict = "repeated" // it had happened before
	refused  verdict = "refused"  // the order's state does not allow it
	soldOut  verdict = "sold out"
	late     verdict = "late"    // the order was closed; its items were claimed anew
	paidBack verdict = "no more" // the money goes back: sold out meanwhile, or paid twice
	nothing  verdict = "nothing" // it did not happen, for a reason that is no business of the model

	// The answer was lost. Asked again, the shop shows that the order stands,
	// has its goods, is closed, or goes back. By whom, and when, is open.
	stands verdict = "lost; it stands"
	served verdict = "lost; it is served"
	// The platform has the money, and nobody told the shop: who closes the order
	// hears of it. It is served or nothing, as the order's end tells.
	heard  verdict = "heard elsewhere"
	closed verdict = "lost; it is closed"
	back   verdict = "lost; it goes back"
)

// input is one operation on one SKU.
type input struct {
	sku      int
	kind     kind
	order    int // the SKU's order, from 1
	quantity int
	mixed    bool // the order has other SKUs too, which may be what was sold out
}

// output is its answer.
type output struct {
	verdict verdict
	cards   []int // the SKU's cards, from 0, that the order has; ascending; nil for counted SKUs
	known   bool  // another operation was told that it served the order, so this was not the one
}

// phase is where an order is.
type phase byte

const (
	none     phase = iota
	held           // waits for money
	gone           // closed, its items are back
	sold           // has its goods
	tooLate        // paid after it closed, and nothing left: the money goes back
	refunded       // had its goods; the money goes back
)

func (p phase) String() string {
	return [...]string{"unknown", "held", "closed", "sold", "sold out too late", "refunded"}[p]
}

// state is one SKU. It is never changed, and comparable.
type state struct {
	owner     string // two bytes a card: the order that has it; 0 on the shelf. "" for a counted SKU
	phases    string // one byte an order
	available int
}

func (s state) phase(order int) phase {
	if order >= len(s.phases) {
		return none
	}
	return phase(s.phases[order])
}

func (s state) to(order int, p phase) state {
	b := make([]byte, max(len(s.phases), order+1))
	copy(b, s.phases)
	b[order] = byte(p)
	s.phases = string(b)
	return s
}

func (s state) ownerOf(card int) int { return int(binary.BigEndian.Uint16([]byte(s.owner[2*card:]))) }

// cards lists those that an order has, or that are on the shelf (0).
func (s state) cards(order int) (list []int) {
	for c := range len(s.owner) / 2 {
		if s.ownerOf(c) == order {
			list = append(list, c)
		}
	}
	return list
}

// hand gives cards to an order, or to the shelf (0).
func (s state) hand(cards []int, order int) state {
	if len(cards) > 0 {
		b := []byte(s.owner)
		for _, c := range cards {
			binary.BigEndian.PutUint16(b[2*c:], uint16(order))
		}
		s.owner = string(b)
	}
	return s
}

// take moves items from the shelf to an order, or says why it cannot.
func (s state) take(in input, out output, p phase) (state, string) {
	if s.available < in.quantity {
		return s, fmt.Sprintf("the shelf has %d", s.available)
	}
	if s.owner != "" && len(out.cards) != in.quantity {
		return s, fmt.Sprintf("it has %d cards", len(out.cards))
	}
	for _, c := range out.cards {
		if by := s.ownerOf(c); by != 0 {
			return s, fmt.Sprintf("card %d belongs to order %d, which is %s", c, by, s.phase(by))
		}
	}
	s = s.hand(out.cards, in.order).to(in.order, p)
	s.available -= in.quantity
	return s, ""
}

// giveBack returns a held order's items to the shelf.
func (s state) giveBack(in input, p phase) state {
	s = s.hand(s.cards(in.order), 0).to(in.order, p)
	s.available += in.quantity
	return s
}

// step is the shop without concurrency. why is empty if it could have given
// this answer.
func (s state) step(in input, out output) (next state, why string) {
	if out.verdict == nothing {
		return s, ""
	}
	switch in.kind {
	case restock:
		return state{owner: strings.Repeat("\x00\x00", len(out.cards)), available: in.quantity}, ""
	case reserve:
		return s.reserve(in, out)
	case pay:
		if out.verdict == done && s.phase(in.order) != held {
			return s, "the order is " + s.phase(in.order).String()
		}
		return s, ""
	case deliver:
		return s.deliver(in, out)
	case release:
		return s.release(in, out)
	case refund:
		return s.refund(in, out)
	case count:
		if s.available != in.quantity || !slices.Equal(s.cards(0), out.cards) {
			return s, fmt.Sprintf("the shelf has %d: %v", s.available, s.cards(0))
		}
		return s, ""
	}
	return s, "no such operation"
}

func (s state) reserve(in input, out output) (state, string) {
	p := s.phase(in.order)
	switch out.verdict {
	case done:
		if p != none {
			return s, "the order is " + p.String()
		}
		return s.take(in, out, held)
	case stands:
		if p == none {
			return s.take(in, out, held)
		}
		return s, ""
	case repeated:
		if p == none {
			return s, "there is no such order"
		}
		return s, ""
	default:
		return s, "no such answer"
	}
}

func (s state) deliver(in input, out output) (state, string) {
	p := s.phase(in.order)
	switch {
	case out.verdict == served && out.known:
		return s, ""
	case out.verdict == done && p == held, out.verdict == served:
		return s.serve(in, out)
	case out.verdict == late && p == gone:
		return s.take(in, out, sold)
	case out.verdict == repeated && p >= sold, out.verdict == paidBack && p >= sold:
		return s, ""
	case out.verdict == paidBack && p == gone && !out.known && (in.mixed || s.available < in.quantity):
		return s.to(in.order, tooLate), ""
	}
	return s, fmt.Sprintf("the order is %s, the shelf has %d", p, s.available)
}

// serve gives an order that is paid what a shop gives it.
func (s state) serve(in input, out output) (state, string) {
	switch s.phase(in.order) {
	case none:
		return s, "there is no such order"
	case held:
		if has := s.cards(in.order); !slices.Equal(has, out.cards) {
			return s, fmt.Sprintf("the order holds %v", has)
		}
		return s.to(in.order, sold), ""
	case gone:
		if s.available >= in.quantity && (s.owner == "" || len(out.cards) > 0) {
			return s.take(in, out, sold)
		}
		if len(out.cards) > 0 {
			return s, fmt.Sprintf("the shelf has %d", s.available)
		}
		return s.to(in.order, tooLate), ""
	default:
		return s, "" // somebody else's word of the money came first
	}
}

func (s state) release(in input, out output) (state, string) {
	p := s.phase(in.order)
	switch {
	case out.verdict == done && p > gone, out.verdict == refused && out.known && p < sold, p == none:
		return s, "the order is " + p.String()
	case out.verdict == served && out.known, p > gone:
		return s, ""
	case out.verdict == refused, out.verdict == served: // paid in time, which came out here
		return s.serve(in, out)
	case p == held:
		return s.giveBack(in, gone), ""
	case out.verdict == closed && !out.known && len(out.cards) > 0: // paid late, which came out here
		return s.serve(in, out)
	}
	return s, ""
}

func (s state) refund(in input, out output) (state, string) {
	p := s.phase(in.order)
	switch {
	case out.verdict == refused && p == sold, out.verdict == done && p != sold, p == none:
		return s, "the order is " + p.String()
	case out.verdict == refused, out.known, p != sold:
		return s, ""
	case s.owner == "": // work that nobody has done yet
		return s.giveBack(in, refunded), ""
	}
	return s.to(in.order, refunded), "" // a sold card counts as seen
}

// model is one shop in porcupine's words.
func model() porcupine.Model {
	return porcupine.Model{
		Partition: bySKU,
		Init:      func() any { return state{} },
		Step: func(s, in, out any) (bool, any) {
			next, why := s.(state).step(in.(input), out.(output))
			return why == "", next
		},
		DescribeOperation: func(in, out any) string {
			return describe(in.(input), out.(output))
		},
		DescribeState: func(s any) string { return s.(state).String() },
	}
}

func bySKU(history []porcupine.Operation) (parts [][]porcupine.Operation) {
	for _, op := range history {
		sku := op.Input.(input).sku
		for sku >= len(parts) {
			parts = append(parts, nil)
		}
		parts[sku] = append(parts[sku], op)
	}
	return slices.DeleteFunc(parts, func(p []porcupine.Operation) bool { return len(p) == 0 })
}

func describe(in input, out output) string {
	text := fmt.Sprintf("%s order %d × %d: %s", in.kind, in.order, in.quantity, out.verdict)
	if len(out.cards) > 0 && len(out.cards) < 10 {
		text += fmt.Sprintf(" %v", out.cards)
	}
	return text
}

func (s state) String() string {
	orders := map[phase]int{}
	for i := 1; i < len(s.phases); i++ {
		orders[s.phase(i)]++
	}
	return fmt.Sprintf("shelf %d, held %d, sold %d", s.available, orders[held], orders[sold])
}
