// Package pgrestore brings a PostgreSQL server back from a spool, or from a copy
// of one, as it was at its newest moment or at another.
//
//	plan     a base, and the log from there on, without a gap, to the moment
//	prove    every file is read to its end, and is what its name says
//	apply    a new data directory: the base, and the log in files of the server's size
//	replay   a server of our own, reachable by nobody else, recovers to the moment
//
// # Invariants
//
//   - What exists is never touched: the data directory is made, never replaced.
//   - A gap, or a file that is damaged, missing or not what its name says, ends the
//     restore with its name.
//   - Recovery that ends before the log does is no success, though the server
//     says so: where it stopped is compared with what the files have.
package pgrestore
