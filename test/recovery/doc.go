// Package recovery holds the tests that nothing is lost: failures that others met
// are injected, random moments are brought back, every byte of a destination is
// changed in turn. docs/recovery-proof.md is its map and holds its figures; a
// test here compares the two.
package recovery
