//go:build faultpoints

package torture

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"panshi/test/kit"
)

// points reads the names of all crash points out of the source.
func points(t *testing.T) []string {
	t.Helper()
	root, err := kit.Root()
	require.NoError(t, err)
	var all []string
	for _, dir := range []string{"internal", "cmd"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(path string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
			if err == nil {
				all = append(all, pointsIn(t, file)...)
			}
			return err
		})
		require.NoError(t, err)
	}
	slices.Sort(all)
	require.Len(t, slices.Compact(slices.Clone(all)), len(all), "each name stands once")
	return all
}

// pointsIn finds the calls of fault.Point in one file.
func pointsIn(t *testing.T, file *ast.File) []string {
	t.Helper()
	var names []string
	ast.Inspect(file, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		called, ok := call.Fun.(*ast.SelectorExpr)
		if !ok || called.Sel.Name != "Point" {
			return true
		}
		if pkg, ok := called.X.(*ast.Ident); !ok || pkg.Name != "fault" {
			return true
		}
		literal, ok := call.Args[0].(*ast.BasicLit)
		require.True(t, ok, "the name of a point is a literal")
		name, err := strconv.Unquote(literal.Value)
		require.NoError(t, err)
		names = append(names, name)
		return true
	})
	return names
}
