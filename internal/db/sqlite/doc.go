// Package sqlite is the embedded engine behind db.DB.
//
// One goroutine, the writer, owns the one connection that writes. Update
// queues a job; the writer opens a transaction, lets one waiting caller after
// the other run its closure in a savepoint, commits once for all of them, and
// only then answers anybody (group commit). A closure runs in its caller's own
// goroutine while the writer waits, so that a panic or runtime.Goexit in it
// unwinds where it belongs and cannot harm the writer.
//
//	Update --queue--> writer: BEGIN IMMEDIATE
//	                    SAVEPOINT, closure, RELEASE or ROLLBACK TO   (each)
//	                  COMMIT (one fsync) --> all answers
//	                  Checkpointer.AfterBatch
//
// Some errors (an interrupted write, a full disk, failing input and output, no
// memory) make SQLite roll back the whole transaction behind our back. After
// every error the connection therefore asks SQLite whether its transaction
// still stands. If not, the closure that caused it fails, refuses to run
// anything more (it would run outside any transaction), and the others are run
// again in a new transaction; after a few such rounds each runs in one of its
// own.
//
// When COMMIT fails, all of its batch fail with it. If the disk was full, that
// is all; if the disk itself failed, the outcome is unknown, and the engine
// accepts no writes until it has been opened anew: what fsync dropped once it
// may claim to have written the next time. Opening therefore begins by writing
// a log that was left behind over itself.
//
// Reads run on a bounded pool of read-only connections, each View on one
// snapshot; those that db.WithLong marks have a small pool of their own.
package sqlite
