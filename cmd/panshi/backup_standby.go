package main

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"panshi/internal/backup/lease"
)

// tellLease tells under which epoch a shop writes, and who follows it.
func tellLease(out io.Writer, l *lease.Status, standbys []lease.Follower) {
	if l == nil {
		return
	}
	fmt.Fprintf(out, "lease at %s: epoch %d", oneLine(l.Label), l.Epoch)
	switch {
	case l.Failure != "":
		fmt.Fprintf(out, ", FAILING: %s", oneLine(l.Failure))
	case !l.Confirmed.IsZero():
		fmt.Fprintf(out, ", confirmed %s", localTime(l.Confirmed))
	}
	fmt.Fprintln(out)
	if len(standbys) == 0 {
		return
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "STANDBY\tSEEN\tSTATE OF\tTRANSACTION\tBEHIND\tSTATE")
	for _, f := range standbys {
		state := "follows"
		if f.Failure != "" {
			state = "FAILING: " + oneLine(f.Failure)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", oneLine(f.Node), localTime(f.At()), localTime(f.StateAt()), count(int64(f.Transaction)),
			(time.Duration(f.BehindMS) * time.Millisecond).Round(time.Second), state)
	}
	_ = w.Flush() // a terminal that has gone is nobody to tell
}
