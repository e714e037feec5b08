// Package merchant owns the merchants of a Panshi server: who they are, under
// which host name their shop answers, and what is printed over its door.
//
// Invariants: exactly one merchant is the default; slugs and non-empty hosts
// are unique.
package merchant
