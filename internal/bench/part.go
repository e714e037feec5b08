package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"panshi/internal/bulk"
	"panshi/internal/db"
	"panshi/internal/db/postgres"
	"panshi/internal/db/sqlite"
	"panshi/internal/errs"
	"panshi/internal/vault"
)

// Parts is the command by which a bench starts its references. It is nothing
// for people.
const Parts = "bench-part"

// command tells a reference to work for a time, or for a number of operations.
type command struct {
	Nanos time.Duration `json:"nanos,omitempty"`
	Count int64         `json:"count,omitempty"`
}

// result is what it answers: one line of JSON. The first line a reference says
// is a result too, with the address where it listens, if it does.
type result struct {
	Ops   int64         `json:"ops"`
	Nanos time.Duration `json:"nanos"`
	Addr  string        `json:"addr,omitempty"`
	Error string        `json:"error,omitempty"`
}

// RunPart is a child of a bench: it reads its specification and then commands
// from in, a line each, and answers on out, until in ends.
func RunPart(ctx context.Context, kind string, in io.Reader, out io.Writer) error {
	lines := bufio.NewReaderSize(in, 64<<10)
	spec, err := lines.ReadBytes('\n')
	if err != nil {
		return errs.New(errs.Invalid, "usage", Parts+" is for `panshi bench` itself")
	}
	w, err := newWorker(ctx, kind, spec)
	if err != nil {
		return err
	}
	say := json.NewEncoder(out)
	if err := say.Encode(w.ready); err != nil {
		return err
	}
	for {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return w.close()
		}
		var c command
		if err := errors.Join(err, json.Unmarshal(line, &c)); err != nil {
			return err
		}
		begin := time.Now()
		n, err := w.work(ctx, c)
		r := result{Ops: n, Nanos: time.Since(begin)}
		if err != nil {
			r.Error = err.Error()
		}
		if err := say.Encode(r); err != nil {
			return err
		}
	}
}

// worker is what one kind of reference does.
type worker struct {
	ready result
	work  func(ctx context.Context, c command) (int64, error)
	close func() error
}

func newWorker(ctx context.Context, kind string, spec []byte) (worker, error) {
	switch kind {
	case "http":
		return newEcho(spec)
	case "sql":
		return newRows(ctx, spec)
	case "verify":
		return newVerifier(spec)
	case "fill":
		return fill(ctx, spec)
	}
	return worker{}, errs.New(errs.Invalid, "usage", fmt.Sprintf("no part of a bench is called %q", kind))
}

// part starts a reference and waits until it is ready.
func (w *workshop) part(kind string, spec any) (*child, error) {
	c, err := w.spawn(kind, Parts, kind)
	if err == nil {
		err = c.say(spec)
	}
	return c, err
}

// ask has a reference work.
func (c *child) ask(ctx context.Context, work command) (result, error) {
	var r result
	err := c.say(work)
	if err == nil {
		err = c.hear(ctx, &r)
	}
	if err == nil && r.Error != "" {
		err = c.explain(errors.New(r.Error))
	}
	return r, err
}

// until runs step, which tells how many operations it did, until the command
// is fulfilled.
func (c command) until(ctx context.Context, step func() (int64, error)) (n int64, err error) {
	end := time.Now().Add(c.Nanos)
	for ctx.Err() == nil && err == nil {
		if c.Count > 0 && n >= c.Count || c.Count == 0 && !time.Now().Before(end) {
			return n, nil
		}
		var done int64
		done, err = step()
		n += done
	}
	return n, errors.Join(err, ctx.Err())
}

// openPlace opens a database as the shop would.
func openPlace(ctx context.Context, p place) (db.DB, func() error, error) {
	if p.Engine == db.Postgres {
		d, err := postgres.Open(ctx, postgres.Config{URL: p.URL})
		if err != nil {
			return nil, nil, err
		}
		return d, d.Close, nil
	}
	d, err := sqlite.Open(ctx, sqlite.Config{Dir: p.Dir})
	if err != nil {
		return nil, nil, err
	}
	return d, d.Close, nil
}

// fillSpec says what history to write, and whose keys seal it.
type fillSpec struct {
	Place  place  `json:"place"`
	Data   string `json:"data"`
	Orders int64  `json:"orders"`
}

// fill writes a history before it says that it is ready.
func fill(ctx context.Context, raw []byte) (worker, error) {
	var spec fillSpec
	if err := json.Unmarshal(raw, &spec); err != nil {
		return worker{}, err
	}
	d, closeDB, err := openPlace(ctx, spec.Place)
	if err != nil {
		return worker{}, err
	}
	v, err := vault.Open(vault.DefaultConfig(spec.Data))
	var made bulk.Shop
	if err == nil {
		made, err = bulk.Fill(ctx, d, v, bulk.Size{Orders: int(spec.Orders), CardsPerSKU: 100, Slug: "history"})
	}
	if err := errors.Join(err, closeDB()); err != nil {
		return worker{}, err
	}
	return worker{ready: result{Ops: made.Rows}, close: func() error { return nil }}, nil
}
