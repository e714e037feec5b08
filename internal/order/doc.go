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
// Invariants: an order's total is the sum of its lines; a held order has a
// reason; an order number is unique for ever; contacts are stored sealed, with
// a blind index beside them.
package order
