// Package postgres is the server engine behind db.DB, on PostgreSQL 15 or
// newer, for a shop that has outgrown one machine.
//
// Closures run concurrently, each in its caller's goroutine and in a
// transaction of its own: Update in read committed, View in repeatable read,
// read only. BEGIN travels with the first statement, so that a transaction
// costs one round trip a statement and one for COMMIT.
//
//	Update: connection -> closure: BEGIN+s1, s2, ... -> COMMIT -> answer
//	          lost a deadlock, a serialization or its connection:
//	            ROLLBACK, back off, the closure runs again (bounded)
//	          COMMIT without an answer: db.ErrUnknown, never again
//
// On PostgreSQL any failed statement spoils its whole transaction; the
// contract says that only the statement is undone. A savepoint around each
// would pay for that everywhere, so there is one only where it was needed
// before: when a closure goes on after a statement failed without one, its
// transaction is spoilt, what it returns is thrown away, and it runs again
// with a savepoint around every statement. The text of the statement that
// failed is remembered, and from then on has a savepoint of its own in every
// transaction, sent in the same round trip.
//
// What PostgreSQL enforces and SQLite does not (time limits apart), the values
// that go in and out are held to on both: text is UTF-8 without NUL, times are
// db.Millis, truth values are 0 and 1.
package postgres
