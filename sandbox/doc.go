// Package sandbox is a payment platform to develop and test a shop against: the platform side of WeChat Pay API v3.
//
// It owns merchants, trades, refunds and the callbacks it owes, keeps them in one append-only file, and speaks the
// real protocol: it verifies merchants' request signatures, signs its answers and callbacks with its own keys, and
// encrypts callback resources with the merchant's API v3 key. It shares no code with the client in panshi: a mistake
// in one of them therefore cannot hide in the other.
//
// # Promises
//
// Every answer, whether it changes something or only tells something, waits until the state it rests on has been
// fsynced. So a payment that anybody has seen survives a crash, together with the callback that it owes.
//
// # Trade
//
//	          pay                 refund
//	NOTPAY ─────────▶ SUCCESS ──────────────▶ REFUND
//	   │ close, or time_expire has passed
//	   ▼
//	CLOSED
//
// # Refund
//
//	PROCESSING ── RefundDelay has passed ──▶ SUCCESS
//
// It is a simulator: no money moves, and its developer endpoints hand out private keys. Keep it on loopback.
package sandbox
