// Package order owns orders, their lines and numbers, and the one table of
// states that an order may move through:
//
//	          ┌────────────────────────────▶ held ──▶ paid, delivered, refunding, closed
//	          │ (money that does not fit)
//	pending ──┼──▶ paid ──▶ delivered ──▶ completed
//	   │      │     │           │             │
//	   │      └─────┼───────────┼─────────────┼──▶ refunding ──▶ refunded
//	   ▼            └───────────┴─────────────┘        │
//	closed ──(late payment)──▶ paid, delivered, refunding   └──▶ held (refund failed)
//
// An order that gave back a part of its money stays where it is; refunding is
// for all that is left.
//
// Orders that ended long ago lie in the archive, lines and all. They are read
// there as if they were not; what changes one brings it back first.
//
// Invariants: an order's total is the sum of its lines; a held order has a
// reason; an order number is unique for ever; an order is either live or
// archived, with all its lines; contacts are stored sealed, with a blind index
// beside them.
package order
