// Package standby keeps a second machine's copy of a shop's database a second or
// two behind what arrives at a destination, until it takes over.
//
//	segment arrives ─▶ fetched, signature and content proved ─▶ <segment> on disk
//	   ─▶ its pages into <database>, synced ─▶ <state.json> names its transaction ─▶ <segment> goes
//	another generation, or a gap ─▶ the whole plan proved, made as <next> ─▶ it replaces <database>
//
// # What holds
//
//   - Nobody opens the database while it follows, so its pages may be written in
//     place. It stands under a name that no command takes for a shop.
//   - state.json never names a transaction that is not on disk in full. Whatever
//     instant the machine stops at, Open makes the state whole again, without the
//     destination: a segment is applied from its local copy, any number of times.
//   - Nothing is applied that the shop did not sign under its name, nothing over a
//     gap, and nothing of a generation before the one that was reached: a
//     destination that was set back stops following and says so.
//   - New segments are asked for by name, one small listing a look. The manifests
//     are read when it begins, every few minutes, and whenever the lease or a
//     silence says that there should be more.
//
// # Files, below <data>/standby
//
//	state.json   what the database is
//	database     the database; at the end it becomes the shop's
//	segment      a segment whose pages are being written
//	next         a whole copy that is being made
//	work-*       objects that are being read
package standby
