// Package checkout is the money path: the workflows that cross catalogue,
// stock, orders, payments, deliveries and books, and so own the transactions
// in which these change together.
//
//	Place     prices on the server, holds the very cards, writes the order
//	StartPayment  registers a payment at a platform
//	Settle    the one door for "money came": once per transaction of the
//	          platform, however often and in whatever order it is told
//	Expire    closes unpaid orders, asking the platform to close first
//	Refund    promises all or a part of an order's money back in a
//	          transaction, a job does it; what is or becomes store credit
//	          is back in that transaction
//	ResolveHold   a person decides about money that did not fit, or a refund
//	          that the platform refused
//	Reveal    shows what was delivered, and records that it did
//
// Transaction boundaries: Place, Settle and each change of state are one
// transaction. Calls to platforms happen between transactions: what they are
// about is written before (so that a sweep finds it after a crash), what they
// said is written after. Every step can be repeated.
//
// On PostgreSQL orders and reports that wait are taken together: placeTx and
// settleTx run a batch by statements on sets of rows, and leave what is not
// ordinary to the path of single requests (batch.go). On SQLite, which commits
// many closures at once itself, each request is a closure. Locks are taken in
// one order: contact, order, payment, store credit, cards, and the counters of
// stock last.
//
// Money in a case of the hold desk is moved by that case only. What an order
// gives back is what it took when it was placed, whatever staff changed since.
//
// A part that is given back leaves its order what it is; what refunds give back
// of lines is noted, and stays noted while a refused one waits for a person, so
// that no line goes back twice. What nobody has made yet goes back to the shelf
// with its money; cards that were delivered stay sold.
//
// Sweeps (Service.Sweeps) find all that is due by indexed columns: payments to
// ask about, orders to close or complete, refunds to send. Nothing waits in
// memory. An item that fails is due again after a pause and never stands before
// the others; a platform that hangs is left alone for a while (silence).
package checkout
