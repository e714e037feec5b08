// Package paynotify takes the callbacks of payment platforms, at
//
//	POST /notify/{provider}/{account}
//
// where account is the id of one of our payment accounts. A callback is the
// word of a stranger until its account's provider has verified the signature
// over the bytes as they came; nothing else of it is looked at before. What is
// verified goes to checkout, which decides; here is no rule about money.
//
// The answer tells the platform whether to come again: 200 and the platform's
// own word (WeChat Pay {"code":"SUCCESS"}, Alipay success) once the report is
// durably dealt with, whatever it did, and else a status of 400 and above with
// {"code":"FAIL","message":…}, where message is our error code, or failure. It comes within answerIn, because a platform that waits longer has
// given up and counts the callback as failed.
//
// Whatever is refused leaves exactly one line "callback refused" in the log,
// with code, account, client address and request id, and for our own failures
// the cause. No line holds the body or a header.
package paynotify
