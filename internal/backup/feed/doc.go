// Package feed shows a mirror what there is to copy: the files of the spool under
// the names that destinations know, and boxes, which hold what is backed up
// beside the database.
//
//	spool   00000002-9f3ac1d0/0/…17-…17-0001764179912345.ltx
//	feed    seg/000000029f3ac1d0/0/…17-…17-1764179912345
//
// What every destination has leaves the feed and stays in the spool, as long as
// that keeps it for restores on this machine. A list of what left is kept; were
// it lost, the mirror would be shown files again that its journals have.
package feed
