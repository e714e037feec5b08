package i18n_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"panshi/internal/i18n"
)

// TestEveryErrorCodeHasAText reads the source of the module: the code of every
// errs.New, errs.Wrap, errs.Field and errs.Error literal has a text. It finds
// literals and constants of the same file; a code that is computed it does not
// see.
func TestEveryErrorCodeHasAText(t *testing.T) {
	t.Parallel()
	texts, err := i18n.Load()
	require.NoError(t, err)
	codes := codesIn(t, filepath.Join("..", ".."))
	require.Greater(t, len(codes), 20, "the scan found hardly a code: does it still look?")
	for code, where := range codes {
		for _, lang := range i18n.Languages() {
			if !texts.Has(lang, "error."+code) {
				t.Errorf("%s: catalogues/errors.%s.json lacks %q", where, lang, "error."+code)
			}
		}
	}
}

// TestScanFindsPlantedCodes keeps the scan itself honest.
func TestScanFindsPlantedCodes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const source = `package p
import e "panshi/internal/errs"
const later = "from_const"
func f() { g := e.New
	_ = e.New(e.Invalid, "from_new", "m"); _ = e.Wrap(nil, e.Invalid, "from_wrap", "m"); _ = e.Field("field", "from_field", "m")
	_ = &e.Error{Code: "from_literal"}; _ = e.New(e.Invalid, later, "m"); _ = other.New(1, "not_ours", "m"); _ = g }`
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a.go"), []byte(source), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a_test.go"), []byte(source[:len(source)-2]+`; _ = e.New(e.Invalid, "from_test", "m") }`), 0o600))
	codes := codesIn(t, dir)
	require.Len(t, codes, 5)
	for _, want := range []string{"from_new", "from_wrap", "from_field", "from_literal", "from_const"} {
		require.Contains(t, codes, want)
	}
}

// codesIn maps each code under root to one place where it stands.
func codesIn(t *testing.T, root string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name := d.Name(); name == "node_modules" || name == "testdata" || name == "errs" || strings.HasPrefix(name, ".") && name != ".." {
				return filepath.SkipDir
			}
			return nil
		}
		if strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") {
			scan(path, out)
		}
		return nil
	})
	require.NoError(t, err)
	return out
}

// scan reads one file; one that does not parse is the compiler's business.
func scan(path string, out map[string]string) {
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, path, nil, 0)
	if err != nil {
		return
	}
	name := errsName(file)
	if name == "" {
		return
	}
	consts := constants(file)
	note := func(e ast.Expr) {
		if code := literal(e, consts); code != "" {
			out[code] = files.Position(e.Pos()).String()
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			at := map[string]int{"New": 1, "Wrap": 2, "Field": 1}
			if i, ok := at[member(n.Fun, name)]; ok && i < len(n.Args) {
				note(n.Args[i])
			}
		case *ast.CompositeLit:
			if member(n.Type, name) == "Error" {
				for _, e := range n.Elts {
					if kv, ok := e.(*ast.KeyValueExpr); ok && isIdent(kv.Key, "Code") {
						note(kv.Value)
					}
				}
			}
		}
		return true
	})
}

// errsName is how file calls package errs, "" if it does not.
func errsName(file *ast.File) string {
	for _, imp := range file.Imports {
		if path, _ := strconv.Unquote(imp.Path.Value); path == "panshi/internal/errs" {
			if imp.Name != nil {
				return imp.Name.Name
			}
			return "errs"
		}
	}
	return ""
}

// member gives M of pkg.M.
func member(e ast.Expr, pkg string) string {
	if sel, ok := e.(*ast.SelectorExpr); ok && isIdent(sel.X, pkg) {
		return sel.Sel.Name
	}
	return ""
}

func isIdent(e ast.Expr, name string) bool {
	id, ok := e.(*ast.Ident)
	return ok && id.Name == name
}

// constants maps the string constants of a file.
func constants(file *ast.File) map[string]string {
	out := map[string]string{}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		for i, name := range spec.Names {
			if i < len(spec.Values) {
				if text := literal(spec.Values[i], nil); text != "" {
					out[name.Name] = text
				}
			}
		}
		return true
	})
	return out
}

func literal(e ast.Expr, consts map[string]string) string {
	switch e := e.(type) {
	case *ast.BasicLit:
		if e.Kind == token.STRING {
			text, _ := strconv.Unquote(e.Value)
			return text
		}
	case *ast.Ident:
		return consts[e.Name]
	}
	return ""
}
