package bench

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// order is one that was placed.
type order struct{ no, token string }

// placing formats orders: each has a key and a contact of its own. Only digits
// change from one to the next.
func placing(addr string, sku func(seq int64) string) func(int64, []byte) []byte {
	run := rand.Text()[:10]
	const email = "b000000000000@example.com"
	length := len(`{"lines":[{"sku_id":"","quantity":1}],"contact":{"email":""}}`) + 36 + len(email)
	first := "POST /api/v1/orders HTTP/1.1\r\n" + head(addr) + "Content-Type: application/json\r\nContent-Length: " +
		strconv.Itoa(length) + "\r\nIdempotency-Key: " + run + "-"
	return func(seq int64, buf []byte) []byte {
		buf = append(buf, first...)
		buf = twelve(buf, seq)
		buf = append(buf, "\r\n\r\n{\"lines\":[{\"sku_id\":\""...)
		buf = append(buf, sku(seq)...)
		buf = append(buf, `","quantity":1}],"contact":{"email":"b`...)
		buf = twelve(buf, seq)
		return append(buf, `@example.com"}}`...)
	}
}

// twelve appends twelve digits.
func twelve(buf []byte, n int64) []byte {
	for at := int64(100_000_000_000); at > 0; at /= 10 {
		buf = append(buf, byte('0'+n/at%10))
	}
	return buf
}

// buying directs orders at the cards that are left, product by product.
func (s *shop) buying() target {
	from := s.taken
	return target{addr: s.addr, want: 201, limit: s.left(), form: placing(s.addr, func(seq int64) string {
		return s.skus[(from+seq)/s.behind]
	})}
}

// bought notes what a load has taken.
func (s *shop) bought(l *load) { s.taken += min(l.seq.Load(), l.limit) }

func (r *run) orders(ctx context.Context) error {
	s := r.shop
	ref, err := r.rowsOf(ctx, Order)
	if err != nil {
		return err
	}
	l, err := open(ctx, r.cfg.Clients, s.buying())
	if err != nil {
		return err
	}
	var problems []string
	d := &duel{
		result: Result{Scenario: Order, Size: s.behind, Reference: "the same rows by Update, 64 orders a commit", Unit: "order"},
		shop:   byLoad(l, &problems), ref: byPart(ref), shopPID: s.pid(), refPID: ref.pid(), serverID: r.store.server(),
	}
	err = d.fight(ctx, r.cfg.Rounds, r.cfg.round())
	s.bought(l)
	if err = errors.Join(err, l.close(), ref.stop()); err != nil {
		return err
	}
	if d.result.At80, err = r.at80(ctx, d.result.Rate*0.8, &problems); err != nil {
		return err
	}
	r.keep1(d.result, problems)
	return nil
}

// at80 places orders at a fixed rate.
func (r *run) at80(ctx context.Context, rate float64, problems *[]string) (*Paced, error) {
	if rate <= 0 {
		return nil, errors.New("no order was placed")
	}
	l, err := open(ctx, r.cfg.Clients*2, r.shop.buying())
	if err != nil {
		return nil, err
	}
	got := l.paced(ctx, r.cfg.Time, rate)
	r.shop.bought(l)
	if got.fault != nil {
		*problems = append(*problems, got.fault.Error())
	}
	return &Paced{Rate: rate, Reached: got.rate(), Errors: got.errors, Latency: latencyOf(got.latencies)}, errors.Join(ctx.Err(), l.close())
}

func (r *run) soldOut(ctx context.Context) error {
	return r.echoed(ctx, SoldOut, "answer", func(addr string) (int, func(int64, []byte) []byte) {
		return 409, placing(addr, func(int64) string { return r.shop.soldOut })
	})
}

// rowsOf starts the loop of SQL that a scenario is measured against.
func (r *run) rowsOf(ctx context.Context, scenario string) (*child, error) {
	c, err := r.part("sql", rowsSpec{r.store.place(r.refName()), scenario})
	if err != nil {
		return nil, err
	}
	var ready result
	return c, c.hear(ctx, &ready)
}

// place places n orders and gives them.
func (s *shop) place(ctx context.Context, n int64, clients int) ([]order, error) {
	if n > s.left() {
		return nil, fmt.Errorf("%d orders are needed and %d cards are left", n, s.left())
	}
	placed := make([]order, n)
	t := s.buying()
	t.limit = n
	t.took = func(seq int64, body []byte) {
		var o struct {
			No    string `json:"order_no"`
			Token string `json:"access_token"`
		}
		_ = json.Unmarshal(body, &o) // an empty number fails the next step
		placed[seq] = order{o.No, o.Token}
	}
	l, err := open(ctx, clients, t)
	if err != nil {
		return nil, err
	}
	got := l.closed(ctx, time.Hour)
	s.bought(l)
	return placed, errors.Join(got.fault, ctx.Err(), l.close())
}
