package main

import (
	"cmp"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"panshi/internal/backup"
)

// tellSchedule prints what backups did last and do next by themselves.
func tellSchedule(out io.Writer, planned []backup.Planned) {
	if len(planned) == 0 {
		return
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "WORK\tDESTINATION\tLAST GOOD\tNEXT\tNOTE")
	for _, p := range planned {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", p.What, cmp.Or(oneLine(p.Label), "-"), timeOrDash(p.LastGood), timeOrDash(p.Next), cmp.Or(oneLine(p.Note), "-"))
	}
	_ = w.Flush() // a terminal that has gone is nobody to tell
}

func timeOrDash(at time.Time) string {
	if at.IsZero() {
		return "-"
	}
	return localTime(at)
}
