// Package torture kills the shop and looks whether it kept its promises: at
// random moments under load, and, in a build with the tag faultpoints, at every
// point between two steps that must be atomic or resumable.
//
// PANSHI_TORTURE=long runs the long forms, PANSHI_SEED=n repeats a run.
package torture
