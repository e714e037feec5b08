// Package manifest lists what a destination holds, so that nobody can take
// away, swap, cut, double or forge an object unseen. One chain of manifests
// belongs to one destination; each manifest names the digest of the one before
// and is signed by the shop.
//
//	base ◀── delta ◀── delta ◀── … ◀── base ◀── delta ◀── …
//	all objects   what came and went since        all objects
//
// # What holds
//
//   - A manifest lists an object only after it was read back, or, where the
//     credential may not read, after the destination had confirmed its digest.
//   - An object leaves a manifest before it is deleted. So what the newest
//     manifest lists is there, or somebody took it.
//   - From the newest base that its successors build on, no manifest may be
//     missing. Older ones are deleted only when a newer base says so.
//   - Names carry numbers, not times, so that the next one can be asked for when
//     a listing lags.
//
// What it cannot see: that the newest manifests and all objects since are gone
// together (the destination was set back in time). The shop knows its heads and
// compares (Options.Expect); on a bare machine the other destinations tell.
//
// # Format
//
//	panshi-manifest-1 <signature, 128 hexadecimal digits>\n
//	<Manifest as JSON>
//
// The signature is over "panshi-manifest-1 <name>\n" and the JSON.
package manifest
