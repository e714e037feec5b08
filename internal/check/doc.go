// Package check runs the invariants that every domain package declares, one
// named query each, on a live shop. It reads, it never mends: a violation is a
// fact for a person.
package check
