// Package routing keeps one payment platform that is slow or down from taking
// the shop with it. It meters every call to an account, tells how healthy the
// account is, and stops asking one that fails:
//
//	closed ──5 of 10 calls fail──▶ open ──5 s──▶ half-open ──a probe answers──▶ closed
//	                                 ▲                │
//	                                 └──it fails──────┘
//
// A failure is what leaves the outcome unknown: the network, a time-out, a 5xx,
// garbage, a wrong signature, all of which are payment.ErrProviderBusy. A
// refusal, "not found" and "already paid" are the platform's word: it lives.
//
// Each account has a limit of calls at a time (a bulkhead), so that one that
// hangs holds a bounded number of goroutines and connections. Bills are a class
// of their own, with its own small limit and its own breaker.
//
// Health is of this process and forgotten with it. It decides only where new
// payments go; what was created stays with its account, and an unknown outcome
// stays unknown: nothing here repeats a call.
package routing
