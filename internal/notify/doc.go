// Package notify tells people what they must know of: mail, a signed webhook,
// and the robots of WeCom, Feishu and DingTalk. It owns alerts and
// alert_deliveries.
//
// An alert is a row that is written in the transaction of its cause (AlertTx),
// so it exists if and only if the cause does. The same code and subject is one
// open alert with a count, however often it happens.
//
//	AlertTx ──▶ open ──▶ acknowledged ──┐
//	              │                     │ ResolveTx
//	              └─────────────────────┴──▶ resolved
//
// A message about it is a row too; the sweep sends it to the first channel
// that takes it:
//
//	due ──▶ sent
//	 │ ▲
//	 │ └── failed: again after a pause; after some attempts or some time the next channel
//	 └───▶ dropped: another one says how the alert stands by now, or it ended and
//	       no channel is configured
//
// What holds: an open alert has a message; at most one message of an alert
// waits, and says how the alert stands when it is sent; a message is sent at
// least once, with an id by which a receiver knows a repeat. A message that no
// channel took goes on being tried and is told by the doctor, the console and
// metrics.
//
// No text holds a person's data, a card key or a token. What a channel needs
// to know in secret is in files that are read when it sends.
package notify
