package bench

import (
	"context"
	"errors"
	"fmt"
)

const bareHTTP = "net/http that writes the same bytes"

func (r *run) list(ctx context.Context) error { return r.cached(ctx, List, "/api/v1/products") }

func (r *run) detail(ctx context.Context) error {
	return r.cached(ctx, Detail, "/api/v1/products/"+r.shop.product)
}

// cached measures a page that is the same for everybody.
func (r *run) cached(ctx context.Context, name, path string) error {
	request := func(addr string) []byte { return []byte("GET " + path + " HTTP/1.1\r\n" + head(addr) + "\r\n") }
	return r.echoed(ctx, name, "page", func(addr string) (int, func(int64, []byte) []byte) {
		raw := request(addr)
		return 200, func(int64, []byte) []byte { return raw }
	})
}

// echoed measures a scenario whose reference gives the shop's own answer back.
// form makes the requests of one side.
func (r *run) echoed(ctx context.Context, name, unit string, form func(addr string) (want int, each func(int64, []byte) []byte)) error {
	s := r.shop
	want, each := form(s.addr)
	a, err := fetch(ctx, s.addr, each(0, nil))
	if err == nil && a.Status != want {
		err = fmt.Errorf("%s: status %d: %s", name, a.Status, a.Body)
	}
	if err != nil {
		return err
	}
	echo, err := r.part("http", echoSpec(a))
	if err != nil {
		return err
	}
	var ready result
	if err := echo.hear(ctx, &ready); err != nil {
		return err
	}
	ours, err := open(ctx, r.cfg.Clients, target{addr: s.addr, want: want, form: each})
	if err != nil {
		return err
	}
	defer ours.close() // nothing is left to be sent
	ours.seq.Store(1)
	_, theirs := form(ready.Addr)
	refs, err := open(ctx, r.cfg.Clients, target{addr: ready.Addr, want: want, form: theirs})
	if err != nil {
		return err
	}
	defer refs.close() // as above
	var problems []string
	d := &duel{
		result: Result{Scenario: name, Size: s.behind, Reference: bareHTTP, Unit: unit},
		shop:   byLoad(ours, &problems), ref: byLoad(refs, &problems), shopPID: s.pid(), refPID: echo.pid(), serverID: r.store.server(),
	}
	return errors.Join(r.duel(ctx, d, problems), echo.stop())
}
