// Package sftpdest keeps backups on a machine that offers SFTP: a server in
// another city, a disk station at home. It implements backup.Destination over one
// connection that is made when it is needed, to a host whose key is pinned, by a
// key of our own.
//
// An object is written under a temporary name, synced, and hard-linked to its own
// name, which fails if that is taken. OpenSSH's server can do all of this. SFTP
// has no way to sync a directory: a power cut of the server may take the names of
// the last seconds; the mirror finds out by the next listing, tells, and brings
// them again or asks for a full. A server that cannot sync files is refused
// unless Config.NoSync accepts it.
package sftpdest
