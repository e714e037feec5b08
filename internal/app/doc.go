// Package app is the composition root: it reads the configuration, opens the
// database and the vault, builds every service with constructor arguments
// alone, and starts and stops them in order. The wiring is straight-line code;
// there is no container, and nothing else in the program knows everybody.
//
// Start: lock, database, vault, shipping, services, sandbox, socket, listeners, sweeps.
// Stop: listeners drain first, then sweeps, socket and sandbox, then the
// database, shipping last, then the lock.
package app
