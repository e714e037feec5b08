// Package archtest holds the rules of the house as tests that fail. It reads
// the source of the whole module, tests and build-tagged files included, and
// checks what a compiler cannot: that imports run downward floor by floor,
// that only internal/db knows the SQL driver, that no weak or insecure
// function is called, and that files, functions and SQL keep their shape.
//
// A rule is a function from the parsed tree to its findings; rules.go lists
// them all. Each has planted violations in planted_test.go, so that a rule
// that has stopped looking is itself a failing test.
//
// The map of the house is floors.go. A new package fails until it stands
// there; an exception to a rule stands in an allow-list beside that rule with
// the reason why.
package archtest
