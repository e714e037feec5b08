// Package pgwal is the form in which a PostgreSQL server's history lies in a
// spool: pieces of its write-ahead log, and copies of the whole server (bases).
//
// A spool counts transactions; here they are bytes of the log. A piece with the
// log from position A to position B is the file of A+1 to B, so that what follows
// each other has no gap. A base is a whole file (from 1) to the beginning of the
// segment in which recovery begins: a restore goes on from there.
//
//	PGW1 gzip( head, data..., [manifest...], end )     each a frame: kind, length, bytes
//
// # Invariants
//
//   - A file says of itself what it is: server, timeline, positions. What it says
//     and its name agree, or it is damaged.
//   - A file without its last frame is damaged: it was never whole.
package pgwal
