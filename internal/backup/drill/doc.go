// Package drill rehearses disasters: it has a shop lose its disk, its machine, a
// table, a region or a key on scratch copies, brings it back by the means that a
// real disaster would leave, measures what was lost and how long it took, and
// keeps a signed report.
//
// # Invariants
//
//   - A drill touches nothing that is live. Destinations are only read: what a
//     disaster does to one, it does to a Damage, which stands between.
//   - A drill passes only if the disaster happened (what it broke was seen to
//     fail) and a sound shop came back within both goals.
//   - A report counts only if this shop signed it, under the name of its drill.
//   - What a drill cannot try, such as a standby that does not exist, has not
//     passed.
package drill
