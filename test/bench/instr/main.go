// Command instr runs the shop's hot requests a known number of times, one after
// the other and without a network, so that valgrind can count the instructions
// of each. It is run twice: `instr prepare DIR` makes a shop with paid orders
// whose callbacks wait to be taken, natively; `instr run DIR` then places,
// settles and reads through the shop's whole HTTP stack, and calls a function
// between the phases at which callgrind dumps and zeroes its counters.
//
// Its standard output has a line of JSON for each phase, with the number of
// operations and of allocations. See docs/decisions/0009-instruction-budget.md.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"

	"panshi/internal/app"
)

// How often each operation is counted, and how often it is done before, so that
// statements are prepared and caches are filled.
const (
	warmUp = 20
	counts = 60
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: instr prepare|run DIR")
		os.Exit(2)
	}
	do := map[string]func(context.Context, string) error{"prepare": prepare, "run": run}[os.Args[1]]
	if do == nil {
		fmt.Fprintln(os.Stderr, "instr: no such step:", os.Args[1])
		os.Exit(2)
	}
	if err := do(context.Background(), os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "instr:", err)
		os.Exit(1)
	}
}

// config is a shop in dir without limits, as in a load test.
func config(dir, sandbox string) (app.Config, error) {
	return app.Load(app.Flags{
		Data: filepath.Join(dir, "shop"),
		Set: []string{
			"http=127.0.0.1:0", "console=127.0.0.1:0", "guard.limits=off", "worker=off", "shop.order_ttl=24h", "sandbox.url=" + sandbox,
		},
	})
}

func quiet() *slog.Logger {
	return slog.New(slog.NewJSONHandler(io.Discard, &slog.HandlerOptions{Level: slog.LevelInfo}))
}

// Phase is what one operation took, all together.
type Phase struct {
	Name   string `json:"name"`
	Ops    int    `json:"ops"`
	Allocs uint64 `json:"allocs"`
	Bytes  uint64 `json:"bytes"`
}

// run does every operation warmUp and then counts times.
func run(ctx context.Context, dir string) (err error) {
	cfg, err := config(dir, "http://127.0.0.1:1")
	if err != nil {
		return err
	}
	plan, err := readPlan(dir)
	if err != nil {
		return err
	}
	shop, err := app.OpenLocal(ctx, cfg, quiet())
	if err != nil {
		return err
	}
	defer func() {
		if err2 := shop.Close(); err == nil {
			err = err2
		}
	}()
	handler, err := shop.Public()
	if err != nil {
		return err
	}
	say := json.NewEncoder(os.Stdout)
	for _, op := range plan.ops(handler) {
		if err := warm(op); err != nil {
			return fmt.Errorf("%s: %w", op.name, err)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		mark()
		for i := range counts {
			if err := op.do(warmUp + i); err != nil {
				return fmt.Errorf("%s: %w", op.name, err)
			}
		}
		mark()
		runtime.ReadMemStats(&after)
		if err := say.Encode(Phase{op.name, counts, after.Mallocs - before.Mallocs, after.TotalAlloc - before.TotalAlloc}); err != nil {
			return err
		}
	}
	return nil
}

// warm repeats what fails: under valgrind on a busy machine the first of a kind
// may take longer than the shop allows. All of them may be repeated.
func warm(o op) error {
	for i := range warmUp {
		err := o.do(i)
		for range 5 {
			if err == nil {
				break
			}
			err = o.do(i)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// mark is where callgrind dumps its counters (--dump-before=main.mark) and
// begins anew.
//
//go:noinline
func mark() { runtime.KeepAlive(os.Args) }
