// Package reports sums up how a shop sells, for its staff. It owns no table and
// changes nothing; every statement reads a bounded number of rows, so that a
// dashboard never competes with buyers for long.
package reports
