// Package backups takes the power away from a disk while backups are written to
// it: between any two requests of a directory destination, and of a mirror that
// has its own state there too. What was acknowledged is there afterwards, whole,
// and what a journal claims is there.
package backups
