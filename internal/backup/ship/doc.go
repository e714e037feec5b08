// Package ship copies every commit of the live SQLite database into the spool
// within about a second, by the library Litestream.
//
//	writer commits ──▶ log (WAL) ──sync──▶ staged file ──▶ spool, encrypted
//	      │                                                    │
//	      └── Checkpointer: copies the log into the database   └── merged by levels,
//	          file only when all of it was staged                  a whole copy a day
//
// Litestream writes nothing and decides nothing by itself here: its own
// monitors are off. A goroutine of this package calls it every interval, and
// checkpoints are made by the Checkpointer, which the engine calls in the
// writer's goroutine, so that no commit can slip between the last look at the
// log and its restart.
//
// # Lifetime
//
// New, then the engine opens the database with Checkpointer, then Start, before
// anything is served. Closing goes the other way about: the engine's Close
// ships what is left, then Close lets go of the file. Litestream holds a
// descriptor of the database file, whose closing takes the locks of the whole
// process on it; so it is opened once, and is the last to close.
//
// # Generations
//
// Start goes on with the generation of the last run only if nothing can have
// happened to the log in between: it still bears the salts of the last staged
// file, and reaches at least as far. SQLite draws new salts whenever a log
// starts over, and only then can a commit leave the log. In all other cases (a
// command that used the database while the shop stood still, a restored data
// directory, a spool that is gone) a new generation begins with a whole copy.
//
// # Lag
//
// Lag is the age of the oldest commit that is not in the spool, computed when
// it is asked for. It needs no goroutine to be alive: when shipping stands
// still, lag grows. A shipment counts only when the spool has the transaction
// and litestream has read the log to where the writer had ended it.
package ship
