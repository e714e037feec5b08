// Package proof keeps the evidence that backups work: a signed record of every
// restore that was tried and checked, and of the bundle of card keys that left
// by its own channel. From the evidence it judges the checklist of six.
//
// # Invariants
//
//   - A record counts only if this shop signed it, for this destination.
//   - What was not proved is red; what was proved too long ago is stale, and
//     nothing that is stale is called good.
package proof
