package histories

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"panshi/internal/checkout"
	"panshi/internal/db"
	"panshi/internal/errs"
	"panshi/internal/order"
)

// client is one of many that use a shop at the same time.
type client struct {
	*run
	svc   *checkout.Service
	n     int
	dice  *rand.Rand
	asked int
	mine  *deal // the last that it made
	log   []event
}

// event is one operation on one SKU, as its client met it.
type event struct {
	client    int
	in        input
	out       output
	call, ret int64 // ns since the run began; ret is forever if the answer was lost
	deal      *deal
	settled   bool // out.cards are what the order has in the end
}

// forever is when an operation returns whose answer was lost.
const forever = int64(1) << 62

// try is one call and its answer.
type try struct {
	call, ret int64
	err       error
}

// insist calls until it knows what came of it, as clients do that have an
// idempotency key. lost is when it called without getting an answer.
func (c *client) insist(ask func(context.Context) error) (lost []int64, last try) {
	for n := range 40 {
		last = c.try(n, ask)
		if !isLost(last.err) && (len(lost) == 0 || !isBusy(last.err)) {
			return lost, last
		}
		if isLost(last.err) {
			lost = append(lost, last.call)
		}
	}
	c.wrong.add("client %d: the shop gives no answer: %v", c.n, last.err)
	return lost, last
}

// try calls once. Some clients leave early.
func (c *client) try(n int, ask func(context.Context) error) try {
	ctx, cancel := context.WithCancel(c.t.Context())
	if n == 0 && c.dice.IntN(25) == 0 {
		ctx, cancel = context.WithTimeout(c.t.Context(), time.Duration(c.dice.IntN(3000))*time.Microsecond)
	}
	defer cancel()
	t := try{call: c.now()}
	t.err = ask(ctx)
	t.ret = c.now()
	return t
}

func isLost(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) ||
		errs.CodeOf(err) == db.ErrUnknown.Code
}

func isBusy(err error) bool {
	switch errs.CodeOf(err) {
	case db.ErrBusy.Code, db.ErrTimeout.Code, "stock_busy":
		return true
	}
	return false
}

// note writes an operation down, and those before whose answer was lost.
func (c *client) note(d *deal, k kind, lost []int64, wasLost verdict, last try, v verdict) {
	c.ops.Add(int64(len(lost) + 1))
	for _, call := range lost {
		c.write(d, k, wasLost, call, forever)
	}
	c.write(d, k, v, last.call, last.ret)
}

func (c *client) write(d *deal, k kind, v verdict, call, ret int64) {
	for _, l := range d.lines {
		c.log = append(c.log, event{
			client: c.n, deal: d, call: call, ret: ret, out: output{verdict: v},
			in: input{sku: l.n, kind: k, order: l.order, quantity: l.quantity, mixed: len(d.lines) > 1},
		})
	}
}

// step does one thing that somebody does in a shop.
func (c *client) step() {
	d := c.mine
	if d == nil || c.dice.IntN(3) == 0 {
		d = c.pool.any(c.dice.IntN)
	}
	if d == nil || c.dice.IntN(100) < 38 {
		c.reserve()
		return
	}
	seems, payments := d.look()
	chances := map[phase][]int{ // of pay, deliver, cancel, expire, refund
		held: {70, 0, 12, 14, 4}, gone: {15, 45, 20, 15, 5}, sold: {8, 32, 15, 10, 35},
		tooLate: {10, 40, 10, 10, 30}, refunded: {10, 40, 10, 10, 30},
	}[seems]
	if seems == held && len(payments) > 0 {
		chances = []int{5, 70, 10, 12, 3}
	}
	at := 0
	for n := c.dice.IntN(100); n >= chances[at]; at++ {
		n -= chances[at]
	}
	[]func(*deal){c.pay, c.deliver, c.cancel, c.expire, c.refund}[at](d)
}

// reserve orders one SKU, or two.
func (c *client) reserve() {
	c.asked++
	key := fmt.Sprintf("%d-%d-%d", c.number, c.n, c.asked)
	d := c.choose()
	r := checkout.PlaceRequest{MerchantID: c.merchant, Key: key, BodyDigest: []byte(key), Contact: c.contact, Lang: "en"}
	for _, l := range d.lines {
		r.Lines = append(r.Lines, checkout.PlaceLine{SKUID: l.id, Quantity: l.quantity})
	}
	lost, last := c.insist(func(ctx context.Context) (err error) {
		d.Placed, err = c.svc.Place(ctx, r)
		return err
	})
	code := errs.CodeOf(last.err)
	switch {
	case last.err == nil && d.Repeated && len(lost) > 0:
		c.note(d, reserve, lost, stands, last, repeated)
	case last.err == nil:
		c.note(d, reserve, lost, nothing, last, done)
	case code == "sold_out" && len(d.lines) == 1:
		c.note(d, reserve, lost, nothing, last, soldOut)
	default:
		c.note(d, reserve, lost, nothing, last, nothing)
		c.expect(last.err, "sold_out")
	}
	if last.err == nil {
		c.keep(d)
	}
}

// keep looks which cards an order holds before anybody else knows of it.
func (c *client) keep(d *deal) {
	rows, err := c.rows(`order_id = $1`, d.Order.ID)
	if err != nil {
		c.wrong.add("client %d: %v", c.n, err)
	}
	for i := range c.log {
		if e := &c.log[i]; e.deal == d {
			e.out.cards = d.lineOf(e.in.sku).cardsOf(rows)
		}
	}
	d.seems = held
	c.mine = d
	c.pool.add(d)
}

func (d *deal) lineOf(sku int) line {
	for _, l := range d.lines {
		if l.n == sku {
			return l
		}
	}
	return line{}
}

// choose draws what to order.
func (c *client) choose() *deal {
	d := &deal{}
	add := func(g *goods) {
		d.lines = append(d.lines, line{g, int(c.orders[g.n].Add(1)), 1 + c.dice.IntN(3)})
	}
	switch n := c.dice.IntN(100); {
	case n < 8:
		add(c.goods[c.dice.IntN(scarce)])
		add(c.goods[scarce+c.dice.IntN(plenty)])
	case n < 45:
		add(c.goods[c.dice.IntN(scarce)])
	case n < 88:
		add(c.goods[scarce+c.dice.IntN(plenty)])
	default:
		add(c.goods[scarce+plenty+c.dice.IntN(counted)])
	}
	return d
}

// expect fails the run for an answer that this shop should not give.
func (c *client) expect(err error, codes ...string) {
	if err == nil || isBusy(err) || isLost(err) {
		return
	}
	code := errs.CodeOf(err)
	for _, known := range codes {
		if code == known {
			return
		}
	}
	c.wrong.add("client %d: %s: %v", c.n, code, err)
}

// status reads an order; it insists.
func (c *client) status(d *deal) (o order.Order, err error) {
	for range 40 {
		var v checkout.View
		v, err = c.svc.Order(c.t.Context(), c.merchant, d.Order.No, d.AccessToken)
		if err == nil {
			return v.Order, nil
		}
	}
	c.wrong.add("client %d: %v", c.n, err)
	return o, err
}
