// Package tally adds up a shop, so that a copy of it can be added up again and
// compared: orders by day, merchant and currency, postings by day, account and
// currency, rows of each table.
//
// A day is that of the id, in UTC: ids of orders and of entries in the books are
// made once and neither their amounts nor they themselves ever go (archiving
// moves rows, and what is read here is both places). So a day that has ended is
// added up once and remembered, and two states of a shop agree on it whatever
// happened since. Days of long ago are told by month.
//
// What it costs: one read of a day's rows in the order of their keys. At the
// start, and once a day, that is all days, one by one; else today and perhaps
// yesterday. Rows are counted once an hour. Measured with 1,000,000 orders of two
// years and 2,000,000 postings (TestCost, two busy cores): all days 14 s, of
// which no transaction is longer than a day's; today 60 ms.
package tally
