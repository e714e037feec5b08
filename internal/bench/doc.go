// Package bench measures a shop: the real program as a process of its own, on
// loopback, on scratch data, bounded in time and in number. Beside each
// scenario it measures a reference in the same run, turn by turn on the same
// cores, so that what the machine does to both cancels: figures of different
// days compare by their ratio, not by their rate.
//
// The load generator is this process; shop and references are children of the
// same binary, so that the CPU time of each can be told apart. A reference is
// what remains when the shop is taken away:
//
//	list, detail, sold_out   net/http that writes the captured bytes of the shop's answer
//	order, reveal, import    the rows that one operation must read and write, by Update of the
//	                         same engine, many operations a transaction, no HTTP and no shop
//	callback                 RSA verification and AES-GCM opening of the same callbacks
//	start                    the same binary starting to do nothing
//
// Nothing here touches a shop that exists: data lies in a new directory, and a
// database server that the caller names gets new databases. All of it is gone
// at the end, also after a signal.
package bench
