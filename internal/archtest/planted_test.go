package archtest

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

// doc is a package comment that passes.
const doc = "// Package p is planted. It has two sentences.\n"

// plant makes a source tree from path and text pairs.
func plant(t *testing.T, files map[string]string) *tree {
	t.Helper()
	fsys := fstest.MapFS{}
	for name, body := range files {
		fsys[name] = &fstest.MapFile{Data: []byte(body)}
	}
	source, err := load(fsys)
	require.NoError(t, err)
	return source
}

// planted is one small tree, and what its rule must say: nothing, or one
// finding a line of want, each containing that text.
type planted struct {
	name  string
	rule  string
	files map[string]string
	want  []string
}

func one(name, src string) map[string]string { return map[string]string{name: src} }

func importing(paths ...string) string {
	return doc + "package p\nimport (\n_ \"" + strings.Join(paths, "\"\n_ \"") + "\"\n)\n"
}

// TestRulesGoRed plants a violation of every rule, and beside it the nearest
// thing that is allowed.
func TestRulesGoRed(t *testing.T) {
	t.Parallel()
	red := map[string]bool{}
	cases := append(append(plantedImports(), plantedCode()...), plantedSQL()...)
	for _, c := range cases {
		red[c.rule] = red[c.rule] || len(c.want) > 0
		t.Run(c.rule+"/"+c.name, func(t *testing.T) {
			t.Parallel()
			found := ruleNamed(t, c.rule).check(plant(t, c.files))
			require.Len(t, found, len(c.want), "findings: %v", found)
			for i, want := range c.want {
				require.Contains(t, found[i].String(), want)
			}
		})
	}
	for _, r := range rules() {
		require.True(t, red[r.name], "no planted violation shows that %q can fail", r.name)
	}
}

func ruleNamed(t *testing.T, name string) rule {
	t.Helper()
	for _, r := range rules() {
		if r.name == name {
			return r
		}
	}
	t.Fatalf("no rule is named %q", name)
	return rule{}
}

// TestLoadRefusesBrokenSource: a file that does not parse must not pass as one
// without findings.
func TestLoadRefusesBrokenSource(t *testing.T) {
	t.Parallel()
	_, err := load(fstest.MapFS{"a/a.go": {Data: []byte("package a\nfunc {")}})
	require.Error(t, err)
}

// TestLoadSkips: what is no source of ours is not read.
func TestLoadSkips(t *testing.T) {
	t.Parallel()
	source := plant(t, map[string]string{
		"a/testdata/x.go": "not go", "test/browser/node_modules/y/y.go": "not go", ".tools/z.go": "not go",
		"a/a.go": "package a",
	})
	require.Len(t, source.pkgs, 1)
	require.Equal(t, "a", source.pkgs[0].path)
}

// TestAllowListsSayWhy: an exception without a reason is none.
func TestAllowListsSayWhy(t *testing.T) {
	t.Parallel()
	for _, s := range siblings() {
		require.NotEmpty(t, s.why, "%s -> %s", s.from, s.to)
		from, _ := unitOf(s.from)
		to, _ := unitOf(s.to)
		require.Equal(t, from, to, "%s and %s are no siblings", s.from, s.to)
	}
	for _, e := range bannedImportExceptions() {
		require.NotEmpty(t, e.why, "%s in %s", e.what, e.where)
	}
	for name, why := range withoutMerchant() {
		require.NotEmpty(t, why, name)
	}
}

// TestFloorsAreDisjoint: a unit stands on one floor only.
func TestFloorsAreDisjoint(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for _, f := range house() {
		for _, u := range f.units {
			require.Empty(t, seen[u], "%s stands on two floors", u)
			seen[u] = f.name
		}
	}
}
