// Package clock is the injected source of time. Code outside the vocabulary
// asks a Clock instead of the system, so that a test decides what time it is;
// inside a transaction the time is the transaction's one reading.
package clock
