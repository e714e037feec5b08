package histories

import (
	"context"
	"errors"
	"fmt"

	"panshi/internal/checkout"
	"panshi/internal/db"
	"panshi/internal/errs"
	"panshi/internal/id"
	"panshi/internal/order"
	"panshi/internal/payment"
)

// pay starts a payment, and mostly pays it.
func (c *client) pay(d *deal) {
	c.asked++
	r := checkout.PayRequest{
		MerchantID: c.merchant, OrderNo: d.Order.No, Token: d.AccessToken, Key: fmt.Sprintf("p%d-%d", c.n, c.asked),
	}
	var p payment.Payment
	lost, last := c.insist(func(ctx context.Context) (err error) {
		p, err = c.svc.StartPayment(ctx, r)
		return err
	})
	// A repeat tells of a payment that began before, perhaps for an order that
	// is closed by now.
	if last.err != nil || len(lost) > 0 {
		c.note(d, pay, lost, nothing, last, nothing)
	} else {
		c.note(d, pay, lost, nothing, last, done)
	}
	c.expect(last.err, "order_not_payable", "too_many_payments", "payment_busy")
	if last.err == nil {
		if c.dice.IntN(5) > 0 {
			c.leave(d, p.No)
		}
		d.addPayment(p.No)
	}
}

// leave has the platform get money that nobody tells the shop of. From that
// moment on whoever closes the order may hear of it there and serve it.
func (c *client) leave(d *deal, paymentNo string) {
	paid := c.now()
	if _, ok := c.till.pay(paymentNo); ok {
		c.write(d, deliver, heard, paid, forever)
	}
}

// deliver tells the shop of money.
func (c *client) deliver(d *deal) {
	_, payments := d.look()
	if len(payments) == 0 {
		return
	}
	paid := c.now()
	report, ok := c.till.pay(payments[c.dice.IntN(len(payments))])
	if !ok {
		return // closed there
	}
	var outcome checkout.Outcome
	lost, last := c.insist(func(ctx context.Context) (err error) {
		outcome, err = c.svc.Settle(ctx, c.account, report, "callback")
		return err
	})
	if last.err != nil {
		c.write(d, deliver, heard, paid, forever)
		c.note(d, deliver, lost, nothing, last, nothing)
		c.expect(last.err, "sold_out", "order_state", "stock_busy") // others were faster: the platform tells again
		return
	}
	switch outcome {
	case checkout.Settled, checkout.Late:
		v := map[checkout.Outcome]verdict{checkout.Settled: done, checkout.Late: late}[outcome]
		c.note(d, deliver, lost, nothing, last, v)
		d.seem(sold)
		c.reveal(d, v)
	case checkout.Refunding:
		c.note(d, deliver, lost, nothing, last, paidBack)
		if seems, _ := d.look(); seems != sold {
			d.seem(tooLate)
		}
	case checkout.Repeated:
		c.write(d, deliver, heard, paid, forever)
		c.note(d, deliver, lost, served, last, repeated)
	default:
		c.wrong.add("client %d: money is %s", c.n, outcome)
	}
}

// reveal looks at what was delivered.
func (c *client) reveal(d *deal, v verdict) {
	if d.lines[0].cards == nil {
		return // work that somebody has to do
	}
	var shown []checkout.Revealed
	_, last := c.insist(func(ctx context.Context) (err error) {
		shown, err = c.svc.Reveal(ctx, c.merchant, d.Order.No, d.AccessToken)
		return err
	})
	c.expect(last.err, "goods_refunded")
	if last.err != nil {
		return
	}
	for i := range c.log {
		e := &c.log[i]
		if e.deal != d || e.in.kind != deliver || e.out.verdict != v {
			continue
		}
		cards, err := d.lineOf(e.in.sku).cardsShown(shown)
		if err != nil {
			c.wrong.add("client %d: %v", c.n, err)
		}
		e.out.cards, e.settled = cards, true
	}
}

// cancel closes an order by its buyer.
func (c *client) cancel(d *deal) {
	lost, last := c.insistClosing(func(ctx context.Context) error {
		_, err := c.svc.Cancel(ctx, c.merchant, d.Order.No, d.AccessToken)
		return err
	})
	switch {
	case last.err == nil:
		c.note(d, release, lost, closed, last, done)
		d.seem(gone)
	case errs.CodeOf(last.err) == "order_state":
		c.notClosed(d, lost, last)
	default:
		c.note(d, release, lost, nothing, last, nothing)
		c.expect(last.err, "payment_checking")
	}
}

// insistClosing is insist for what takes several steps: a failure of any kind
// may have come after the step that counts.
func (c *client) insistClosing(ask func(context.Context) error) (lost []int64, last try) {
	return c.insist(func(ctx context.Context) error {
		err := ask(ctx)
		if isBusy(err) {
			return fmt.Errorf("%w: %w", context.Canceled, err)
		}
		return err
	})
}

// notClosed notes a closing that was refused. If the order was closed at some
// time nevertheless, and served later, this may have been it.
func (c *client) notClosed(d *deal, lost []int64, last try) {
	o, err := c.status(d)
	if err == nil && !o.ClosedAt.IsZero() {
		c.note(d, release, lost, closed, last, closed)
		return
	}
	c.note(d, release, lost, served, last, refused)
}

// expire lets an order's time be over. At times its platform is out of reach,
// so that it can still be paid.
func (c *client) expire(d *deal) {
	_, payments := d.look()
	if c.dice.IntN(3) == 0 {
		c.till.ignore(payments)
	}
	last := try{call: c.now()}
	c.makeDue(d)
	c.sweep("orders.expire")
	o, err := c.status(d)
	last.ret, last.err = c.now(), err
	switch {
	case last.err != nil || o.Status == order.Pending:
		c.note(d, release, []int64{last.call}, closed, last, nothing) // it is due now: another's sweep may close it later
	case o.Status == order.Closed:
		c.note(d, release, nil, "", last, done)
		d.seem(gone)
	default:
		c.notClosed(d, nil, last)
	}
}

func (c *client) makeDue(d *deal) {
	var err error
	for range 40 {
		err = c.db.Update(c.t.Context(), func(tx *db.Tx) error {
			_, err := tx.Exec(`UPDATE orders SET due_at = 1, expires_at = 1 WHERE id = $1 AND status = 'pending'`, d.Order.ID)
			return err
		})
		if err == nil {
			return
		}
	}
	c.wrong.add("client %d: %v", c.n, err)
}

// sweep runs one of the shop's sweeps. It fails with the orders of others too,
// so what it says tells nothing of one.
func (c *client) sweep(name string) {
	for _, s := range c.svc.Sweeps() {
		if s.Name == name {
			_, err := s.Run(c.t.Context())
			for _, err := range unjoin(err) {
				c.expect(err, "payment_busy", "order_state", "stock_busy") // others were faster
			}
		}
	}
}

func unjoin(err error) []error {
	var joined interface{ Unwrap() []error }
	if errors.As(err, &joined) {
		return joined.Unwrap()
	}
	return []error{err}
}

// refund orders the money back.
func (c *client) refund(d *deal) {
	lost, last := c.insist(func(ctx context.Context) error {
		_, err := c.svc.RefundOrder(ctx, checkout.RefundRequest{
			MerchantID: c.merchant, OrderNo: d.Order.No, Key: id.New().String(), Reason: "because",
		})
		return err
	})
	switch {
	case last.err == nil:
		c.note(d, refund, lost, nothing, last, done)
		d.seem(refunded)
	case errs.CodeOf(last.err) == "order_state", errs.CodeOf(last.err) == "nothing_to_refund":
		c.note(d, refund, lost, back, last, refused)
	default:
		c.note(d, refund, lost, nothing, last, nothing)
		c.expect(last.err)
	}
	if c.dice.IntN(8) == 0 {
		c.sweep("refunds.push")
	}
}
