// Package offline writes whole copies of a shop to a disk that is plugged in for
// an hour a week and lies in a drawer otherwise, where nobody who broke into the
// shop can reach it.
//
//	plan ──▶ room ──▶ copy what is missing ──▶ read everything back ──▶ manifest ──▶ give up what is old ──▶ done
//
// The disk has the layout of any other destination, so a restore reads it as one.
// Its manifests name sets: a full, the log after it to one moment, and the keys
// and settings of then. No log lies between two sets.
//
// # What holds
//
//   - A disk is used only if it has our marker: another shop's disk, a directory
//     of somebody's files, and the disk of the shop's data are refused.
//   - A set counts from the manifest on that names it, and that is written after
//     every object of the disk was read back past the cache. Whenever the disk is
//     unplugged, the sets of before count and what came of the new one is
//     continued the next time.
//   - Objects leave a manifest before they are deleted, and only when a newer set
//     was read back. What a kept set needs stays.
//   - Retention goes by the times in the signed manifests. It deletes nothing when
//     a set is newer than the clock says it is.
//   - The bundle of card keys is never written there.
package offline
