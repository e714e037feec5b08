// Package fault names the points between any two steps that must be atomic or
// resumable. In a normal build a point is nothing; in a build with the tag
// `faultpoints` the process kills itself at the point that the environment
// names, so that a test can crash a real shop at each of them.
package fault
