package main

import "syscall"

// clockError is the answer of adjtimex for a clock that nobody disciplines
// (TIME_ERROR).
const clockError = 5

// clockSynced asks the kernel whether something keeps the clock right.
func clockSynced() (synced, known bool) {
	var state syscall.Timex
	answer, err := syscall.Adjtimex(&state)
	return answer != clockError, err == nil
}
