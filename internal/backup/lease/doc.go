// Package lease decides which machine writes for a shop. One small object at one
// destination, exchanged by conditional put, names the holder and an epoch; who
// takes over raises the epoch, and a holder that meets a higher one ends.
//
//	          absent, released, or silent for TTL
//	nobody ──────────────────────────────────────▶ held by N at epoch E
//	                                                 │ renewed every Every
//	held by N at E ──▶ taken by M at E+1 ──▶ N's next renewal is refused: N is lost
//
// # What holds
//
//   - Of any number that take from the same state one wins (Swap). Nobody holds by
//     what a Load says: a stale answer makes a Swap fail, and nothing else.
//   - A holder knows that it holds only as of the beginning of its last renewal
//     that succeeded. A swap that timed out and was made is found by its Run.
//   - Clocks of two machines are never compared. Who takes over has watched the
//     lease unchanged for TTL by its own clock; a holder that is told to stop
//     when nobody answers stops after four fifths of that by its own.
//   - A process that slept (paused, swapped out, a suspended machine) writes
//     nothing until it has looked again.
//   - A higher epoch outlives a lower one: an object that was set back or deleted
//     is written anew by whoever holds the highest.
//
// # Followers
//
// A standby says at lease/follower-<node> how far it is, signed; the checklist reads it.
package lease
