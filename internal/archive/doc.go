// Package archive moves what ended long ago out of the way of what sells
// today: orders in a final state with their lines, postings of the books, audit
// records. What it moves stays readable by the packages that own it, as if it
// had not been moved; on PostgreSQL it lies in a partition a month.
//
// Always: a batch is one transaction that copies and removes, so a crash leaves
// every row in exactly one place; the next walk goes on with what is left. An
// order is moved only when nothing about it is under way: no payment that is
// open or still asked about, no refund, no open case, nothing to deliver.
package archive
