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

// patience is how long the search for an order of one history may take. What
// is not decided then counts as refused.
const patience = 20 * time.Second

// artifacts is where refused histories are drawn.
const artifacts = "artifacts"

// requireOrder fails the test if nobody could have done a history's operations
// one after the other. It draws the history, and says where it breaks.
func requireOrder(t *testing.T, history []porcupine.Operation) {
	t.Helper()
	result, info := porcupine.CheckOperationsVerbose(model(), history, patience)
	if result == porcupine.Ok {
		return
	}
	require.NoError(t, os.MkdirAll(artifacts, 0o755))
	path := filepath.Join(artifacts, strings.ReplaceAll(t.Name(), "/", "-")+".html")
	require.NoError(t, porcupine.VisualizePath(model(), info, path))
	t.Fatalf("no order explains this history (%s). It is drawn in test/histories/%s.\n%s", result, path, explain(history))
}

// explain tells, for the SKUs whose operations have no order, how far one goes
// and what does not fit then.
func explain(history []porcupine.Operation) string {
	var b strings.Builder
	for _, part := range bySKU(history) {
		result, info := porcupine.CheckOperationsVerbose(model(), part, patience)
		if result == porcupine.Ok {
			continue
		}
		longest := slices.MaxFunc(info.PartialLinearizationsOperations()[0], func(a, b []porcupine.Operation) int {
			return len(a) - len(b)
		})
		fmt.Fprintf(&b, "SKU %d: an order explains %d of %d operations (%s).\n",
			part[0].Input.(input).sku, len(longest), len(part), result) //nolint:forcetypeassert // this package made it
		explainStop(&b, part, longest)
	}
	return b.String()
}

// explainStop names the operation that had to come next and did not fit, and
// what else its order and its cards did.
func explainStop(b *strings.Builder, part, longest []porcupine.Operation) {
	s, placed := state{}, map[string]int{}
	for _, op := range longest {
		s, _ = s.step(op.Input.(input), op.Output.(output)) //nolint:forcetypeassert // this package made them
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
	in, out := stuck.Input.(input), stuck.Output.(output) //nolint:forcetypeassert // this package made them
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
	other, answer := op.Input.(input), op.Output.(output) //nolint:forcetypeassert // this package made them
	if other.kind == restock || other.kind == count {
		return false
	}
	return other.order == in.order || slices.ContainsFunc(answer.cards, func(c int) bool { return slices.Contains(out.cards, c) })
}

func identity(op porcupine.Operation) string {
	return fmt.Sprint(op.ClientId, op.Call, op.Return, op.Input, op.Output)
}

func tell(op porcupine.Operation) string {
	text := describe(op.Input.(input), op.Output.(output)) //nolint:forcetypeassert // this package made them
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
		in, out := op.Input.(input), op.Output.(output) //nolint:forcetypeassert // this package made them
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
