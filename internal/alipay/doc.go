// Package alipay is one application at Alipay's open platform, spoken to with
// the standard library's cryptography only. It implements payment.Provider for
// QR codes (precreate) and for pages that the buyer's browser is sent to (wap,
// page), and reads the platform's notifications.
//
// # What is believed
//
// An answer is one JSON object; what is signed (RSA2: SHA-256 with RSA) is the
// bytes of the member named after the method, exactly as they came. They are
// cut out unparsed, verified, and only then read. An answer without a
// signature, or signed by another certificate than ours, is not believed. A
// notification is a form; its decoded parameters but sign and sign_type, in
// order of their names, are what is signed.
//
// An answer does not repeat the question, so numbers in it are compared with
// those asked for. It names neither seller nor application: both are the ones
// under whose key the question was signed.
//
// The page to which a buyer comes back after paying proves nothing, whatever
// parameters it has; the shop shows the order, and asks.
//
// # What an error means
//
// As in package wechatpay: payment.ErrRejected, ErrNotFound and ErrAlreadyPaid
// are the platform's signed word; everything else is payment.ErrProviderBusy,
// and the same call with the same numbers may be repeated.
//
// # What is particular to Alipay
//
//   - Until the buyer scanned the code or opened the page, the platform has no
//     trade: a query says ErrNotFound, and closing has nothing to close, while
//     the code can still be paid. So every request carries time_expire, and
//     what comes late goes the way of all late money.
//   - TRADE_CLOSED means "never paid" and "paid, then wholly refunded" alike;
//     the time of payment tells them apart.
//   - A refund has no number but ours and mostly succeeds at once.
//   - An application works with a public key or with certificates, not both.
//
// # Sources
//
// Alipay open platform documentation (opendocs.alipay.com): signing and
// verifying (common/02kdnc, 02kf5q, 02mse7), alipay.trade.precreate (02ekfg),
// wap.pay (02ivbs), page.pay (028r8t), query (02ekfh), close (02o6e7), refund
// (02ekfk), fastpay.refund.query (028sma), asynchronous notification (204/105301),
// certificate serial numbers (common/057k53). Also the payment notes of this
// project and controls C29, C37.
package alipay
