// Package pgserver starts a throw-away PostgreSQL server from the binaries that
// are installed, for tests and for `panshi bench`. The server listens on a Unix
// socket in its own directory only, is as durable as in production, and ends
// together with the process that started it: no signal, panic or kill leaves a
// server or its files behind.
package pgserver
