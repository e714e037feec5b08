// Package backup declares where copies of a shop go and what a copy is called.
// A Destination keeps immutable objects; everything that speaks to one (retry,
// bandwidth limit, meter, read-back) wraps it or calls it here, and every
// destination and every wrapper passes the one suite in desttest.
//
// Its parts:
//
//	spool      the immutable, encrypted files that everything else copies and reads
//	ship       the live SQLite database, every second, into the spool
//	seal       what a destination may see: noise, signed with its name
//	mirror     the spool's files to every destination, proved to be there
//	manifest   what a destination holds, signed and chained
//	lease      which machine writes
//	restore    a spool, or a copy of one, back into a data directory
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
//   - A file of the spool never changes: it is whole and on disk under its name,
//     or it is not there.
//   - A generation is one unbroken chain of transactions of one database file.
//     Whenever the chain cannot be proved to go on, a new generation begins with
//     a full copy; an old one is never written to again.
//   - Nothing is restored over a gap, or from a file that does not prove to be
//     the one that its name says.
//
// # Layout of a destination
//
//	seg/<generation>/<level>/<min>-<max>-<time>   a segment of the log, level 9 is the whole database
//	box/<kind>/<number>-<time>                    what else is backed up: uploads, settings, key bundles
//	manifest/<chain>/<number>                     what is there, signed and chained (package manifest)
//	lease/writer, lease/follower-<node>           who writes and who follows; exchanged, never listed (package lease)
//	hold/<time>-<id>                              somebody restores: retention waits
//
// <time> is milliseconds since 1970 UTC. A name may end in ~1 to ~9: the first
// tries of that object arrived damaged and could not be taken away.
package backup
