// Package extract takes one table or one order out of a database that was
// restored, for people to look at, and tells how it differs from another state
// of the shop: which rows are missing, which are new, which were changed.
//
// What leaves is JSON Lines. Values of the classes public and trade are as they
// are; of all others (goods, people, secrets) there is a digest, which tells
// whether two are the same and nothing else. So an extract may be sent by mail.
package extract
