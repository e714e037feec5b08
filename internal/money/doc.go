// Package money is amounts: whole minor units (fen, cents) with a currency.
// There is no float here and no division, so no fen can be lost to rounding;
// every operation that could overflow or mix currencies says so.
package money
