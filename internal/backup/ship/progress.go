package ship

import (
	"sync"
	"time"

	"panshi/internal/clock"
)

// progress is what is committed and what of it is shipped. The writer, the
// shipping goroutine and whoever asks meet here.
type progress struct {
	clock clock.Clock

	mu      sync.Mutex
	batches int64     // guarded by mu; commits noted
	pages   int       // guarded by mu; in the log after the last of them
	waiting time.Time // guarded by mu; of the oldest commit that no shipment has begun with; zero if none
	under   time.Time // guarded by mu; of the oldest commit in the shipment under way; zero if none
	sent    int64     // guarded by mu; commits known to be in the spool
	read    int       // guarded by mu; pages of the log known to be in the spool
	at      time.Time // guarded by mu; when the spool was last known to have everything; zero before the first time
	until   time.Time // guarded by mu; everything that was committed before is in the spool; zero before the first time
	failed  error     // guarded by mu; of the last shipment
}

// mark is a shipment under way: everything up to it has to arrive.
type mark struct {
	batches int64
	pages   int
	at      time.Time // when it began
	idle    bool      // nothing new
}

// committed notes a commit that left the log with some pages.
func (p *progress) committed(pages int) {
	now := p.clock.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.batches++
	p.pages = pages
	if p.waiting.IsZero() {
		p.waiting = now
	}
}

// begin marks what the next shipment has to bring.
func (p *progress) begin() mark {
	p.mu.Lock()
	defer p.mu.Unlock()
	m := mark{batches: p.batches, pages: p.pages, at: p.clock.Now(), idle: p.batches == p.sent && p.failed == nil}
	if m.idle {
		if !p.at.IsZero() {
			p.at, p.until = m.at, m.at
		}
		return m
	}
	if p.under.IsZero() {
		p.under = p.waiting
	}
	p.waiting = time.Time{}
	return m
}

// end notes how a shipment ended.
func (p *progress) end(m mark, err error) {
	now := p.clock.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.failed = err
	if err != nil {
		return // what was under way still is: lag goes on from there
	}
	p.sent, p.read, p.at, p.until, p.under = m.batches, m.pages, now, m.at, time.Time{}
}

// restarted notes that the log started over, all of it shipped.
func (p *progress) restarted() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pages, p.read = 0, 0
}

func (p *progress) shippedPages() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.read
}

// lag is how old the oldest commit is that is not in the spool, 0 if all are.
func (p *progress) lag() time.Duration {
	now := p.clock.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	oldest := p.under
	if oldest.IsZero() {
		oldest = p.waiting
	}
	if oldest.IsZero() {
		return 0
	}
	return max(now.Sub(oldest), 0)
}

// complete is the time before which everything that was committed is in the
// spool, zero before the first shipment.
func (p *progress) complete() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.until
}

// last tells when the spool was last known to have everything, and why the last
// shipment failed.
func (p *progress) last() (at time.Time, failed error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.at, p.failed
}
