package archtest

import (
	"fmt"
	"go/ast"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of the shape of code (DESIGN.md, rule 18).
const (
	maxFileLines   = 400
	maxMedianLines = 12
	maxP90Lines    = 45
	// minSentences keeps "Package x does x." from passing as documentation.
	minSentences = 2
)

// checkPackageDocs: every package says what it owns. One file of the package
// carries the comment; only test code may do so in a test file.
func checkPackageDocs(t *tree) []finding {
	var out []finding
	for _, p := range t.pkgs {
		if keepAlive(p) {
			continue
		}
		if n := sentences(packageDoc(p)); n < minSentences {
			out = append(out, finding{p.path, fmt.Sprintf("package comment has %d sentences, wants %d: what it owns and what holds", n, minSentences)})
		}
	}
	return out
}

// packageDoc is the longest package comment of the files of a package.
func packageDoc(p *pkg) string {
	onlyTests := !slices.ContainsFunc(p.files, func(f *file) bool { return !f.test })
	doc := ""
	for _, f := range p.files {
		if f.ast.Doc == nil || f.test && !onlyTests {
			continue
		}
		if text := f.ast.Doc.Text(); len(text) > len(doc) {
			doc = text
		}
	}
	return doc
}

// sentences counts full stops, question and exclamation marks that end one:
// space or the end follows. A stop inside a name ("db.Update") does not count.
// A colon before a diagram or a list of its own ends one too.
func sentences(text string) int {
	n := 0
	for i, r := range text {
		switch r {
		case '。', '？', '！':
			n++
		case ':':
			if strings.HasPrefix(text[i+1:], "\n\n") {
				n++
			}
		case '.', '?', '!':
			next, size := utf8.DecodeRuneInString(text[i+1:])
			if size == 0 || unicode.IsSpace(next) || next == ')' {
				n++
			}
		}
	}
	return n
}

// checkFileLength: a file longer than a person reads in one go is two files.
func checkFileLength(t *tree) []finding {
	var out []finding
	t.each(func(_ *pkg, f *file) {
		if !f.gen && f.lines > maxFileLines {
			out = append(out, finding{f.path, fmt.Sprintf("%d lines, at most %d", f.lines, maxFileLines)})
		}
	})
	return out
}

// measured is the length of one function.
type measured struct {
	where, name string
	lines       int
}

// checkFuncLength holds the median and the ninetieth percentile of all
// functions outside tests. On failure it names the longest ones. The hard
// limit for a single function is the linter's (funlen).
func checkFuncLength(t *tree) []finding {
	all := measure(t)
	if len(all) == 0 {
		return nil
	}
	median, p90 := all[len(all)/2].lines, all[len(all)*9/10].lines
	if median <= maxMedianLines && p90 <= maxP90Lines {
		return nil
	}
	out := []finding{{module, fmt.Sprintf("functions: median %d lines (at most %d), p90 %d (at most %d); the longest:", median, maxMedianLines, p90, maxP90Lines)}}
	for i := len(all) - 1; i >= 0 && len(out) <= 20; i-- {
		out = append(out, finding{all[i].where, fmt.Sprintf("%s: %d lines", all[i].name, all[i].lines)})
	}
	return out
}

// measure lists the functions outside tests, shortest first. The length is
// the lines between the braces; a function of one line has one.
func measure(t *tree) []measured {
	var out []measured
	t.each(func(_ *pkg, f *file) {
		if f.test || f.gen {
			return
		}
		for _, decl := range f.ast.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			if !ok || fn.Body == nil {
				continue
			}
			first, last := t.fset.Position(fn.Body.Lbrace).Line, t.fset.Position(fn.Body.Rbrace).Line
			out = append(out, measured{t.at(fn.Pos()), fn.Name.Name, max(1, last-first-1)})
		}
	})
	slices.SortFunc(out, func(a, b measured) int {
		if a.lines != b.lines {
			return a.lines - b.lines
		}
		return strings.Compare(a.where, b.where)
	})
	return out
}
