// Package mirror copies the immutable files of a local spool to any number of
// destinations, seals them on the way, proves that they arrived, says so in signed
// manifests, and takes away what no recovery point needs any more.
//
//	source ──▶ intake ──▶ sealed/<name> ──┬─▶ copier of A ──▶ put, read back, journal ──▶ manifest
//	            seals once                ├─▶ copier of B
//	            removes what all have     └─▶ copier of C     each with its own state, pace and trouble
//	watch: raises alarms by the clock, whatever the copiers do
//
// # What holds
//
//   - A large file (a full) is sealed and brought beside the others, so that each
//     second's segment leaves in its second.
//   - A file is sealed once, durably, before its first byte leaves; so every
//     destination and every repetition gets the same bytes.
//   - A destination has a file when it gave the bytes back and they were the same
//     (or, where the credential may not read, when it confirmed a Put). Only then
//     the journal has a line, and only lines of journals count.
//   - A file leaves the source when every destination has it or does without it.
//     One that is dead, full, slow or lying holds up nobody but itself, and the
//     source until SpoolMax; then it is let go, has to wait for a full, and an
//     alarm says so.
//   - Retention works on the journal, never on a listing, and on the times in
//     names, never on a destination's. What a kept recovery point needs stays. It
//     waits while somebody restores.
//   - An object under its name that is none of ours is never overwritten.
//
// # States of a destination
//
//	            full seen                      behind, or gap
//	needs full ───────────▶ following ◀──────────────────────▶ (lag alarm)
//	     ▲                       │
//	     └───────────────────────┘  SpoolMax exceeded, or objects lost
//
// # Local state
//
//	<Dir>/sealed/             sealed files that some destination lacks; made again if lost
//	<Dir>/<label>.journal     what the destination has (see journal.go)
package mirror
