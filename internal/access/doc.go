// Package access owns the staff of merchants: who they are, what each role may
// do, how they prove themselves, and their sessions. The only way in is a
// one-time link that a command makes on the machine; nothing works before a
// password was chosen and a second factor was confirmed.
//
//	CreateSetupLink ─▶ link ──BeginSetup──▶ secret shown once ──CompleteSetup──▶ owner
//	                    │ 24 h                                   (code confirmed)
//	                    └──▶ expired; ReissueSetupLink makes a new one
//
//	SignIn (login, password, code) ──▶ session ──▶ 30 min idle, 12 h at most,
//	                                              SignOut, ChangePassword
//
// # Invariants
//
//   - No account without a second factor; a code of it works once.
//   - Tokens of links and sessions (256 bits) and recovery codes (80 bits) are
//     stored as SHA-256 only; passwords as argon2id with their parameters.
//   - An attempt to sign in is paid for before it is examined: the account's
//     delay grows first (1 s, 2 s, 4 s ... 15 min) and is forgiven on success,
//     so that parallel guesses are not free.
//   - A login that nobody has costs the same hash, the same writes and the same
//     delays as one that exists.
//   - A principal carries the merchant; nothing a client sends chooses it.
//
// Passwords, codes and tokens are never logged and never in an error. An owner
// whose account is delayed by somebody else's guesses, or who lost everything,
// gets in by a reissued link.
package access
