// Package transfer copies all rows of a shop from one database into an empty
// one of either engine, and proves that they are the same.
//
//	Begin    the source is marked "moving": it refuses to be served from here
//	         on. The destination gets the package's own table, and refuses too
//	Copy     table by table, each behind those it refers to, in the order of
//	         the primary key; how far a table came is written in the
//	         transaction that writes its rows
//	Verify   both sides are read anew and compared row by row: counts, sums of
//	         integer columns, SHA-256 over all rows
//	Finish   the source becomes "moved", then the destination's table goes:
//	         from here on it is the shop
//
// A process that ends anywhere leaves a move that goes on when it is begun
// again, at the row where it stopped. At no instant can both sides be served.
//
// Tables and columns come from the database itself, so that a table of a later
// migration is moved without a word here; a type that is none of the three that
// the shop uses is an error, never a guess. The rows are compared in bytes:
// both engines order keys the same way, because text compares by bytes on both.
//
// Nobody may write to either side meanwhile. The caller sees to that; if it
// happens all the same, Verify finds it.
package transfer
