// Package wechatpay is one account at WeChat Pay, spoken to over API v3 with
// the standard library's cryptography only. It implements payment.Provider for
// Native (a QR code), H5 (phone browsers) and JSAPI (inside WeChat) orders, and
// opens the platform's callbacks.
//
// # What is believed
//
// Nothing is parsed before its signature is good over the raw bytes: answers
// of every status (also the empty 204 of a close) and callbacks alike. In this
// order a message is refused when a header is missing (signature_missing),
// when it is one of the platform's probes (signature_probe), when its time is
// five minutes or more from ours (signature_stale), when we hold no valid key
// of that serial (signature_serial_unknown), when the signature is wrong
// (signature_wrong). Then come notification_malformed and
// notification_undecryptable.
//
// The platform signs an answer only if it could check our own signature, so
// the 401 for a wrong merchant key or serial arrives unsigned. It is not
// believed; the error says "HTTP 401" in its cause, which is what an operator
// needs to look at the account's settings.
//
// The signature of an answer covers its time, nonce and body, not the question.
// Answers that carry a number are therefore compared with the number asked for.
//
// # Keys that change
//
// Public keys and certificates are held at once. Certificates are asked for
// (GET /v3/certificates) while they are used: see Renew and RenewFor. They are
// the one thing that is opened before the answer's signature is good, since the
// first answer may be signed under a certificate that only it brings; each is
// sealed under the API v3 key, which is what proves it.
//
// # What an error means
//
// payment.ErrRejected, ErrNotFound and ErrAlreadyPaid are the platform's signed
// word (or, for ErrRejected, a request that was never sent because it could not
// be valid). Everything else is payment.ErrProviderBusy: the outcome is unknown
// and the same call with the same numbers may be repeated. Only questions (GET)
// are repeated here, once, after a network error. No error text holds a body, a
// key or a plaintext; the platform's error code and request id are in the cause.
//
// # Sources
//
// WeChat Pay merchant documentation, API v3 (pay.weixin.qq.com):
//   - request signature, five lines: wiki/doc/apiv3/wechatpay/wechatpay4_0.shtml
//   - verifying answers and callbacks over the raw body, the empty one of a 204:
//     docs/merchant/development/interface-rules/build-verify-sign-src.html
//   - public key and platform certificates side by side: doc/v3/merchant/4012154180;
//     the request's Wechatpay-Serial: doc/v3/partner/4015139289
//   - callback resource, 32-byte key, 12-byte nonce, associated data of at most
//     16 bytes and possibly none: docs/merchant/products/notification/decryption.html
//   - query by out_trade_no: doc/v3/merchant/4013070356
//   - close: doc/v3/merchant/4013070360
//   - Native order, refund and refund query: the same collection
//
// Probes (WECHATPAY/SIGNTEST/) and the five minutes of skew: controls C29 and
// the payment notes of this project, after the pages on verification.
package wechatpay
