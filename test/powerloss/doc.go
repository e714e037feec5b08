// Package powerloss runs the real shop on a disk that loses power (package
// disk), fails to sync, or is full, and looks whether what the shop
// acknowledged is there afterwards. The payment platform runs elsewhere and
// never loses anything.
//
// It is about SQLite: there the shop itself writes the files. On PostgreSQL what
// becomes of a power cut is the server's affair, and the shop refuses a server
// whose settings would lose something (internal/db/postgres, TestSettingsHold).
//
// PANSHI_TORTURE=long runs 1,000 power losses, PANSHI_SEED=n repeats a run's
// dice.
package powerloss
