// Package spool is a directory of immutable, encrypted files that hold a
// database's history. It lies beside the data directory, so that who loses the
// one keeps the other.
//
//	GENERATION/LEVEL/FIRST-LAST-MILLIS.ltx
//	00000002-9f3ac1d0/0/0000000000000017-0000000000000017-0001764179912345.ltx
//
// A generation is one unbroken history; its number rises by one, its random
// tail keeps apart what two shops wrote from one ancestor. Level 0 has the
// changes of about a second, each higher one several files of the level below
// merged, level 9 the whole database. FIRST and LAST are the transactions in a
// file (hexadecimal), MILLIS is when the last of them was committed, by the
// shop's clock. Names sort as they were written, by generation and level.
//
// # Invariants
//
//   - A file stands under its name only when it is whole and on disk, directory
//     entry included. It is never changed after.
//   - A file's content opens only under its own name: streaming AEAD
//     (AES-256-GCM-HKDF) whose associated data is the name; cut, swapped,
//     renamed or altered in any bit it fails with code spool_file_damaged.
//   - No more than a segment of a file (4 KiB) is in memory at a time.
package spool
