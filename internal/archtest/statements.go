package archtest

import (
	"go/ast"
	"go/token"
	"io/fs"
	"strconv"
	"strings"
)

// Statement is one SQL text of the program with its constants filled in.
type Statement struct {
	Where string // file:line
	Text  string // blanks are single; a zero byte where a part is known only at run time
}

// ForUpdate ends, on PostgreSQL only, statements that end in tx.ForUpdate().
const ForUpdate = " FOR NO KEY UPDATE"

// Statements lists what the program below root prepares, except the engines'
// own.
func Statements(root fs.FS) ([]Statement, error) {
	t, err := load(root)
	if err != nil {
		return nil, err
	}
	var out []Statement
	for _, p := range t.pkgs {
		if !in(p.path, "internal") || in(p.path, "internal/archtest") || in(p.path, "internal/db") && p.path != "internal/db" {
			continue
		}
		known := constants(p)
		for _, f := range p.files {
			if !f.test {
				out = append(out, statementsOf(t, f, known)...)
			}
		}
	}
	return out, nil
}

func statementsOf(t *tree, f *file, known map[string]string) (out []Statement) {
	shapes := newShapes()
	ast.Inspect(f.ast, func(n ast.Node) bool {
		e, ok := n.(ast.Expr)
		if _, lit := n.(*ast.BasicLit); !ok || !lit && !isSum(n) {
			return true
		}
		if text := fill(e, known); shapes.statement.MatchString(text) {
			if strings.Count(text, "(") != strings.Count(text, ")") || strings.HasSuffix(Squeeze(text), "VALUES") {
				text += gap // the rest is appended
			}
			out = append(out, Statement{t.at(e.Pos()), Squeeze(text)})
		}
		return false
	})
	return out
}

func isSum(n ast.Node) bool {
	b, ok := n.(*ast.BinaryExpr)
	return ok && b.Op == token.ADD
}

// Squeeze makes blanks single.
func Squeeze(text string) string { return strings.Join(strings.Fields(text), " ") }

// constants are the texts that a package names. A name that stands for two
// texts, in two functions, stands for none.
func constants(p *pkg) map[string]string {
	exprs := map[string][]ast.Expr{}
	for _, f := range p.files {
		ast.Inspect(f.ast, func(n ast.Node) bool {
			if d, ok := n.(*ast.GenDecl); ok && d.Tok == token.CONST && !f.test {
				collect(d, exprs)
			}
			return true
		})
	}
	known := map[string]string{}
	for range 3 { // constants of constants
		for name, all := range exprs {
			if text := fill(all[0], known); len(all) == 1 && !strings.Contains(text, gap) {
				known[name] = text
			}
		}
	}
	return known
}

func collect(d *ast.GenDecl, exprs map[string][]ast.Expr) {
	for _, s := range d.Specs {
		v, ok := s.(*ast.ValueSpec)
		for i := 0; ok && i < len(v.Values); i++ {
			exprs[v.Names[i].Name] = append(exprs[v.Names[i].Name], v.Values[i])
		}
	}
}

// fill is flatten with the constants that are known, and with the ending that
// Tx.ForUpdate has on PostgreSQL.
func fill(e ast.Expr, known map[string]string) string {
	switch e := e.(type) {
	case *ast.BasicLit:
		if value, err := strconv.Unquote(e.Value); err == nil && e.Kind == token.STRING {
			return value
		}
	case *ast.BinaryExpr:
		if e.Op == token.ADD {
			return fill(e.X, known) + fill(e.Y, known)
		}
	case *ast.ParenExpr:
		return fill(e.X, known)
	case *ast.Ident:
		if text, ok := known[e.Name]; ok {
			return text
		}
	case *ast.CallExpr:
		if sel, ok := e.Fun.(*ast.SelectorExpr); ok && sel.Sel.Name == "ForUpdate" && len(e.Args) == 0 {
			return ForUpdate
		}
	}
	return gap
}

// Dynamic tells that a part of the text is known only at run time.
func (s Statement) Dynamic() bool { return strings.Contains(s.Text, strings.TrimSpace(gap)) }

// Made tells whether a statement that ran was put together from the text.
func (s Statement) Made(ran string) bool {
	for i, part := range strings.Split(s.Text, strings.TrimSpace(gap)) {
		at := strings.Index(ran, strings.TrimSpace(part))
		if at < 0 || i == 0 && at > 0 {
			return false
		}
		ran = ran[at+len(strings.TrimSpace(part)):]
	}
	return true
}
