// Package restore brings a database back from a spool, or from a copy of one,
// at its newest state or as it was at some time.
//
//	plan    which files, from a whole copy on, without a gap
//	prove   every one of them is read to its end, before anything is written
//	apply   into a new file, synced
//
// # Invariants
//
//   - What exists is never touched: the database is made, never replaced.
//   - A gap, or a file that is damaged, missing or not what its name says, ends
//     the restore with an error that names it. There is no partial success.
//   - The files themselves are only read.
package restore
