// Package stock owns what can be sold: card keys, shared texts, and the kept
// counters of every SKU. Nothing else writes cards.status or a counter.
//
// A card moves like this:
//
//	available ──HoldTx──▶ held ──SellTx──▶ sold
//	    ▲                  │
//	    └────ReleaseTx─────┘
//	available ◀──▶ disabled (by staff)
//
// Items that are counted and not cards move likewise, as numbers; sold ones that
// were never made come back by UnsellTx.
//
// Invariants: a counter equals the rows it counts; a held or sold card names
// exactly one order; a card's content never appears in clear outside a reveal.
// Every function that changes several SKUs touches the counters last and in
// the order of SKU ids, so that on an engine with row locks two orders cannot
// wait for each other.
package stock
