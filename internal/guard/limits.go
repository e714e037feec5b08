package guard

import (
	"container/list"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"panshi/internal/web"
)

// limits remembers the allowance of each key that was seen lately.
type limits struct {
	rates   map[web.LimitClass]Rate
	idle    time.Duration // after which every allowance is full again
	maxKeys int

	mu    sync.Mutex
	byKey map[key]*list.Element // guarded by mu
	used  *list.List            // of *allowance, the longest unused last; guarded by mu
}

type key struct {
	class web.LimitClass
	key   string
}

// allowance is one key's bucket. All of it is guarded by limits.mu.
type allowance struct {
	key    key
	bucket *rate.Limiter
	last   time.Time
}

func newLimits(rates map[web.LimitClass]Rate, maxKeys int) *limits {
	return &limits{
		rates: rates, idle: refill(rates), maxKeys: maxKeys,
		byKey: map[key]*list.Element{}, used: list.New(),
	}
}

// refill is how long the slowest bucket takes to fill. A bucket that was not
// used for so long is as good as new.
func refill(rates map[web.LimitClass]Rate) time.Duration {
	longest := seconds(strictest())
	for _, r := range rates {
		longest = max(longest, seconds(r))
	}
	return longest
}

func seconds(r Rate) time.Duration {
	return time.Duration(float64(r.Burst) / r.PerSecond * float64(time.Second))
}

// take counts one use at now.
func (l *limits) take(k key, now time.Time) (ok bool, retryAfter time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.forget(now)
	a := l.find(k)
	a.last = now
	if a.bucket.AllowN(now, 1) { // allocates nothing, unlike a reservation
		return true, 0
	}
	reservation := a.bucket.ReserveN(now, 1)
	wait := reservation.DelayFrom(now)
	reservation.CancelAt(now) // a refusal costs nothing
	return false, wait
}

// find gives k's allowance, a full one if k is new, and marks it as used
// last. The caller holds mu.
func (l *limits) find(k key) *allowance {
	if e, ok := l.byKey[k]; ok {
		l.used.MoveToFront(e)
		a, _ := e.Value.(*allowance)
		return a
	}
	r, ok := l.rates[k.class]
	if !ok {
		r = strictest()
	}
	a := &allowance{key: k, bucket: rate.NewLimiter(rate.Limit(r.PerSecond), r.Burst)}
	l.byKey[k] = l.used.PushFront(a)
	if l.used.Len() > l.maxKeys {
		l.drop(l.used.Back())
	}
	return a
}

// forget drops up to two allowances that are full again: more than one use
// can add, so that the rest shrinks. The caller holds mu.
func (l *limits) forget(now time.Time) {
	for range 2 {
		e := l.used.Back()
		if e == nil {
			return
		}
		if a, _ := e.Value.(*allowance); now.Sub(a.last) < l.idle {
			return
		}
		l.drop(e)
	}
}

func (l *limits) drop(e *list.Element) {
	a, _ := l.used.Remove(e).(*allowance)
	delete(l.byKey, a.key)
}

// size tells how many keys are remembered.
func (l *limits) size() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.used.Len()
}
