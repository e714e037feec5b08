// Package schedule decides when backups do what they do by themselves: the
// whole copy of every day, and which destination is proved next. It only
// computes; who asks brings the time and does the work.
//
// # Invariants
//
//   - Every local day has one moment for its whole copy, between 03:00 and 05:00,
//     the same clock time every day, and another one in every shop.
//   - A moment that was slept through is made up for at once.
//   - A clock that is set to and fro by up to two hours makes at most one copy too
//     many and never leaves a day without.
//   - A time that is not yet counts as none, so that a clock that once ran ahead
//     by a year does not keep backups waiting for a year.
package schedule
