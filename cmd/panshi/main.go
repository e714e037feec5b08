package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/term"
)

func main() {
	t := &terminal{
		in: os.Stdin, out: os.Stdout, err: os.Stderr,
		live: term.IsTerminal(int(os.Stderr.Fd())),
	}
	ctx := untilSignal(context.Background(), t)
	err := run(ctx, t, os.Args[1:])
	if line := explain(ctx, err); line != "" {
		fmt.Fprintln(t.err, "panshi: "+line)
	}
	os.Exit(exitCode(err))
}

// untilSignal ends at the first SIGINT or SIGTERM, for an orderly stop. The
// second one ends the process at once.
func untilSignal(ctx context.Context, t *terminal) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	go func() {
		<-signals
		if t.live {
			fmt.Fprintln(t.err, "\nstopping; once more to stop at once")
		}
		cancel()
		<-signals
		os.Exit(exitFailure)
	}()
	return ctx
}
