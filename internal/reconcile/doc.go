// Package reconcile compares, day by day, what a payment platform booked with
// what the shop booked (对账). It owns the days, the lines of the platforms'
// bills and the cases; payments, refunds and books belong to their packages.
//
// A day is one of the platform's (Asia/Shanghai) and of one merchant number at
// a platform: accounts that differ only in their method share a bill, and the
// oldest of them stands for all.
//
//	open ──▶ differs ──▶ closed
//	  └────────────────────▲
//
// A run fetches the bill, stores its lines, matches them with ours in pages and
// the other way round, and writes a case for each difference. Money that only
// the platform knows is never believed from a bill: the platform is asked, and
// its answer goes through the one door (checkout.Settle).
//
//	      ┌──it agrees by now──▶ agreed
//	open ─┤     ◀──it differs again──┘
//	      └──a person decides──▶ decided
//	            ◀──it is another difference──┤
//	                  agreed ◀──it agrees by now──┘
//
// What is left is decided by a person, who names a remedy: the bill is right,
// and the books follow it by a posting against "adjustments". A decision holds
// for the difference that it was made for; a run that meets another one, or
// none, books it back. A day closes only when bill, payments and books agree to
// the fen, decisions included; its fee is booked in the same transaction. A
// closed day never changes again. states.go has both diagrams as tables.
package reconcile
