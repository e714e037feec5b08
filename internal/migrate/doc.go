// Package migrate moves a whole shop: what package transfer does to two
// databases, with what lies around them. It keeps everybody else away from both
// sides, and it sees to it that the keys which open card keys, contacts and
// payment accounts are where the shop is going to be served.
//
// A side is a data directory with an SQLite database, or the URL of a
// PostgreSQL database. A directory is locked for the whole move, as a running
// shop would. A server has no such lock: the move looks for connections of
// others before it begins and once its mark is in place; a shop that starts
// later meets the mark and refuses.
//
// Keys are files and never go through a database. A shop on PostgreSQL is
// served with a data directory that holds them, so a move from a directory to a
// server leaves them where they are; a move into another directory needs them
// there, and copies them only if told so. Before a row is moved, the keys of
// the place where the shop will be served have opened something that the shop
// had sealed.
package migrate
