package merchant

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"panshi/internal/cache"
	"panshi/internal/clock"
	"panshi/internal/db"
	"panshi/internal/errs"
)

// directoryAge is how long the list of merchants may be served from memory.
const directoryAge = time.Second

// Service answers which merchant a request is for.
type Service struct {
	db        db.DB
	directory *cache.Aged[*directory]
}

// directory is all merchants as they were at one time. It does not change.
type directory struct {
	merchants []Merchant // the default one first
	byHost    map[string]int
	bySlug    map[string]int
}

// errNone says that there is no merchant yet, which is not to be remembered.
var errNone = errs.New(errs.NotFound, "merchant_not_found", "there is no shop yet")

// NewService returns a Service on d.
func NewService(d db.DB, c clock.Clock) *Service {
	silent := slog.New(slog.DiscardHandler) // a database that does not answer is told by all who need it
	return &Service{db: d, directory: cache.NewAged(directoryAge, c, silent, func(ctx context.Context) (*directory, error) {
		return readDirectory(ctx, d)
	})}
}

func readDirectory(ctx context.Context, d db.DB) (*directory, error) {
	all := &directory{byHost: map[string]int{}, bySlug: map[string]int{}}
	err := d.View(ctx, func(tx *db.Tx) (err error) {
		all.merchants, err = AllTx(tx)
		return err
	})
	if err == nil && len(all.merchants) == 0 {
		err = errNone
	}
	for i, m := range all.merchants {
		if m.Host != "" {
			all.byHost[m.Host] = i
		}
		all.bySlug[m.Slug] = i
	}
	return all, err
}

// ByHost returns the merchant whose shop answers under a request's Host: the
// one with exactly this host, else the one whose slug is the first label, else
// the default one. Changes show within a second.
func (s *Service) ByHost(ctx context.Context, host string) (Merchant, error) {
	d, err := s.directory.Get(ctx)
	if errors.Is(err, errNone) {
		return Merchant{}, ErrNotFound
	}
	if err != nil {
		return Merchant{}, err
	}
	host = strings.ToLower(withoutPort(host))
	if i, ok := d.byHost[host]; ok {
		return d.merchants[i], nil
	}
	label, _, _ := strings.Cut(host, ".")
	return d.merchants[d.bySlug[label]], nil // 0, the default one, if nobody has it
}

// withoutPort takes the port off a Host header; net.SplitHostPort would make
// an error, and so garbage, of every host that has none.
func withoutPort(host string) string {
	at := strings.LastIndexByte(host, ':')
	if at < 0 || strings.IndexByte(host, ':') != at && !strings.Contains(host, "]:") {
		return host
	}
	return host[:at]
}

// BySlug returns the merchant with a slug.
func (s *Service) BySlug(ctx context.Context, slug string) (Merchant, error) {
	all, err := s.All(ctx)
	if err != nil {
		return Merchant{}, err
	}
	for _, m := range all {
		if m.Slug == slug {
			return m, nil
		}
	}
	return Merchant{}, ErrNotFound
}

// All returns all merchants, the default one first; at most a second old while
// the database answers.
func (s *Service) All(ctx context.Context) ([]Merchant, error) {
	d, err := s.directory.Get(ctx)
	if errors.Is(err, errNone) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return d.merchants, nil
}

// Put inserts a merchant or updates the one with the same slug.
func (s *Service) Put(ctx context.Context, m Merchant) (stored Merchant, err error) {
	err = s.db.Update(ctx, func(tx *db.Tx) (err error) {
		stored, err = PutTx(tx, m)
		return err
	})
	s.directory.Forget()
	return stored, err
}
