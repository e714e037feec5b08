// Package payment owns payments, the accounts at payment platforms through
// which they run, refunds and what they give back of lines, and the narrow
// tables that make a platform's transaction count once. It defines what a
// platform must be able to do (Provider); packages wechatpay and alipay do it.
//
// A payment moves like this; only the platform's word moves it to paid:
//
//	creating ──▶ open ──▶ paid
//	    │          │ ▲
//	    │          ▼ │ (the platform says "paid" while we close)
//	    └──────▶ closed ──▶ paid   (late: the order decides about re-claim or refund)
//
// A mismatch (other amount, currency, merchant or a second transaction) leaves
// the payment as held, for a person to decide.
package payment
