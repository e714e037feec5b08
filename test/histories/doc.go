// Package histories lets many clients reserve, pay, deliver, expire and refund
// at the same time, against the real services on a real database of each
// engine, writes down what each of them was told and when, and has porcupine
// look for an order of all these operations, one after the other, that a shop
// without concurrency could have had (linearizability). It looks SKU by SKU: a
// SKU's cards and its orders are the state, package stock's diagram the rules.
//
// What a buyer was told binds: a placed order has the very cards that it holds
// in the database, a delivered one those that were revealed. An operation whose
// outcome is unknown (its caller left, the commit's answer was lost) may have
// happened at any time from its call to the end of the history. Whether it
// happened at all comes from asking again, as clients do.
//
// What "sold out" promises, on both engines: at some moment of the call fewer
// items were on the shelf than it asked for. Cards that another order has
// locked, and may still give back, are not sold out.
//
// PANSHI_TORTURE=long runs ten times as many histories, PANSHI_SEED=n repeats a
// run's dice (not the scheduler's). A history that is refused is drawn into
// artifacts/.
package histories
