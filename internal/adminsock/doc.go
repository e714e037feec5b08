// Package adminsock is the local door by which a command reaches a running
// shop: HTTP over the Unix socket DIR/admin.sock in the data directory. It owns
// the socket file and the protocol; what is asked for is done by Operations,
// which the shop gives.
//
// A command dials first. Is nobody there (ErrNotRunning), it opens the data
// directory itself and calls the same Operations. A shop that is killed leaves
// its socket behind; the next one removes it, but only if nobody answers.
//
// # Who may
//
// The socket has mode 0600, in a directory of mode 0700, and both ends ask the
// kernel who is on the other side: the shop answers root and its own user
// alone, and a client talks only to a shop of root, of its own user or of the
// user who owns the data directory, so that nobody can set up a false one and
// have card keys sent to it.
//
// # Protocol
//
//	POST /v1/check  /v1/import  /v1/demo  /v1/setup_link      GET /v1/status
//	POST /v1/backup_now       GET /v1/backup
//	POST /v1/merchant  /v1/account            GET /v1/merchants  /v1/accounts
//	?request=<JSON>, the file of an import or an account as the body
//	200 application/x-ndjson, one event a line:
//	    {"progress":…}*  then one of  {"result":…}  {"result":…,"errors":[…]}
//
// Progress and a file travel in both directions at once. Nothing is spooled: a
// card key passes through memory only, 32 KiB at a time. A client that goes
// away cancels what it asked for; a shop that goes away in the middle is the
// error shop_gone. Errors keep kind, code, field, message and parameters; the
// cause travels as text, because who may use this socket may read the log.
package adminsock
