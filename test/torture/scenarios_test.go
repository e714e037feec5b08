//go:build faultpoints

package torture

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"panshi/test/kit"
)

// scenario is something that buyers, staff or time do to a shop. It insists: a
// crash on the way is repeated through, as a good client would.
type scenario struct {
	name     string
	settings []string                     // of the shop
	faults   string                       // of the platform
	prepare  func(t *testing.T, w *world) // while nothing crashes
	run      func(ctx context.Context, w *world) error
}

// scenarioOf finds what passes a point.
func scenarioOf(point string) (scenario, bool) {
	for _, row := range []struct {
		prefix string
		s      scenario
	}{
		{"checkout.settle.late", late()},
		{"checkout.place", buy()},
		{"checkout.pay", buy()},
		{"checkout.settle", buy()},
		{"checkout.deliver", buy()},
		{"checkout.close", expire()},
		{"checkout.credit", payByCredit()},
		{"checkout.query", query()},
		{"checkout.refund.withdrawn", parts()},
		{"checkout.refund", refund()},
		{"jobs.", refund()},
		{"imports.cards", importCards()},
		{"imports.catalog", importCatalog()},
		{"reconcile.finish", reconcileDay(0)},
		{"reconcile.", reconcileDay(1000)},
	} {
		if strings.HasPrefix(point, row.prefix) {
			return row.s, true
		}
	}
	return scenario{}, false
}

// buy: three buyers, one after the other.
func buy() scenario {
	return scenario{name: "buy", run: func(ctx context.Context, w *world) error {
		for n := range 3 {
			if _, err := kit.Buy(ctx, w.client, w.platform, w.book, buyer(n), kit.Line{SKU: w.sku, Quantity: 2}); err != nil {
				return err
			}
		}
		return nil
	}}
}

// payByCredit: one buyer pays three orders from one account, and pays each once.
func payByCredit() scenario {
	const granted, orders = 1_000_000, 3
	return scenario{
		name: "pay by credit",
		prepare: func(_ *testing.T, w *world) {
			w.shop.CreditOn()
			w.credit = w.shop.Owner("chen").GrantByTwo(w.shop.Owner("wu-two"), "zhang@shop.example", granted)
		},
		run: func(ctx context.Context, w *world) error {
			left := int64(granted)
			for n := range orders {
				line := kit.Line{SKU: w.sku, Quantity: 2}
				o, err := w.client.Place(ctx, buyer(n), line)
				if err != nil {
					return err
				}
				e := w.book.Write(o, line.Quantity)
				pay, err := w.client.PayByCredit(ctx, kit.NewKey(), o, w.credit.Number, w.credit.Code)
				if err != nil {
					return err
				}
				e.NotePaid(pay.No)
				left -= o.Total
			}
			seen, err := w.client.Credit(ctx, w.credit.Number, w.credit.Code)
			if err == nil && seen != left {
				err = fmt.Errorf("the balance is %d instead of %d", seen, left)
			}
			return err
		},
	}
}

// query: callbacks never arrive, so the shop asks.
func query() scenario {
	s := buy()
	s.name, s.faults = "query", `{"callbacks":{"drop":true}}`
	return s
}

// expire: nobody pays.
func expire() scenario {
	return scenario{name: "expire", settings: []string{"shop.order_ttl=4s"}, run: func(ctx context.Context, w *world) error {
		for n := range 2 {
			e, _, err := kit.Begin(ctx, w.client, w.book, buyer(n), kit.Line{SKU: w.sku, Quantity: 2})
			if err != nil && kit.CodeOf(err) != "order_not_payable" { // it was down while the time ran out
				return err
			}
			if _, err := w.client.AwaitStatus(ctx, e.Placed, "closed"); err != nil {
				return err
			}
		}
		return nil
	}}
}

// late: the buyer pays in time, but the shop hears of it only after it had to
// close the order.
func late() scenario {
	return scenario{
		name: "late", settings: []string{"shop.order_ttl=3s", "shop.close_grace=0s"},
		faults: `{"callbacks":{"drop":true},"api":{"status_5xx":1000000,"paths":["query","close"]}}`,
		run: func(ctx context.Context, w *world) error {
			var told []string
			for n := range 2 {
				e, pay, err := kit.Begin(ctx, w.client, w.book, buyer(n), kit.Line{SKU: w.sku, Quantity: 2})
				if err != nil {
					return err
				}
				if err := w.platform.Pay(ctx, pay.No); err != nil {
					return err
				}
				e.NotePaid(pay.No)
				told = append(told, pay.No)
			}
			for i, e := range w.book.Entries() {
				if _, err := w.client.AwaitStatus(ctx, e.Placed, "closed"); err != nil {
					return err
				}
				if err := tell(ctx, w.platform, told[i]); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

// tell has the platform send its callback until the shop takes it.
func tell(ctx context.Context, p *kit.Platform, paymentNo string) error {
	for {
		status, err := p.TryCallback(ctx, paymentNo, "")
		if err != nil || status/100 == 2 {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// refund: buyers pay twice, and get the second payment back.
func refund() scenario {
	return scenario{name: "refund", run: func(ctx context.Context, w *world) error {
		for n := range 2 {
			e, first, err := kit.Begin(ctx, w.client, w.book, buyer(n), kit.Line{SKU: w.sku, Quantity: 1})
			if err != nil {
				return err
			}
			second, err := w.client.StartPayment(ctx, e.Placed)
			if err != nil {
				return err
			}
			for _, pay := range []kit.Payment{first, second} {
				if err := w.platform.Pay(ctx, pay.No); err != nil {
					return err
				}
				e.NotePaid(pay.No)
			}
			if err := awaitRefund(ctx, w, e); err != nil {
				return err
			}
		}
		return nil
	}}
}

// awaitRefund waits until exactly one of an order's two payments was paid back.
func awaitRefund(ctx context.Context, w *world, e *kit.Entry) error {
	for {
		o, err := w.client.Order(ctx, e.Placed)
		switch {
		case err != nil:
			return err
		case len(o.Refunds) > 1:
			return fmt.Errorf("order %s: %d refunds", o.No, len(o.Refunds))
		case len(o.Refunds) == 1 && o.Refunds[0].Status == "succeeded":
			if o.Refunds[0].Amount != o.Total || o.Status != "delivered" {
				return fmt.Errorf("order %s: %s, %d paid back", o.No, o.Status, o.Refunds[0].Amount)
			}
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.New("no refund in time")
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// parts: staff gives an order back in three parts, and again what a crash left
// unanswered, with the same key. The platform makes three refunds.
func parts() scenario {
	return scenario{name: "refund in parts", run: func(ctx context.Context, w *world) error {
		staff := w.shop.Owner("mei")
		e, pay, err := kit.Begin(ctx, w.client, w.book, buyer(0), kit.Line{SKU: w.sku, Quantity: 3})
		if err != nil {
			return err
		}
		if err := w.platform.Pay(ctx, pay.No); err != nil {
			return err
		}
		e.NotePaid(pay.No)
		if _, err := w.client.AwaitStatus(ctx, e.Placed, "delivered"); err != nil {
			return err
		}
		item := e.Total / 3
		for _, part := range []map[string]any{
			{"lines": []map[string]int{{"line_no": 1, "quantity": 1}}}, {"amount": 7}, nil,
		} {
			if _, err := staff.Refund(ctx, e.Placed, part); err != nil {
				return err
			}
		}
		if _, err := w.client.AwaitStatus(ctx, e.Placed, "refunded"); err != nil {
			return err
		}
		made, err := w.platform.RefundsOf(ctx, pay.No)
		slices.Sort(made)
		if want := []int64{7, item, 2*item - 7}; err == nil && !slices.Equal(made, want) {
			err = fmt.Errorf("the platform gave back %d, not %d", made, want)
		}
		return err
	}}
}

// importCards: a file of several chunks, imported again after the crash. What
// was stored before it is not stored twice, and nothing is missing.
func importCards() scenario {
	const slug, n = "resumed", 1000
	return scenario{name: "import cards", run: func(ctx context.Context, w *world) error {
		sheet := filepath.Join(w.dir, "catalog.csv")
		row := fmt.Sprintf("slug,kind,title,sku,price\n%s,card,Resumed,%s,1.00\n", slug, slug)
		cards := filepath.Join(w.dir, "cards.txt")
		if err := errors.Join(os.WriteFile(sheet, []byte(row), 0o600),
			os.WriteFile(cards, []byte(strings.Join(kit.Keys("RESUMED", n), "\n")), 0o600)); err != nil {
			return err
		}
		if r := w.shop.Run("import", "catalog", sheet); r.Code != 0 {
			return fmt.Errorf("catalogue: %s%s", r.Out, r.Err)
		}
		if err := importTwice(ctx, w, "cards", "--sku", slug, cards); err != nil {
			return err
		}
		return w.requireShelf(ctx, slug, n)
	}}
}

// importCatalog: more products than one transaction takes.
func importCatalog() scenario {
	return scenario{name: "import catalogue", run: func(ctx context.Context, w *world) error {
		var b strings.Builder
		b.WriteString("slug,kind,title,sku,price,stock\n")
		for i := range 120 {
			fmt.Fprintf(&b, "resumed-%d,manual,Resumed %d,resumed-%d,1.00,%d\n", i, i, i, 7)
		}
		sheet := filepath.Join(w.dir, "catalog.csv")
		if err := os.WriteFile(sheet, []byte(b.String()), 0o600); err != nil {
			return err
		}
		if err := importTwice(ctx, w, "catalog", sheet); err != nil {
			return err
		}
		for _, i := range []int{0, 60, 119} {
			if err := w.requireShelf(ctx, fmt.Sprintf("resumed-%d", i), 7); err != nil {
				return err
			}
		}
		return nil
	}}
}

// importTwice imports through the running shop, which dies of it, and again
// when the shop is back.
func importTwice(ctx context.Context, w *world, args ...string) error {
	args = append([]string{"import"}, args...)
	if r := w.shop.Run(args...); r.Code != 1 {
		return fmt.Errorf("through a shop that dies: exit code %d instead of 1: %s%s", r.Code, r.Out, r.Err)
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-w.restarted:
	}
	if r := w.shop.Run(args...); r.Code != 0 {
		return fmt.Errorf("again: exit code %d: %s%s", r.Code, r.Out, r.Err)
	}
	return nil
}

// requireShelf looks how much of a product buyers see, which shows a second
// after a change at the latest.
func (w *world) requireShelf(ctx context.Context, slug string, available int64) error {
	for tries := 0; ; tries++ {
		seen, err := w.shelf(ctx, slug)
		if err != nil || seen == available {
			return err
		}
		if tries == 150 {
			return fmt.Errorf("%s: %d available instead of %d", slug, seen, available)
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (w *world) shelf(ctx context.Context, slug string) (available int64, err error) {
	all, err := w.client.ListProducts(ctx)
	for _, p := range all {
		if p.Slug == slug {
			return p.Available, nil
		}
	}
	if err == nil {
		err = fmt.Errorf("no product %s", slug)
	}
	return 0, err
}
