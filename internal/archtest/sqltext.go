package archtest

import (
	"go/ast"
	"go/token"
	"regexp"
	"strconv"
	"strings"
)

// gap stands for the parts of a concatenation that are not literals.
const gap = " \x00 "

// text is one string of a file: a literal, or a concatenation with literals.
type text struct {
	value   string
	dynamic bool // has parts that are known only at run time
	pos     token.Pos
}

// texts lists the strings of a file. A concatenation is one text.
func texts(f *file) []text {
	var out []text
	ast.Inspect(f.ast, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ImportSpec:
			return false
		case *ast.BinaryExpr:
			if n.Op != token.ADD {
				return true
			}
			value := flatten(n)
			out = append(out, text{value, strings.Contains(value, gap), n.Pos()})
			return false
		case *ast.BasicLit:
			if n.Kind == token.STRING {
				out = append(out, text{value: flatten(n), pos: n.Pos()})
			}
		}
		return true
	})
	return out
}

// flatten gives the text of an expression, with a gap for what is no literal.
func flatten(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.BasicLit:
		if value, err := strconv.Unquote(e.Value); err == nil && e.Kind == token.STRING {
			return value
		}
	case *ast.BinaryExpr:
		if e.Op == token.ADD {
			return flatten(e.X) + flatten(e.Y)
		}
	case *ast.ParenExpr:
		return flatten(e.X)
	}
	return gap
}

// sqlShapes are the patterns by which text is known to be SQL. Statements are
// in one case throughout, so that "Select a product from the list" is none.
type sqlShapes struct {
	statement *regexp.Regexp // begins like a whole statement
	fragment  *regexp.Regexp // has a keyword of SQL in capitals
	param     *regexp.Regexp // $1, $2
}

func newShapes() sqlShapes {
	return sqlShapes{
		statement: regexp.MustCompile(`(?s)^\s*(` + strings.Join([]string{
			`(SELECT|select)\s.+\s(FROM|from)\s`,
			`(SELECT|select)\s+(1|COUNT|count|COALESCE|coalesce|EXISTS|exists)\b`,
			`(INSERT|insert)\s+((OR|or)\s+\w+\s+)?(INTO|into)\s`,
			`(UPDATE|update)\s+\S+\s+(SET|set)\s`,
			`(DELETE|delete)\s+(FROM|from)\s`,
			`(WITH|with)\s+\S+(\s*\([^)]*\))?\s+(AS|as)\s`,
		}, "|") + `)`),
		fragment: regexp.MustCompile(`\b(SELECT|INSERT|UPDATE|DELETE|FROM|WHERE|SET|VALUES|AND|OR|RETURNING|LIMIT|OFFSET|JOIN|ON|IN)\b`),
		param:    regexp.MustCompile(`\$(\d+)`),
	}
}

// verb matches text that begins with an SQL verb in capitals, however it goes on.
func verb() *regexp.Regexp {
	return regexp.MustCompile(`^\s*(SELECT|INSERT|UPDATE|DELETE|REPLACE INTO|CREATE TABLE|ALTER TABLE|DROP TABLE|PRAGMA)\s`)
}

// checkEdgesHoldNoSQL: edges translate; what they need from the database is a
// method of a package below.
func checkEdgesHoldNoSQL(t *tree) []finding {
	shapes, capitals := newShapes(), verb()
	var out []finding
	t.each(func(p *pkg, f *file) {
		if f.test || !onFloor(p.path, edges) {
			return
		}
		for _, s := range texts(f) {
			if shapes.statement.MatchString(s.value) || capitals.MatchString(s.value) {
				out = append(out, finding{t.at(s.pos), "SQL in an edge: ask the package that owns the table"})
			}
		}
	})
	return out
}

// misorderedOnPurpose are the tests that need broken statements.
func misorderedOnPurpose() []exception {
	return []exception{
		{"internal/archtest", "", "the planted violations"},
		{"internal/db/sqlite/internal_test.go", "", "shows that the door refuses them at run time too"},
	}
}

// checkParamOrder: SQLite numbers $n by first appearance, whatever n is, so
// $2 before $1 binds the wrong value without an error.
func checkParamOrder(t *tree) []finding {
	shapes := newShapes()
	var out []finding
	t.each(func(p *pkg, f *file) {
		if excused(misorderedOnPurpose(), f, p.path, "") {
			return
		}
		for _, s := range texts(f) {
			if why := shapes.misordered(s.value, s.dynamic); why != "" {
				out = append(out, finding{t.at(s.pos), why})
			}
		}
	})
	for _, file := range t.sql {
		for _, statement := range strings.Split(stripComments(file.text), ";") {
			if why := shapes.misordered(statement, false); why != "" {
				out = append(out, finding{file.path, why})
			}
		}
	}
	return out
}

// misordered says what is wrong with the placeholders of one text. A whole
// statement counts 1, 2, 3; a fragment, or a statement with parts from
// elsewhere, may begin later or leave some out, but still ascends.
func (s sqlShapes) misordered(sql string, dynamic bool) string {
	if !s.fragment.MatchString(sql) {
		return ""
	}
	whole := !dynamic && s.statement.MatchString(sql)
	last, seen := 0, map[int]bool{}
	for _, m := range s.param.FindAllStringSubmatch(sql, -1) {
		n, err := strconv.Atoi(m[1])
		switch {
		case err != nil || seen[n]:
			continue
		case n < last:
			return "$" + m[1] + " appears first after $" + strconv.Itoa(last) + ": number by first appearance, other drivers misbind silently"
		case whole && n != last+1:
			return "$" + m[1] + " follows $" + strconv.Itoa(last) + ": a number left out misbinds silently"
		}
		last, seen[n] = n, true
	}
	return ""
}
