// Package faultdest wraps a destination in one that fails on demand, in the ways
// in which real ones did: an error for each call, a time-out after the object
// was stored, success with nothing or half of it stored, listings that lag,
// deletes that are refused, no room, no answer at all. Tests and drills use it;
// nothing in a running shop does.
package faultdest
