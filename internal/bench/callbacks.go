package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"panshi/sandbox"
)

// tryCallbacks is how many callbacks tell how many more are worth preparing.
const tryCallbacks = 200

// mostCallbacks bounds them: they are signed beforehand and must be used within
// the platform's five minutes.
const mostCallbacks = 20_000

// callbackBudget is how many orders callbacks take at most.
func (r *run) callbackBudget() int64 {
	return tryCallbacks + min(mostCallbacks, int64(r.cfg.Time.Seconds()*6000)+tryCallbacks)
}

// enoughCallbacks are those that last for the time at a rate that was seen, and
// some more.
func (r *run) enoughCallbacks(rate float64) int64 {
	most := r.callbackBudget() - tryCallbacks
	return min(most, int64(r.cfg.Time.Seconds()*rate*1.5)+tryCallbacks)
}

// prepare places orders, starts their payments, and has the platform sign what
// it would send.
func (r *run) prepare(ctx context.Context, n int64) ([]order, []sandbox.Callback, error) {
	r.say(fmt.Sprintf("preparing %d payments and their callbacks", n))
	placed, err := r.shop.place(ctx, n, r.cfg.Clients)
	if err != nil {
		return nil, nil, err
	}
	numbers, err := r.shop.pay(ctx, placed)
	if err != nil {
		return nil, nil, err
	}
	signed, err := r.platform.sign(ctx, numbers)
	return placed, signed, err
}

// pay starts a payment for each order and gives their numbers. On a busy
// machine the platform may be late; then the same is asked again, which starts
// nothing twice.
func (s *shop) pay(ctx context.Context, placed []order) ([]string, error) {
	numbers := make([]string, len(placed))
	var err error
	for range 10 {
		var open []int
		for i, no := range numbers {
			if no == "" {
				open = append(open, i)
			}
		}
		if len(open) == 0 || ctx.Err() != nil {
			return numbers, ctx.Err()
		}
		err = s.payThese(ctx, placed, numbers, open)
	}
	return nil, errors.Join(errors.New("payments cannot be started"), err)
}

// payers is how many payments are started at once: each keeps both sides busy
// with signatures.
const payers = 8

func (s *shop) payThese(ctx context.Context, placed []order, numbers []string, these []int) error {
	const body = `{"channel":"wechatpay_native"}`
	l, err := open(ctx, payers, target{
		addr: s.addr, want: 201, limit: int64(len(these)),
		form: func(seq int64, buf []byte) []byte {
			o := placed[these[seq]]
			return append(buf, "POST /api/v1/orders/"+o.no+"/payments HTTP/1.1\r\n"+head(s.addr)+bearer(o)+
				"Idempotency-Key: pay-1\r\nContent-Type: application/json\r\nContent-Length: "+strconv.Itoa(len(body))+"\r\n\r\n"+body...)
		},
		took: func(seq int64, body []byte) {
			var p struct {
				No string `json:"payment_no"`
			}
			_ = json.Unmarshal(body, &p) // an empty number is asked for again
			numbers[these[seq]] = p.No
		},
	})
	if err != nil {
		return err
	}
	return errors.Join(l.closed(ctx, time.Hour).fault, l.close())
}

func bearer(o order) string { return "Authorization: Bearer " + o.token + "\r\n" }

// sign pays each payment and signs the callback about it.
func (p *platform) sign(ctx context.Context, numbers []string) ([]sandbox.Callback, error) {
	out := make([]sandbox.Callback, len(numbers))
	var next atomic.Int64
	var wg sync.WaitGroup
	var mu sync.Mutex
	var faults error
	for range 8 * runtime.GOMAXPROCS(0) { // most of them wait for a disk
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(numbers)) && ctx.Err() == nil; i = next.Add(1) - 1 {
				var err error
				if out[i], err = p.box.Presign(numbers[i]); err != nil {
					mu.Lock()
					faults = errors.Join(faults, err)
					mu.Unlock()
					return
				}
			}
		})
	}
	wg.Wait()
	return out, errors.Join(faults, ctx.Err())
}

// raw is a callback as bytes of HTTP.
func raw(addr string, c sandbox.Callback) ([]byte, error) {
	u, err := url.Parse(c.URL)
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	b.WriteString("POST " + u.Path + " HTTP/1.1\r\nHost: " + addr + "\r\nUser-Agent: Mozilla/4.0\r\n")
	for name, values := range c.Header {
		b.WriteString(name + ": " + values[0] + "\r\n")
	}
	fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", len(c.Body), c.Body)
	return []byte(b.String()), nil
}

// sending directs callbacks at the shop.
func (s *shop) sending(signed []sandbox.Callback) (target, error) {
	requests := make([][]byte, len(signed))
	for i, c := range signed {
		var err error
		if requests[i], err = raw(s.addr, c); err != nil {
			return target{}, err
		}
	}
	return target{
		addr: s.addr, want: 200, limit: int64(len(signed)),
		form: func(seq int64, _ []byte) []byte { return requests[seq] },
	}, nil
}

func (r *run) callbacks(ctx context.Context) error {
	s := r.shop
	rate, err := r.deliver(ctx)
	if err != nil {
		return err
	}
	placed, ready, err := r.prepare(ctx, r.enoughCallbacks(rate))
	if err != nil {
		return err
	}
	ref, err := r.verifier(ctx, ready)
	if err != nil {
		return err
	}
	t, err := s.sending(ready)
	if err != nil {
		return err
	}
	l, err := open(ctx, r.cfg.Clients, t)
	if err != nil {
		return err
	}
	var problems []string
	d := &duel{
		result: Result{Scenario: Callback, Size: s.behind, Reference: "RSA verify and AES-GCM open, on all cores", Unit: "callback"},
		shop:   byLoad(l, &problems), ref: byPart(ref), shopPID: s.pid(), refPID: ref.pid(), serverID: r.store.server(), warm: true,
	}
	err = d.fight(ctx, r.cfg.Rounds, r.cfg.round())
	r.paid = placed[:min(l.seq.Load(), l.limit)]
	if err = errors.Join(err, l.close(), ref.stop()); err != nil {
		return err
	}
	undelivered, err := s.undelivered(r.paid)
	if undelivered > 0 {
		d.result.Errors += undelivered
		problems = append(problems, fmt.Sprintf("of 50 orders whose callback was taken %d are not delivered", undelivered))
	}
	r.keep1(d.result, problems)
	return err
}

// deliver has a few orders paid and delivered, and tells how fast that was.
func (r *run) deliver(ctx context.Context) (rate float64, err error) {
	placed, ready, err := r.prepare(ctx, tryCallbacks)
	if err != nil {
		return 0, err
	}
	t, err := r.shop.sending(ready)
	if err != nil {
		return 0, err
	}
	l, err := open(ctx, r.cfg.Clients, t)
	if err != nil {
		return 0, err
	}
	got := l.closed(ctx, time.Minute)
	r.paid = placed
	return got.rate(), errors.Join(got.fault, ctx.Err(), l.close())
}

func (r *run) verifier(ctx context.Context, ready []sandbox.Callback) (*child, error) {
	c, err := r.platform.credentials(ctx, "panshi")
	if err != nil {
		return nil, err
	}
	spec := verifySpec{PublicKey: c.PublicKey, APIKey: c.APIKey}
	for _, one := range ready[:min(len(ready), 200)] {
		h := one.Header
		spec.Callbacks = append(spec.Callbacks, signed{
			h.Get("Wechatpay-Timestamp"), h.Get("Wechatpay-Nonce"), h.Get("Wechatpay-Signature"), one.Body,
		})
	}
	ref, err := r.part("verify", spec)
	if err != nil {
		return nil, err
	}
	var said result
	return ref, ref.hear(ctx, &said)
}

// undelivered looks at fifty of the orders and counts those without goods.
func (s *shop) undelivered(paid []order) (n int64, err error) {
	for i := 0; i < len(paid); i += max(1, len(paid)/50) {
		o := paid[i]
		a, err := fetch(s.w.ctx, s.addr, []byte("GET /api/v1/orders/"+o.no+" HTTP/1.1\r\nHost: "+s.addr+"\r\n"+bearer(o)+"\r\n"))
		if err != nil {
			return n, err
		}
		var seen struct{ Status string }
		if json.Unmarshal(a.Body, &seen) != nil || seen.Status != "delivered" {
			n++
		}
	}
	return n, nil
}

func (r *run) reveals(ctx context.Context) error {
	s := r.shop
	if len(r.paid) == 0 {
		if _, err := r.deliver(ctx); err != nil {
			return err
		}
	}
	ref, err := r.rowsOf(ctx, Reveal)
	if err != nil {
		return err
	}
	l, err := open(ctx, r.cfg.Clients, target{addr: s.addr, want: 200, form: func(seq int64, buf []byte) []byte {
		o := r.paid[seq%int64(len(r.paid))]
		return append(buf, "POST /api/v1/orders/"+o.no+"/deliveries/reveal HTTP/1.1\r\n"+head(s.addr)+bearer(o)+"Content-Length: 0\r\n\r\n"...)
	}})
	if err != nil {
		return err
	}
	var problems []string
	d := &duel{
		result: Result{Scenario: Reveal, Size: s.behind, Reference: "the same rows by Update, 64 reveals a commit", Unit: "reveal"},
		shop:   byLoad(l, &problems), ref: byPart(ref), shopPID: s.pid(), refPID: ref.pid(), serverID: r.store.server(),
	}
	return errors.Join(r.duel(ctx, d, problems), l.close(), ref.stop())
}
