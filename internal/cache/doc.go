// Package cache keeps answers that many callers get, ready to send, and knows
// when they are no longer true. It owns the versions: for each merchant a
// number that every transaction which changes what pages and lists show raises
// by BumpTx, in that same transaction.
//
//	changing transaction: rows, BumpTx ── commit ──▶ message ──▶ Versions looks ──▶ entries of the
//	                                                 (hint)      (also every 250 ms)   merchant are stale
//
//	entry: absent ── one load, all who ask wait for it ──▶ fresh ── version moved, or 10 s old ──▶ stale
//	       stale  ── one load runs; for 250 ms the old bytes are served meanwhile, then callers wait
//	                 for the load a little, and get the old bytes if it does not come ──▶ fresh
//	       stale  ── no load succeeded for 30 s ──▶ callers get the load's error
//
//	entry: true for 500 ms after the last look or its own load, whichever is later; then stale
//
// So a change shows on every process within ShownWithin, also when its message
// is lost and when looks hang.
//
// Invariants: an entry is never older than the version that it is kept under;
// of one key at most one load runs; entries and bytes are bounded. Nothing that
// decides about money or stock reads from here: an order reads the database.
package cache
