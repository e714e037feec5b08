// Package db is the one door to the shop's database. View and Update are the
// only begin and commit in the program; everything that runs inside takes the
// *Tx that they hand out. Two engines stand behind the door, sqlite and (from
// issue 2 on) postgres, and one conformance suite, dbtest, holds both to the
// contract that is written here.
//
// What a closure may do: read and write through its Tx, and set variables of
// its caller that it sets completely each time it runs, because a closure may
// run more than once before its one commit. What it may not: touch the
// network, sleep, encrypt in bulk, write more than 500 rows, start another
// transaction, or keep the Tx.
package db
