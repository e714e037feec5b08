package archtest

import (
	"slices"
	"strings"
)

// floor is one storey of the house. Its packages may import every floor below.
type floor struct {
	name string
	// units are folders; a unit is a package with all that lies below it, and
	// inside a unit imports are free.
	units []string
}

// Names of the floors that a rule speaks of.
const (
	vocabulary = "vocabulary"
	domain     = "domain"
	edges      = "edges"
)

// house lists the floors from the lowest to the highest. A package that stands
// on none of them fails the floor rule: decide where it belongs, here.
func house() []floor {
	return []floor{
		{vocabulary, internal("errs money id clock perm invariant dataclass fault i18n durable")},
		{"platform", append(internal("db jobs cache blob monitor notify web"), "ui/console")},
		{"protection", internal("vault access audit privacy guard backup")},
		{domain, internal("catalog stock order payment delivery ledger account promotion support merchant risk")},
		{"workflows", internal("checkout archive reconcile aftersale imports demo reports check drill bulk migrate")},
		{edges, internal("storefront shopapi consoleapi partnerapi paynotify adminsock wechatpay alipay s3dest sftpdest dirdest")},
		{"composition", internal("app")},
		{"measurement", internal("bench")},
		{"top", append(internal("archtest"), "cmd/panshi", "test")},
	}
}

// sandboxRoot is a house of its own: the payment platform that we develop
// against shares nothing with the shop but the protocol.
const sandboxRoot = "sandbox"

// sandboxUsers may import the sandbox: they start it.
func sandboxUsers() []string { return []string{"internal/app", "internal/bench", "cmd/panshi", "test"} }

func internal(names string) []string {
	out := strings.Fields(names)
	for i, name := range out {
		out[i] = "internal/" + name
	}
	return out
}

// sibling is one permitted import between two units of the same floor.
type sibling struct{ from, to, why string }

// siblings is the allow-list. Keep it short: a second entry for one unit is a
// sign that something belongs a floor lower.
func siblings() []sibling {
	return []sibling{
		{"internal/jobs", "internal/db", "the outbox is rows in the shop's database, written in the caller's transaction"},
		{"internal/notify", "internal/db", "an alert is a row in the shop's database, written in the transaction of its cause"},
		{"internal/notify", "internal/jobs", "it declares its sweeps in the form that the runner takes"},
		{"internal/cache", "internal/db", "versions are rows in the shop's database, raised in the caller's transaction"},
		{"internal/access", "internal/audit", "a sign-in, a refusal and a change of roles leave a record in their own transaction"},
		{"internal/access", "internal/vault", "second-factor secrets are sealed at rest"},
		{"internal/demo", "internal/imports", "the demo shop comes in by the importers that merchants use"},
		{"internal/account", "internal/ledger", "a balance and its booking change by one call, so that nothing changes one without the other"},
		{"internal/catalog", "internal/stock", "a SKU is made together with its counter, and pages show the kept counter in the same query"},
	}
}

// unitOf finds the floor and the unit that a package path belongs to; level
// is -1 when it stands nowhere.
func unitOf(pkgPath string) (level int, unit string) {
	for i, f := range house() {
		for _, u := range f.units {
			if in(pkgPath, u) {
				return i, u
			}
		}
	}
	return -1, ""
}

func onFloor(pkgPath, name string) bool {
	level, _ := unitOf(pkgPath)
	return level >= 0 && house()[level].name == name
}

// checkFloors: every package stands on a floor, and non-test imports run
// downward. Tests may also reach sideways and up, because a fixture often
// needs a neighbour; Go itself forbids the cycles.
func checkFloors(t *tree) []finding {
	var out []finding
	for _, p := range t.pkgs {
		if in(p.path, sandboxRoot) || keepAlive(p) {
			continue
		}
		if level, _ := unitOf(p.path); level < 0 {
			out = append(out, finding{p.path, "put it on a floor (internal/archtest/floors.go)"})
			continue
		}
		for _, f := range p.files {
			if !f.test {
				out = append(out, upward(t, p.path, f)...)
			}
		}
	}
	return out
}

// upward lists the imports of one file that do not run downward.
func upward(t *tree, from string, f *file) []finding {
	var out []finding
	for _, imp := range f.imports() {
		to, ok := imp.local()
		if !ok || in(to, sandboxRoot) {
			continue
		}
		if why := refuse(from, to); why != "" {
			out = append(out, finding{t.at(imp.pos), why})
		}
	}
	return out
}

// refuse says why from must not import to, or nothing when it may.
func refuse(from, to string) string {
	fromLevel, fromUnit := unitOf(from)
	toLevel, toUnit := unitOf(to)
	switch {
	case toLevel < 0:
		return from + " imports " + to + ", which stands on no floor"
	case fromUnit == toUnit || toLevel < fromLevel:
		return ""
	case toLevel > fromLevel:
		return from + " imports " + to + " of a higher floor (" + house()[toLevel].name + "): declare it below and wire it in app"
	case mayCall(fromUnit, toUnit):
		return ""
	}
	return from + " imports its sibling " + to + ": move what both need a floor down, or give a reason in siblings()"
}

// mayCall consults the allow-list. One error type serves the whole vocabulary,
// and the platform keeps its state in the database.
func mayCall(from, to string) bool {
	if to == "internal/errs" {
		return true
	}
	return slices.ContainsFunc(siblings(), func(s sibling) bool { return s.from == from && s.to == to })
}

// keepAlive tells whether a package holds nothing but blank imports, which
// keep a requirement in go.mod before its first use.
func keepAlive(p *pkg) bool {
	if p.path != "." {
		return false
	}
	for _, f := range p.files {
		if len(f.ast.Decls) > 1 || len(f.ast.Imports) == 0 {
			return false
		}
		for _, spec := range f.ast.Imports {
			if spec.Name == nil || spec.Name.Name != "_" {
				return false
			}
		}
	}
	return true
}
