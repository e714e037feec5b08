package histories

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"
)

// patience is how long the search for an order of one SKU's operations may take:
// mostly some milliseconds.
const patience = 20 * time.Second

// artifacts is where refused histories are drawn.
const artifacts = "artifacts"

// judgement is what is found of a history.
type judgement struct {
	result porcupine.CheckResult // Unknown: the search was given up, which says nothing of the shop
	part   []porcupine.Operation // the SKU's that cannot be explained
	info   porcupine.LinearizationInfo
	text   string
}

// judge looks for an order of the operations of each SKU of a history.
func judge(history []porcupine.Operation, memory int64) judgement {
	found := judgement{result: porcupine.Ok}
	for _, part := range bySKU(history) {
		if err := falselySoldOut(part, memory); err != nil {
			return judgement{result: porcupine.Illegal, text: err.Error()}
		}
		part = decisive(part)
		result, info := porcupine.CheckOperationsVerbose(model(), part, patience)
		if result == porcupine.Ok {
			continue
		}
		found = judgement{result, part, info, explain(part, info)}
		if result == porcupine.Illegal {
			break
		}
	}
	return found
}

// requireOrder fails the test if nobody could have done a history's operations
// one after the other, and tells whether that was decided. It draws those of
// the SKU, and says where it breaks.
func requireOrder(t *testing.T, history []porcupine.Operation, memory int64) (decided bool) {
	t.Helper()
	found := judge(history, memory)
	if found.result == porcupine.Ok {
		return true
	}
	path := filepath.Join(artifacts, strings.ReplaceAll(t.Name(), "/", "-")+".html")
	if found.part != nil {
		require.NoError(t, os.MkdirAll(artifacts, 0o755))
		require.NoError(t, porcupine.VisualizePath(model(), found.info, path))
	}
	if found.result == porcupine.Unknown {
		t.Logf("given up after %v:\n%s", patience, found.text)
		return false
	}
	t.Fatalf("no order explains this history. It is drawn in test/histories/%s.\n%s", path, found.text)
	return false
}

// explain tells how far an order of one SKU's operations goes and what does not
// fit then.
func explain(part []porcupine.Operation, info porcupine.LinearizationInfo) string {
	longest := slices.MaxFunc(info.PartialLinearizationsOperations()[0], func(a, b []porcupine.Operation) int {
		return len(a) - len(b)
	})
	var b strings.Builder
	in, _ := parts(part[0])
	fmt.Fprintf(&b, "SKU %d: an order explains %d of %d operations.\n", in.sku, len(longest), len(part))
	explainStop(&b, part, longest)
	return b.String()
}

// explainStop names the operation that had to come next and did not fit, and
// what else its order and its cards did.
func explainStop(b *strings.Builder, part, longest []porcupine.Operation) {
	s, placed := state{}, map[string]int{}
	for _, op := range longest {
		in, out := parts(op)
		s, _ = s.step(in, out)
		placed[identity(op)]++
	}
	left := slices.DeleteFunc(slices.Clone(part), func(op porcupine.Operation) bool {
		placed[identity(op)]--
		return placed[identity(op)] >= 0
	})
	if len(left) == 0 {
		return
	}
	stuck := slices.MinFunc(left, func(a, b porcupine.Operation) int { return int(a.Return - b.Return) })
	in, out := parts(stuck)
	_, why := s.step(in, out)
	fmt.Fprintf(b, "Then this does not fit: %s\n  because %s\n", tell(stuck), why)
	related := 0
	for _, op := range part {
		if related < 20 && in.kind != count && concerns(op, in, out) {
			fmt.Fprintf(b, "  see %s\n", tell(op))
			related++
		}
	}
}

// concerns tells whether an operation is about the same order or card.
func concerns(op porcupine.Operation, in input, out output) bool {
	other, answer := parts(op)
	if other.kind == restock || other.kind == count {
		return false
	}
	return other.order == in.order || slices.ContainsFunc(answer.cards, func(c int) bool { return slices.Contains(out.cards, c) })
}

func identity(op porcupine.Operation) string {
	return fmt.Sprint(op.ClientId, op.Call, op.Return, op.Input, op.Output)
}

func tell(op porcupine.Operation) string {
	in, out := parts(op)
	text := describe(in, out)
	end := "open"
	if op.Return != forever {
		end = fmt.Sprintf("%.3f ms", float64(op.Return)/1e6)
	}
	return fmt.Sprintf("%s (client %d, %.3f ms to %s)", text, op.ClientId, float64(op.Call)/1e6, end)
}

// tally counts what happened in a history.
func tally(history []porcupine.Operation) string {
	counts := map[string]int{}
	var names []string
	for _, op := range history {
		in, out := parts(op)
		name := string(in.kind) + " " + string(out.verdict)
		if counts[name]++; counts[name] == 1 {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for i, name := range names {
		names[i] = fmt.Sprintf("%s %d", name, counts[name])
	}
	return fmt.Sprintf("%d: %s", len(history), strings.Join(names, ", "))
}
