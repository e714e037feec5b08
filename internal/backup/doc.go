// Package backup keeps the shop's data in more places than one. Its parts:
//
//	spool    the immutable, encrypted files that everything else copies and reads
//	ship     the live SQLite database, every second, into the spool
//	restore  a spool, or a copy of one, back into a data directory
//
// # Invariants
//
//   - A file of the spool never changes: it is whole and on disk under its name,
//     or it is not there.
//   - A generation is one unbroken chain of transactions of one database file.
//     Whenever the chain cannot be proved to go on, a new generation begins with
//     a full copy; an old one is never written to again.
//   - Nothing is restored over a gap, or from a file that does not prove to be
//     the one that its name says.
package backup
