package histories

import "github.com/anishathalye/porcupine"

// prune spares the search choices that decide nothing. It only ever makes the
// model ask less of an operation, and only where two operations overlap, or
// where the history itself tells which of two did what:
//
//   - If somebody was told that he served an order, nobody else's lost or
//     refused operation did. The same goes for refunds.
//   - That a payment could start, or that a refund was refused, is not asked
//     about while something else happens to the order.
func prune(history []porcupine.Operation) {
	byOrder := map[[2]int][]porcupine.Operation{}
	for _, op := range history {
		in, _ := parts(op)
		byOrder[[2]int{in.sku, in.order}] = append(byOrder[[2]int{in.sku, in.order}], op)
	}
	for i := range history {
		op := &history[i]
		in, out := parts(*op)
		same := byOrder[[2]int{in.sku, in.order}]
		switch {
		case in.kind == pay, in.kind == refund && out.verdict == refused:
			if overlapsChange(*op, same) {
				out.verdict = nothing
			}
		case in.kind == refund:
			out.known = out.verdict == back && has(same, refund, done)
		case in.kind == deliver, in.kind == release:
			out.known = has(same, deliver, done) || has(same, deliver, late)
		}
		op.Output = out
	}
}

func parts(op porcupine.Operation) (input, output) {
	return op.Input.(input), op.Output.(output)
}

func overlap(a, b porcupine.Operation) bool { return a.Call <= b.Return && b.Call <= a.Return }

// overlapsChange tells whether something else may have moved the order
// meanwhile.
func overlapsChange(op porcupine.Operation, same []porcupine.Operation) bool {
	for _, other := range same {
		if in, _ := parts(other); (in.kind == release || in.kind == deliver) && overlap(op, other) {
			return true
		}
	}
	return false
}

func has(ops []porcupine.Operation, k kind, v verdict) bool {
	for _, op := range ops {
		if in, out := parts(op); in.kind == k && out.verdict == v {
			return true
		}
	}
	return false
}
