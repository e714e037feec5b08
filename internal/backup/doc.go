// Package backup declares where copies of a shop go and what a copy is called.
// A Destination keeps immutable objects; everything that speaks to one (retry,
// bandwidth limit, meter, read-back) wraps it or calls it here, and every
// destination and every wrapper passes the one suite in desttest.
//
// # What holds
//
//   - An object that exists is never changed: who wants other bytes takes
//     another name, or deletes the old object first.
//   - Nobody decides anything by what a listing does not show, nor by a time
//     that a destination tells: listings may lag, clocks may lie. Times are part
//     of names, set by our clock and signed with the object.
//   - Names tell generation, level, transaction numbers and time, and nothing
//     else of the shop. Content is sealed before it comes here (package seal).
//
// # Layout of a destination
//
//	seg/<generation>/<level>/<min>-<max>-<time>   a segment of the log, level 9 is the whole database
//	box/<kind>/<number>-<time>                    what else is backed up: uploads, settings, key bundles
//	manifest/<chain>/<number>                     what is there, signed and chained (package manifest)
//	hold/<time>-<id>                              somebody restores: retention waits
//
// <time> is milliseconds since 1970 UTC. A name may end in ~1 to ~9: the first
// tries of that object arrived damaged and could not be taken away.
package backup
