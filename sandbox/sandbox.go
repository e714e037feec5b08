package sandbox

import (
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Config says where the sandbox keeps its state and how it behaves in time. Only StateFile is required.
type Config struct {
	// StateFile is the append-only state file; it is made if it does not exist. StateFile+".lock" stands beside it.
	StateFile string
	// BaseURL is the public URL of the sandbox, such as http://127.0.0.1:8090. Empty: taken from each request.
	BaseURL string
	// Logger gets one line a callback attempt. Nil discards.
	Logger *slog.Logger
	// Client sends callbacks. Nil makes one that waits 5 s for an answer and follows no redirect.
	Client *http.Client
	// RetrySchedule holds the waits between attempts of a callback. Nil is each platform's own: WeChat Pay's 15 tries
	// again in 24 h 4 m, Alipay's 7 in about 25 h.
	RetrySchedule []time.Duration
	// RefundDelay is how long a refund stays in PROCESSING. 0 is one second.
	RefundDelay time.Duration
	// Now is the clock. Nil is time.Now.
	Now func() time.Time
}

// Validate reports every fault of c at once.
func (c Config) Validate() error {
	var errs []error
	if c.StateFile == "" {
		errs = append(errs, errors.New("sandbox: StateFile is required"))
	}
	if c.BaseURL != "" {
		if u, err := url.Parse(c.BaseURL); err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
			errs = append(errs, errors.New("sandbox: BaseURL must be an absolute http or https URL"))
		}
	}
	if c.RefundDelay < 0 {
		errs = append(errs, errors.New("sandbox: RefundDelay must not be negative"))
	}
	return errors.Join(errs...)
}

// Sandbox is a running payment platform. Its methods may be called from any number of goroutines.
type Sandbox struct {
	cfg     Config
	store   *store
	faults  *faultBoard
	views   *pageSet
	log     *slog.Logger
	client  *http.Client
	now     func() time.Time
	wake    chan struct{} // signals the dispatcher that the queue changed
	running atomic.Bool
	turning sync.Mutex // held while the platform's keys change
	// signing holds a slot for each callback that is being signed. Signatures are nearly all the work there is, and
	// payers must not wait behind the callbacks of those before them: so half of the processors at most.
	signing chan struct{}

	mu     sync.Mutex // guards store.state
	closed bool       // mu
}

// New loads the state file, or creates it with fresh platform keys. A torn last line, as a crash leaves it, is
// dropped; a state file that another process holds, or that is damaged elsewhere, is an error.
func New(cfg Config) (*Sandbox, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg.BaseURL = strings.TrimRight(cfg.BaseURL, "/")
	cfg = withDefaults(cfg)
	views, err := loadPages()
	if err != nil {
		return nil, err
	}
	store, err := openStore(cfg.StateFile)
	if err != nil {
		return nil, err
	}
	return &Sandbox{
		cfg: cfg, store: store, faults: &faultBoard{}, views: views,
		log: cfg.Logger, client: cfg.Client, now: cfg.Now, wake: make(chan struct{}, 1),
		signing: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2)),
	}, nil
}

func withDefaults(cfg Config) Config {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Client == nil {
		cfg.Client = callbackClient()
	}
	if cfg.RefundDelay == 0 {
		cfg.RefundDelay = time.Second
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return cfg
}

// Close makes everything recorded durable and releases the state file. Stop Run and the HTTP server first: what
// arrives later fails. Calls after the first do nothing.
func (s *Sandbox) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	return s.store.close()
}

// update runs fn with the state locked. fn reads, decides, and commits at most one record.
func (s *Sandbox) update(fn func(*state) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.poke()
	return fn(s.store.state)
}

// view runs fn with the state locked. What fn picks up may be used afterwards; see state.
func (s *Sandbox) view(fn func(*state)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fn(s.store.state)
}

// durable waits until everything that anybody could have seen so far would survive a crash.
func (s *Sandbox) durable() error {
	if err := s.store.journal.barrier(); err != nil {
		s.log.Error("sandbox state cannot be written", "error", err)
		return errState()
	}
	return nil
}

func (s *Sandbox) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *Sandbox) baseURL(r *http.Request) string {
	if s.cfg.BaseURL != "" {
		return s.cfg.BaseURL
	}
	return "http://" + r.Host
}
