package cache

import (
	"container/list"
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"panshi/internal/clock"
	"panshi/internal/errs"
	"panshi/internal/id"
)

// maxAge is when an entry is loaded anew although its version stands: it heals
// what no version tells of, such as a ripple that died with its process.
const maxAge = 10 * time.Second

// largest is which part of all bytes one value may take.
const largest = 8

// Key names an entry. It holds all that the value depends on beside the
// database.
type Key struct {
	Merchant id.ID
	Edition  int64  // of the merchant's own texts, which callers have in hand
	Kind     string // what is shown: "home"
	Name     string // which one: a slug
	Lang     string
	Limit    int
}

// Sized tells how many bytes a value takes.
type Sized interface{ Size() int }

// Config is what the operator may set.
type Config struct {
	MaxBytes   int64 `json:"max_bytes"`   // of all values; 0 turns the cache off
	MaxEntries int   `json:"max_entries"` // however small
}

// DefaultConfig suits a shop of some thousand products: what is looked at is
// kept, the rest comes from the database.
func DefaultConfig() Config { return Config{MaxBytes: 24 << 20, MaxEntries: 8192} }

// Validate reports everything that is wrong at once, each as an errs.Error
// that names the key.
func (c Config) Validate() error {
	var problems []error
	if c.MaxBytes < 0 || c.MaxBytes > 64<<30 {
		problems = append(problems, errs.Field("max_bytes", "out_of_range", "0 (off) to 64 GiB"))
	}
	if c.MaxEntries < 1 || c.MaxEntries > 10_000_000 {
		problems = append(problems, errs.Field("max_entries", "out_of_range", "1 to 10000000"))
	}
	return errors.Join(problems...)
}

// Cache keeps values by key while the version of the key's merchant stands. It
// is safe for use by many goroutines.
type Cache[V Sized] struct {
	cfg      Config
	versions *Versions
	clock    clock.Clock
	logger   *slog.Logger
	stats    counters

	mu      sync.RWMutex
	entries map[Key]*entry[V] // guarded by mu
	queue   *list.List        // of *entry, the next to be looked over in front; guarded by mu
	bytes   int64             // guarded by mu
}

// entry is a cell in the cache. place and bytes are guarded by Cache.mu.
type entry[V Sized] struct {
	cell[V]
	key   Key
	used  atomic.Bool // since it was last looked over
	place *list.Element
	bytes int64 // accounted for
}

// New returns an empty Cache, or what Validate complains about.
func New[V Sized](cfg Config, v *Versions, c clock.Clock, logger *slog.Logger) (*Cache[V], error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	return &Cache[V]{
		cfg: cfg, versions: v, clock: c, logger: logger, entries: map[Key]*entry[V]{}, queue: list.New(),
	}, nil
}

// None returns a Cache that keeps nothing: as one with MaxBytes 0.
func None[V Sized]() *Cache[V] { return &Cache[V]{} }

// Off tells that nothing is kept, so that who has another way may go it.
func (c *Cache[V]) Off() bool { return c.cfg.MaxBytes == 0 }

// Fresh gives k's value if it is there and true. It is the way of almost every
// request, and allocates nothing; else call Get.
func (c *Cache[V]) Fresh(k Key) (v V, ok bool) {
	c.mu.RLock()
	e := c.entries[k]
	c.mu.RUnlock()
	if e == nil {
		return v, false
	}
	f := e.filled.Load()
	if f == nil {
		return v, false
	}
	if _, stale := c.stale(k.Merchant, f, c.clock.Now()); stale {
		return v, false
	}
	if !e.used.Load() {
		e.used.Store(true)
	}
	c.stats.hits.Add(1)
	return f.value, true
}

// Get gives k's value, from load if need be. A load of one key runs once at a
// time; who asks meanwhile gets the value that was true a moment ago, or waits.
// An error of load's that is not a fault (errs.Internal, Unavailable,
// Integrity, and what is no errs.Error) is an answer: it is given to all who
// wait, and not kept.
func (c *Cache[V]) Get(ctx context.Context, k Key, load Load[V]) (V, error) {
	if c.Off() {
		return load(ctx)
	}
	e := c.entry(k)
	return e.get(ctx, terms[V]{
		clock: c.clock, logger: c.logger,
		stale: func(f *filled[V], now time.Time) (time.Time, bool) {
			since, stale := c.stale(k.Merchant, f, now)
			c.stats.note(stale)
			return since, stale
		},
		version: func() int64 { return c.versions.of(k.Merchant) },
		landed:  func(f *filled[V], held bool) { c.settle(e, f, held) },
		loaded:  c.stats.loaded,
	}, load)
}

func (c *Cache[V]) stale(merchant id.ID, f *filled[V], now time.Time) (since time.Time, stale bool) {
	since, stale = c.versions.staleSince(merchant, f.version, f.loadedAt, now)
	if old := f.loadedAt.Add(maxAge); !stale && now.After(old) {
		return old, true
	}
	return since, stale
}

// entry finds k's entry or makes an empty one.
func (c *Cache[V]) entry(k Key) *entry[V] {
	c.mu.RLock()
	e := c.entries[k]
	c.mu.RUnlock()
	if e != nil {
		e.used.Store(true)
		return e
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.entries[k]; e != nil {
		return e
	}
	e = &entry[V]{key: k}
	c.entries[k] = e
	e.place = c.queue.PushBack(e)
	c.shrink()
	return e
}

// settle accounts for what a load brought. An entry that was evicted meanwhile
// stays out: who waits has its value.
func (c *Cache[V]) settle(e *entry[V], f *filled[V], held bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.entries[e.key] != e {
		return
	}
	switch {
	case f != nil:
		size := int64(f.value.Size())
		if size > c.cfg.MaxBytes/largest {
			c.drop(e)
			return
		}
		c.bytes += size - e.bytes
		e.bytes = size
		c.shrink()
	case !held:
		c.drop(e)
	}
}

// shrink drops entries that nobody asked for since they were last looked over
// until the bounds hold. The caller holds mu.
func (c *Cache[V]) shrink() {
	for c.bytes > c.cfg.MaxBytes || len(c.entries) > c.cfg.MaxEntries {
		e, _ := c.queue.Front().Value.(*entry[V])
		if e.used.Swap(false) {
			c.queue.MoveToBack(e.place)
			continue
		}
		c.drop(e)
		c.stats.evicted.Add(1)
	}
}

func (c *Cache[V]) drop(e *entry[V]) {
	delete(c.entries, e.key)
	c.queue.Remove(e.place)
	c.bytes -= e.bytes
	e.bytes = 0
}

// Stats tells how the cache is doing.
func (c *Cache[V]) Stats() Stats {
	s := c.stats.read()
	c.mu.RLock()
	defer c.mu.RUnlock()
	s.Entries, s.Bytes = len(c.entries), c.bytes
	return s
}
