// Package id makes the identifiers of Panshi. Row ids are UUIDv7, which sort by
// time and so keep the newest rows on the same database pages (random ids cost
// half of the throughput). The public numbers of orders, payments and refunds
// sort by day and cannot be guessed.
package id
