package sandbox

import (
	"bytes"
	"container/heap"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"
)

const (
	maxInFlight    = 128 // callbacks under way at once
	callbackWait   = 5 * time.Second
	historyKept    = 20
	reorderWindow  = 500 * time.Millisecond
	maxIdlePerHost = 64
)

// wechatSchedule is the platform's: 15s/15s/30s/3m/10m/20m/30m×3/60m/3h×3/6h×2.
func wechatSchedule() []time.Duration {
	const s, m, h = time.Second, time.Minute, time.Hour
	return []time.Duration{
		15 * s, 15 * s, 30 * s, 3 * m, 10 * m, 20 * m, 30 * m, 30 * m, 30 * m, 60 * m, 3 * h, 3 * h, 3 * h, 6 * h, 6 * h,
	}
}

func callbackClient() *http.Client {
	return &http.Client{
		Timeout:   callbackWait,
		Transport: &http.Transport{MaxIdleConnsPerHost: maxIdlePerHost, IdleConnTimeout: time.Minute},
		// A redirect is not an acknowledgement.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// due is a place in the queue of callbacks. Stale places (the note has moved on) are skipped when they come up.
type due struct {
	at   time.Time
	rank int
	seq  int
}

type dueQueue []due

func (q dueQueue) Len() int { return len(q) }
func (q dueQueue) Less(i, j int) bool {
	if !q[i].at.Equal(q[j].at) {
		return q[i].at.Before(q[j].at)
	}
	return q[i].rank < q[j].rank
}
func (q dueQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *dueQueue) Push(x any) {
	if d, ok := x.(due); ok {
		*q = append(*q, d)
	}
}

func (q *dueQueue) Pop() any {
	old := *q
	last := old[len(old)-1]
	*q = old[:len(old)-1]
	return last
}

// newNote makes the callback for an event that happens at the moment happens; the caller commits it.
func (s *Sandbox) newNote(st *state, event string, tradeSeq, refundSeq int, to string, now, happens time.Time) *note {
	n := &note{
		Seq: len(st.notes), ID: "EV-" + randomHex(14), Event: event, TradeSeq: tradeSeq, RefundSeq: refundSeq,
		URL: to, CreatedAt: now,
	}
	s.schedule(n, happens)
	return n
}

// schedule sets when n is due, as the faults of the moment bend it.
func (s *Sandbox) schedule(n *note, when time.Time) {
	f := s.faults.get().Callbacks
	n.NextAt = when.Add(time.Duration(f.DelayMS) * time.Millisecond)
	n.Rank = n.Seq
	if f.Reorder {
		n.NextAt = n.NextAt.Truncate(reorderWindow).Add(reorderWindow)
		n.Rank = -n.Seq
	}
}

// Run delivers callbacks until ctx is done, then waits for those under way and returns nil. One Run may be active
// at a time. What is not delivered by then is delivered by a later Run, in this process or the next.
func (s *Sandbox) Run(ctx context.Context) error {
	if !s.running.CompareAndSwap(false, true) {
		return errors.New("sandbox: Run is active already")
	}
	defer s.running.Store(false)
	var flying sync.WaitGroup
	defer flying.Wait()
	slots := make(chan struct{}, maxInFlight)
	for {
		place, n, wait := s.nextDue()
		if n == nil {
			if !s.rest(ctx, wait) {
				return nil
			}
			continue
		}
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			s.requeue(place)
			return nil
		}
		flying.Go(func() {
			defer func() { <-slots }()
			s.deliver(ctx, place, n)
		})
	}
}

// nextDue takes the next callback whose time has come, or tells how long there will be none (0: nothing is queued).
func (s *Sandbox) nextDue() (place due, n *note, wait time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st, now := s.store.state, s.now()
	for len(st.queue) > 0 {
		place = st.queue[0]
		n = st.notes[place.seq]
		if n.Done || !n.NextAt.Equal(place.at) {
			heap.Pop(&st.queue)
			continue
		}
		if now.Before(place.at) {
			return due{}, nil, place.at.Sub(now)
		}
		heap.Pop(&st.queue)
		return place, n, 0
	}
	return due{}, nil, 0
}

func (s *Sandbox) requeue(place due) {
	s.mu.Lock()
	defer s.mu.Unlock()
	heap.Push(&s.store.state.queue, place)
}

// rest sleeps until something may be due. It looks again every second, because an injected clock may jump.
func (s *Sandbox) rest(ctx context.Context, wait time.Duration) bool {
	if wait == 0 {
		select {
		case <-s.wake:
			return true
		case <-ctx.Done():
			return false
		}
	}
	timer := time.NewTimer(min(wait, time.Second))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.wake:
	case <-ctx.Done():
		return false
	}
	return true
}

// deliver makes one attempt at n and records it. An attempt that the end of Run interrupts does not count.
func (s *Sandbox) deliver(ctx context.Context, place due, n *note) {
	if s.durable() != nil {
		return // a payment that may be lost must not be told
	}
	tried := s.attempt(ctx, n)
	if tried.Status == 0 && ctx.Err() != nil {
		s.requeue(place)
		return
	}
	if err := s.update(func(st *state) error { return s.recordAttempt(st, n, tried) }); err != nil {
		s.log.Error("sandbox cannot record a callback attempt", "callback", n.ID, "error", err)
		return
	}
	s.log.Info("sandbox callback", "callback", n.ID, "event", n.Event, "try", n.Tries+1, "status", tried.Status,
		"error", tried.Error, "forge", tried.Forge)
}

func (s *Sandbox) recordAttempt(st *state, n *note, tried attempt) error {
	after := *n
	after.Tries++
	kept := n.History[max(0, len(n.History)-historyKept+1):]
	after.History = append(append([]attempt{}, kept...), tried)
	waits := s.waits(st.trades[n.TradeSeq])
	after.Delivered = tried.Acknowledged
	after.Done = after.Delivered || after.Tries > len(waits)
	if !after.Done {
		s.schedule(&after, s.now().Add(waits[after.Tries-1]))
	}
	return s.store.commit(record{Note: &after})
}

// waits are the pauses between attempts for a trade's callbacks.
func (s *Sandbox) waits(t *trade) []time.Duration {
	switch {
	case s.cfg.RetrySchedule != nil:
		return s.cfg.RetrySchedule
	case t.Channel == channelAlipay:
		return alipaySchedule()
	}
	return wechatSchedule()
}

func succeeded(status int, _ string) bool { return status >= 200 && status <= 299 }

func (s *Sandbox) attempt(ctx context.Context, n *note) attempt {
	f, now := s.faults.get().Callbacks, s.now()
	merchant := ""
	s.view(func(st *state) { merchant = st.trades[n.TradeSeq].MchID })
	wait := f.bend(s.faults.callbackHits(merchant, now))
	out := attempt{At: now, Forge: f.Forge}
	if !pause(ctx, wait) {
		return out
	}
	if f.Drop {
		out.Error = "dropped by fault"
		return out
	}
	results := s.transmit(ctx, max(1, f.Repeat), f.Parallel, func() *draft {
		d := s.draftOf(n, now)
		d.forge = f.Forge
		d.stamp = d.stamp.Add(f.skew)
		if f.Certificate {
			d.signer = s.certificateSigner()
		}
		return d
	})
	out.Status, out.Error = results[0].Status, results[0].Error
	for _, r := range results {
		if r.acknowledged {
			out.Status, out.Error, out.Acknowledged = r.Status, "", true
		}
	}
	return out
}

func (s *Sandbox) draftOf(n *note, now time.Time) (d *draft) {
	s.view(func(st *state) {
		var r *refund
		if n.RefundSeq >= 0 {
			r = st.refunds[n.RefundSeq]
		}
		d = newDraft(st, st.trades[n.TradeSeq], r, now)
	})
	d.named(n.ID)
	return d
}

func (s *Sandbox) certificateSigner() signer {
	var out signer
	s.view(func(st *state) { out = st.platform.current.signer })
	return out
}

// result is the outcome of one HTTP request. Status 0 means that no answer came.
type result struct {
	Status       int
	Error        string
	acknowledged bool
}

// transmit sends what draw draws up, times over, one after the other or all at the same moment.
func (s *Sandbox) transmit(ctx context.Context, times int, parallel bool, draw func() *draft) []result {
	out := make([]result, times)
	if !parallel {
		for i := range out {
			out[i] = s.sendDraft(ctx, draw())
		}
		return out
	}
	var group sync.WaitGroup
	for i := range out {
		group.Go(func() { out[i] = s.sendDraft(ctx, draw()) })
	}
	group.Wait()
	return out
}

func (s *Sandbox) sendDraft(ctx context.Context, d *draft) result {
	s.signing <- struct{}{}
	m, err := s.compose(d)
	<-s.signing
	if err != nil {
		return result{Error: "cannot compose: " + err.Error()}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, m.url, bytes.NewReader(m.body))
	if err != nil {
		return result{Error: "cannot address"}
	}
	req.Header = m.header
	req.Header.Set("User-Agent", "Mozilla/4.0")
	resp, err := s.client.Do(req)
	if err != nil {
		return result{Error: reason(err)}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody)) // to its end, so that the connection can be used again
	if err != nil {
		return result{Error: reason(err)}
	}
	return result{Status: resp.StatusCode, acknowledged: m.acknowledged(resp.StatusCode, string(body))}
}

// reason is the cause of a failed request without its URL, which may carry a secret of the shop.
func reason(err error) string {
	if e, ok := errors.AsType[*url.Error](err); ok {
		if e.Timeout() {
			return "no answer in time"
		}
		return e.Err.Error()
	}
	return err.Error()
}
