// Package pgstream speaks PostgreSQL's replication protocol as far as a backup
// needs it: the write-ahead log as a stream from a replication slot, and a copy
// of the whole server. It is what pg_receivewal and pg_basebackup speak, without
// files in between: the server is told that the log was flushed only when the
// caller says so.
//
// Physical replication has the whole server in it, every database. Servers from
// version 15 on are understood, without tablespaces of their own.
package pgstream
