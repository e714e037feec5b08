// Package mirrortest gives tests a small real source: a directory of files. It is
// no part of a shop, whose source is its spool.
package mirrortest
