package archtest

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"strconv"
	"strings"
)

// module is the import path of this module, as go.mod names it.
const module = "panshi"

// tree is the parsed source that every rule reads.
type tree struct {
	fset *token.FileSet
	pkgs []*pkg    // in path order
	sql  []sqlFile // every .sql file, in path order
	// gomod and weighed are the texts of go.mod and of the list of dependencies.
	gomod, weighed string
}

// pkg is one folder of Go files. In-package and external tests belong to it.
type pkg struct {
	path  string // slash-separated, relative to the module root; "." is the root
	files []*file
}

// file is one parsed Go file.
type file struct {
	path  string // relative to the module root
	ast   *ast.File
	test  bool // name ends in _test.go
	gen   bool // carries the "Code generated" marker
	lines int
}

// sqlFile is the text of one .sql file.
type sqlFile struct {
	path string
	text string
}

// finding is one broken rule at one place.
type finding struct {
	where string // file:line, or a package path
	what  string
}

// String gives the one-line form that a failing test prints.
func (f finding) String() string { return f.where + ": " + f.what }

// load parses every .go and .sql file below root, whatever its build tags.
// Folders that are no part of the source (testdata, node_modules, hidden and
// underscored ones, build output) are skipped. A file that does not parse is
// an error.
func load(root fs.FS) (*tree, error) {
	t := &tree{fset: token.NewFileSet()}
	byDir := map[string]*pkg{}
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if skipDir(name) {
				return fs.SkipDir
			}
			return nil
		}
		return t.add(root, name, byDir)
	})
	if err != nil {
		return nil, fmt.Errorf("read the source tree: %w", err)
	}
	return t, nil
}

func skipDir(name string) bool {
	base := path.Base(name)
	switch base {
	case "testdata", "node_modules", "vendor", "bin", "dist":
		return true
	}
	return name != "." && (strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_"))
}

// add reads one file into the tree when it is Go, SQL or a text that a rule names.
func (t *tree) add(root fs.FS, name string, byDir map[string]*pkg) error {
	if path.Ext(name) == ".go" {
		return t.addGo(root, name, byDir)
	}
	if path.Ext(name) != ".sql" && name != gomodFile && name != weighedFile {
		return nil
	}
	text, err := fs.ReadFile(root, name)
	switch name {
	case gomodFile:
		t.gomod = string(text)
	case weighedFile:
		t.weighed = string(text)
	default:
		t.sql = append(t.sql, sqlFile{path: name, text: string(text)})
	}
	return err
}

func (t *tree) addGo(root fs.FS, name string, byDir map[string]*pkg) error {
	src, err := fs.ReadFile(root, name)
	if err != nil {
		return err
	}
	parsed, err := parser.ParseFile(t.fset, name, src, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	dir := path.Dir(name)
	p := byDir[dir]
	if p == nil {
		p = &pkg{path: dir}
		byDir[dir] = p
		t.pkgs = append(t.pkgs, p)
	}
	p.files = append(p.files, &file{
		path:  name,
		ast:   parsed,
		test:  strings.HasSuffix(name, "_test.go"),
		gen:   ast.IsGenerated(parsed),
		lines: bytes.Count(src, []byte("\n")),
	})
	return nil
}

// at is the file:line form of a position.
func (t *tree) at(pos token.Pos) string {
	p := t.fset.Position(pos)
	return p.Filename + ":" + strconv.Itoa(p.Line)
}

// each calls visit for every Go file of the tree with its package.
func (t *tree) each(visit func(*pkg, *file)) {
	for _, p := range t.pkgs {
		for _, f := range p.files {
			visit(p, f)
		}
	}
}

// imports lists the import paths of a file with their positions.
func (f *file) imports() []imported {
	var out []imported
	for _, spec := range f.ast.Imports {
		name, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			continue
		}
		out = append(out, imported{path: name, pos: spec.Pos()})
	}
	return out
}

// imported is one import of a file.
type imported struct {
	path string
	pos  token.Pos
}

// local is the path relative to the module root of an import of this module.
func (i imported) local() (string, bool) {
	if i.path == module {
		return ".", true
	}
	return strings.CutPrefix(i.path, module+"/")
}

// std tells whether the import is of the standard library, whose first path
// element never has a dot.
func (i imported) std() bool {
	first, _, _ := strings.Cut(i.path, "/")
	return first != module && !strings.Contains(first, ".")
}

// in tells whether a package path is the folder root or lies below it.
func in(pkgPath, root string) bool {
	return pkgPath == root || strings.HasPrefix(pkgPath, root+"/")
}

// inAny tells whether a package path lies in one of the roots.
func inAny(pkgPath string, roots []string) bool {
	for _, root := range roots {
		if in(pkgPath, root) {
			return true
		}
	}
	return false
}
