// Package jobs is the transactional outbox and the clockwork of sweeps. A side
// effect is a row that is written in the transaction of its cause (EnqueueTx),
// so it happens if and only if the cause did; a Runner takes due rows and
// calls their handlers, which must be repeatable, because a crash between the
// effect and its acknowledgement runs them again.
//
//	queued ──▶ claimed (run_at moved, and again while it runs) ──▶ deleted
//	   ▲            │ failure: back-off           │ too many failures
//	   └────────────┘                             └──▶ dead, kept for a person
//
// A Sweep is work that finds itself by an indexed due column; it runs on a
// schedule, needs no row, and finds what a queue lost.
package jobs
