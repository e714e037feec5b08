package archtest

import (
	"regexp"
	"slices"
	"strings"
)

// The two files that have to agree about what we depend on.
const (
	gomodFile   = "go.mod"
	weighedFile = "docs/decisions/dependencies.md"
)

// checkDependencies: each direct requirement has a line that says what it is
// for and what else was weighed, and no line is left of one that has gone
// altogether (one that others still require may come back).
func checkDependencies(t *tree) []finding {
	direct, all := requirements(t.gomod)
	listed := map[string]bool{}
	var out []finding
	for _, name := range listedRequirements(t.weighed) {
		listed[name] = true
		if !slices.Contains(all, name) {
			out = append(out, finding{weighedFile, name + " is no requirement of go.mod any more"})
		}
	}
	for _, name := range direct {
		if !listed[name] {
			out = append(out, finding{gomodFile, name + " has no line in " + weighedFile})
		}
	}
	return out
}

// requirements lists the modules of go.mod: those that code of ours imports,
// and all of them.
func requirements(gomod string) (direct, all []string) {
	line := regexp.MustCompile(`(?m)^(?:require\s+|\t)([^\s()]+) v\S+[ \t]*(//.*)?$`)
	for _, m := range line.FindAllStringSubmatch(gomod, -1) {
		all = append(all, m[1])
		if !strings.Contains(m[2], "indirect") {
			direct = append(direct, m[1])
		}
	}
	return direct, all
}

// listedRequirements lists the module paths in the first cells of the tables.
// Paths of modules have a dot in their first element; npm packages have none.
func listedRequirements(doc string) []string {
	quoted := regexp.MustCompile("`([\\w-]+\\.[^`/]+/[^`]+)`")
	var out []string
	for _, line := range strings.Split(doc, "\n") {
		cells := strings.Split(line, "|")
		if len(cells) < 3 {
			continue
		}
		for _, m := range quoted.FindAllStringSubmatch(cells[1], -1) {
			out = append(out, m[1])
		}
	}
	return out
}
