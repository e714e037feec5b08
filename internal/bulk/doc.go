// Package bulk fills a shop with as many orders and card keys as a test or a
// measurement wants: whole histories of buying, written straight into the
// tables in large statements, at a speed that the shop's own commands do not
// have because they owe each buyer an answer.
//
// What it writes is what the shop would have written: orders of every state
// with lines, cards, payments, transactions, refunds, cases, books, deliveries
// and records, sealed by the shop's own vault. Every invariant of `panshi
// check` holds afterwards; a test of this package says so. Nothing that it
// writes falls due within a day, so that a shop which serves it has nothing
// else to do than to serve.
package bulk
