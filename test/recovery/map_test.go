package recovery

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// injected is a test that docs/recovery-proof.md names.
type injected struct{ dir, name string }

// mapped reads the rows of the map: the number of a failure, what it is, and the
// tests that inject it.
func mapped(text string) map[int][]injected {
	row := regexp.MustCompile(`(?m)^\| (\d+) \| [^|]+ \| ([^|]+) \|`)
	test := regexp.MustCompile("`([a-z0-9/]+) (Test\\w+)`")
	out := map[int][]injected{}
	for _, m := range row.FindAllStringSubmatch(text, -1) {
		number, _ := strconv.Atoi(m[1]) // digits
		for _, t := range test.FindAllStringSubmatch(m[2], -1) {
			out[number] = append(out[number], injected{t[1], t[2]})
		}
	}
	return out
}

// exists looks for a test function in the files of a directory.
func exists(t *testing.T, i injected) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "..", i.dir, "*_test.go"))
	require.NoError(t, err)
	declared := regexp.MustCompile(`(?m)^func ` + i.name + `\(`)
	for _, f := range files {
		content, err := os.ReadFile(f)
		require.NoError(t, err)
		if declared.Match(content) {
			return true
		}
	}
	return false
}

// Each failure of the list has a test that injects it, and no test of the map has
// gone.
func TestEachFailureIsInjected(t *testing.T) {
	text, err := os.ReadFile("../../docs/recovery-proof.md")
	require.NoError(t, err)
	tests := mapped(string(text))
	for number := 1; number <= 23; number++ {
		require.NotEmpty(t, tests[number], "failure %d has no test", number)
		for _, i := range tests[number] {
			require.True(t, exists(t, i), "failure %d: there is no %s in %s", number, i.name, i.dir)
		}
	}
	require.Len(t, tests, 23)
}

func TestTheMapIsRead(t *testing.T) {
	require.Equal(t, map[int][]injected{7: {{"a/b", "TestX"}, {"c", "TestY"}}},
		mapped("| 7 | what | `a/b TestX`, `c TestY` | told |\n| no | row | `a TestZ` |\n"))
	require.True(t, exists(t, injected{"test/recovery", "TestTheMapIsRead"}))
	require.False(t, exists(t, injected{"test/recovery", "TestTheMap"}), "a part of a name is no test")
	require.False(t, exists(t, injected{"test/nowhere", "TestTheMapIsRead"}))
}
