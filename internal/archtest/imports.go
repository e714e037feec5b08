package archtest

import "strings"

// exception lets one folder off one rule.
type exception struct{ where, what, why string }

// excused tells whether a package, or the file itself, is excused from what.
func excused(list []exception, f *file, pkgPath, what string) bool {
	for _, e := range list {
		if e.what == what && (in(pkgPath, e.where) || f.path == e.where) {
			return true
		}
	}
	return false
}

// ban is an import that is forbidden, by exact path or, when it ends in "/",
// with all that lies below it.
type ban struct{ path, why string }

func (b ban) hits(importPath string) bool {
	if prefix, tree := strings.CutSuffix(b.path, "/"); tree {
		return in(importPath, prefix)
	}
	return importPath == b.path
}

// everywhere lists imports that no file may have, tests included.
func everywhere() []ban {
	return []ban{
		{"math/rand/", "crypto/rand only: a guessable order number or token is money"},
		{"crypto/md5", "MD5 is broken; use SHA-256 or the vault"},
		{"crypto/sha1", "SHA-1 is broken; use SHA-256 or the vault"},
		{"database/sql", "only internal/db knows the driver and opens transactions"},
		{"database/sql/driver", "only internal/db knows the driver"},
		{"modernc.org/", "only internal/db knows the driver: one copy in the process"},
		{"github.com/jackc/pgx/", "only internal/db knows the driver"},
		{"github.com/pressly/goose/", "only internal/db migrates"},
	}
}

// bannedImportExceptions are the places that a forbidden import belongs to.
func bannedImportExceptions() []exception {
	return []exception{
		{"internal/db", "database/sql", "the home of the driver"},
		{"internal/db", "database/sql/driver", "the home of the driver"},
		{"internal/id", "database/sql/driver", "an id names driver.Value to say how it is stored, and opens nothing"},
		{"internal/db", "modernc.org/", "the home of the driver"},
		{"internal/db", "github.com/jackc/pgx/", "the home of the driver"},
		{"internal/db", "github.com/pressly/goose/", "the home of the migrations"},
		{"internal/wechatpay", "crypto/sha1", "the platform tells the digest of a bill by SHA-1, in an answer that it signs (controls C37)"},
		{"internal/alipay", "crypto/md5", "the platform names its certificates by MD5; nothing rests on it (controls C37)"},
		{"sandbox", "crypto/md5", "Alipay names its certificates by MD5"},
		{"sandbox", "crypto/sha1", "WeChat Pay tells the digest of a bill by SHA-1"},
		{"test", "math/rand/", "a printed seed replays a run; nothing here guards anything"},
	}
}

// checkBannedImports: weak randomness, broken hashes, and drivers outside db.
func checkBannedImports(t *tree) []finding {
	var out []finding
	t.each(func(p *pkg, f *file) {
		if keepAlive(p) {
			return
		}
		for _, imp := range f.imports() {
			for _, b := range everywhere() {
				if b.hits(imp.path) && !excused(bannedImportExceptions(), f, p.path, b.path) {
					out = append(out, finding{t.at(imp.pos), imp.path + ": " + b.why})
				}
			}
		}
	})
	return out
}

// checkVocabulary: the lowest floor needs nothing but the standard library,
// so that everything can afford it.
func checkVocabulary(t *tree) []finding {
	return forEachImport(t, vocabulary, func(imp imported) string {
		if _, local := imp.local(); local || imp.std() {
			return ""
		}
		return "vocabulary uses the standard library only, not " + imp.path
	})
}

// checkDomainPure: domain packages decide; they neither speak HTTP nor know a
// driver. (database/sql itself is refused to all by checkBannedImports.)
func checkDomainPure(t *tree) []finding {
	banned := []ban{
		{"net/http/", "domain packages do not speak HTTP"},
		{"os/exec", "domain packages start no programs"},
	}
	return forEachImport(t, domain, func(imp imported) string {
		for _, b := range banned {
			if b.hits(imp.path) {
				return imp.path + ": " + b.why
			}
		}
		return ""
	})
}

// checkCheckIsBlind: check runs what others declare, so it must not know them.
func checkCheckIsBlind(t *tree) []finding {
	may := append(house()[0].units, "internal/check", "internal/db", "internal/audit")
	var out []finding
	t.each(func(p *pkg, f *file) {
		if f.test || !in(p.path, "internal/check") {
			return
		}
		for _, imp := range f.imports() {
			if to, local := imp.local(); local && !inAny(to, may) {
				out = append(out, finding{t.at(imp.pos), "check gets " + to + " from app as declared invariants"})
			}
		}
	})
	return out
}

// checkSandbox: the payment platform and its client are written apart, so that
// a mistake in one is not repeated in the other and hidden.
func checkSandbox(t *tree) []finding {
	var out []finding
	t.each(func(p *pkg, f *file) {
		for _, imp := range f.imports() {
			if why := sandboxRefuses(p.path, f, imp); why != "" {
				out = append(out, finding{t.at(imp.pos), why})
			}
		}
	})
	return out
}

// sandboxRefuses judges one import. Tests outside the sandbox may start it.
func sandboxRefuses(from string, f *file, imp imported) string {
	to, local := imp.local()
	if !local {
		return ""
	}
	if in(from, sandboxRoot) {
		if in(to, sandboxRoot) {
			return ""
		}
		return "sandbox is independent code and must not import " + to
	}
	if in(to, sandboxRoot) && !f.test && !inAny(from, sandboxUsers()) {
		return from + " must not import the sandbox; it reaches it over HTTP"
	}
	return ""
}

// forEachImport judges the non-test imports of one floor.
func forEachImport(t *tree, floorName string, judge func(imported) string) []finding {
	var out []finding
	t.each(func(p *pkg, f *file) {
		if f.test || !onFloor(p.path, floorName) {
			return
		}
		for _, imp := range f.imports() {
			if why := judge(imp); why != "" {
				out = append(out, finding{t.at(imp.pos), why})
			}
		}
	})
	return out
}
