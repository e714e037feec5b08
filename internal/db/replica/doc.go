// Package replica reads from followers of the shop's database what may be a
// little old. It decorates a db.DB: a View whose context db.WithStale marked
// runs on a replica that is known to be at most so far behind; every other View
// and every Update runs on the primary.
//
// How far a replica is behind is measured without its help and without a write:
// a watcher notes where the primary's log stands, and when; a replica that has
// replayed the log up to a note shows all that was committed before that note
// was taken. So a primary that is quiet makes nobody look late, a replica that
// has lost its primary grows old by itself, and no two clocks are compared.
//
// A replica that fails costs nobody an answer: whatever went wrong there, also
// "not found", is asked of the primary again, and a replica that did not serve
// is left alone until the watcher reaches it.
package replica
