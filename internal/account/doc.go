// Package account owns buyers' accounts with the shop: store credit. An account
// has a number, a contact (sealed), a currency, and a balance that is never
// below zero.
//
//	open ◀──▶ frozen
//	  ▲ │        │
//	  │ ▼        ▼      (only with a balance of zero)
//	  closed ◀───┘
//
// Frozen, nothing can be spent; closed, nothing can be granted either. Money of
// a payment that is given back comes in whatever the state: it is the buyer's.
//
// The balance is kept, and proved twice: MoveTx, the one way to change it,
// writes a movement and books it in the ledger's account "credit/<number>" in
// the same transaction, and `panshi check` adds up both.
package account
