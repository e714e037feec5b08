package archtest

import (
	"path"
	"regexp"
	"strings"
)

// table is one CREATE TABLE statement.
type table struct {
	name string // unquoted, lower case
	body string // between the outer parentheses
	tail string // after them, up to the semicolon, upper case
	file string
}

// tables lists the CREATE TABLE statements of a migration.
func tables(f sqlFile) []table {
	sql := stripComments(f.text)
	head := regexp.MustCompile(`(?i)\bcreate\s+(?:temp\s+|temporary\s+)?table\s+(?:if\s+not\s+exists\s+)?("?[\w.]+"?)\s*\(`)
	var out []table
	for _, m := range head.FindAllStringSubmatchIndex(sql, -1) {
		end := closing(sql, m[1]-1)
		tail, _, _ := strings.Cut(sql[min(end+1, len(sql)):], ";")
		out = append(out, table{
			name: strings.ToLower(strings.Trim(sql[m[2]:m[3]], `"`)),
			body: sql[m[1]:end],
			tail: strings.ToUpper(tail),
			file: f.path,
		})
	}
	return out
}

// closing finds the parenthesis that closes the one at open, or the end.
func closing(sql string, open int) int {
	depth, quoted := 0, false
	for i := open; i < len(sql); i++ {
		switch c := sql[i]; {
		case c == '\'':
			quoted = !quoted
		case quoted:
		case c == '(':
			depth++
		case c == ')':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return len(sql)
}

// stripComments blanks comments, so that a semicolon or a keyword in one
// means nothing. Quoted text is left as it is.
func stripComments(sql string) string {
	comment := regexp.MustCompile(`(?s)'[^']*'|--[^\n]*|/\*.*?\*/`)
	return comment.ReplaceAllStringFunc(sql, func(s string) string {
		if strings.HasPrefix(s, "'") {
			return s
		}
		return " "
	})
}

// migrations lists the tables that the migrations below a folder make.
func migrations(t *tree, under string) []table {
	var out []table
	for _, f := range t.sql {
		if path.Base(path.Dir(f.path)) == "migrations" && in(f.path, under) {
			out = append(out, tables(f)...)
		}
	}
	return out
}

// checkStrict: without STRICT SQLite keeps text in an integer column and says
// nothing. The tables of the log shipper are its own.
func checkStrict(t *tree) []finding {
	strict := regexp.MustCompile(`\bSTRICT\b`)
	var out []finding
	for _, tab := range migrations(t, "internal/db/sqlite") {
		if !strings.HasPrefix(tab.name, "_litestream_") && !strict.MatchString(tab.tail) {
			out = append(out, finding{tab.file, "table " + tab.name + " is not STRICT"})
		}
	}
	return out
}

// withoutMerchant are the tables that belong to the whole installation.
func withoutMerchant() map[string]string {
	return map[string]string{
		"merchants":        "its own id is the merchant's",
		"leases":           "a lease elects one process of the installation",
		"goose_db_version": "the history of migrations",
	}
}

// checkMerchantID: every other table says whose row it is, from the first
// migration on.
func checkMerchantID(t *tree) []finding {
	column := regexp.MustCompile(`(?i)\bmerchant_id\b`)
	var out []finding
	for _, tab := range migrations(t, "internal/db") {
		if withoutMerchant()[tab.name] == "" && !strings.HasPrefix(tab.name, "_litestream_") && !column.MatchString(tab.body) {
			out = append(out, finding{tab.file, "table " + tab.name + " has no merchant_id"})
		}
	}
	return out
}
