// Package pgship copies a PostgreSQL server's write-ahead log into the spool
// within about a second, and now and then the whole server, over replication
// connections. It does what pg_receivewal and pg_basebackup do, but without
// files on the way: the server hears that the log is flushed when it stands in
// the spool, encrypted and on disk, and not before.
//
//	server ──slot──▶ stream ──cut every interval──▶ pieces ──▶ merged by minutes
//	   └────────────▶ base, once a day ───────────▶ whole file
//
// # Lifetime
//
// New, Start (which fails if the server refuses replication), Close. In between
// every failure ends a session with the server, and the next one goes on at the
// first byte that the spool lacks.
//
// # Generations
//
// A generation is one unbroken history of one server on one timeline. It goes
// on while the slot keeps the log from where the spool ends. It ends when the
// server is another one or was promoted or restored, when the slot is gone or
// was invalidated, and when the spool lost its end; then a new one begins, with
// a base of its own, and the reason is told.
//
// # What the server must bear
//
// The slot makes the server keep what the spool lacks. When that exceeds
// Config.SlotMax because the spool takes nothing, the slot is dropped: a shop
// that sells without a backup is better than a server whose disk is full. The
// history has a hole then, which is told, and a new generation begins as soon as
// the spool takes files.
package pgship
