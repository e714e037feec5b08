// Package e2e looks at the whole program from outside, over HTTP and by its
// commands. It owns the promises to buyers and merchants, a test each; nothing
// in it knows how they are kept.
package e2e
