// Package delivery owns what a buyer received: one row an item, which refers
// to its card or to the version of a shared text and copies neither. An item
// of a manual product waits until staff delivers it.
//
//	waiting ──(staff)──▶ delivered        card, text: delivered at once
//	   └────(money given back)──▶ withdrawn (the row is deleted)
//
// Invariants: a card is delivered at most once (unique key); a delivered item
// has exactly one content.
package delivery
