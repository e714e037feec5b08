package merchant

import (
	"context"
	"net"
	"strings"
	"sync/atomic"
	"time"

	"panshi/internal/clock"
	"panshi/internal/db"
)

// directoryAge is how long the list of merchants may be served from memory.
const directoryAge = time.Second

// Service answers which merchant a request is for.
type Service struct {
	db        db.DB
	clock     clock.Clock
	directory atomic.Pointer[directory]
}

type directory struct {
	merchants []Merchant
	readAt    time.Time
}

// NewService returns a Service on d.
func NewService(d db.DB, c clock.Clock) *Service { return &Service{db: d, clock: c} }

// ByHost returns the merchant whose shop answers under a request's Host: the
// one with exactly this host, else the one whose slug is the first label, else
// the default one. Changes show within a second.
func (s *Service) ByHost(ctx context.Context, host string) (Merchant, error) {
	all, err := s.All(ctx)
	if err != nil {
		return Merchant{}, err
	}
	if len(all) == 0 {
		return Merchant{}, ErrNotFound
	}
	if bare, _, err := net.SplitHostPort(host); err == nil {
		host = bare
	}
	host = strings.ToLower(host)
	label, _, _ := strings.Cut(host, ".")
	for _, m := range all {
		if m.Host != "" && m.Host == host {
			return m, nil
		}
	}
	for _, m := range all {
		if m.Slug == label {
			return m, nil
		}
	}
	return all[0], nil
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

// All returns all merchants, the default one first; at most a second old.
func (s *Service) All(ctx context.Context) ([]Merchant, error) {
	if d := s.directory.Load(); d != nil && s.clock.Now().Sub(d.readAt) < directoryAge {
		return d.merchants, nil
	}
	d := &directory{readAt: s.clock.Now()}
	err := s.db.View(ctx, func(tx *db.Tx) (err error) {
		d.merchants, err = AllTx(tx)
		return err
	})
	if err != nil {
		return nil, err
	}
	if len(d.merchants) > 0 {
		s.directory.Store(d)
	}
	return d.merchants, nil
}

// Put inserts a merchant or updates the one with the same slug.
func (s *Service) Put(ctx context.Context, m Merchant) (stored Merchant, err error) {
	err = s.db.Update(ctx, func(tx *db.Tx) (err error) {
		stored, err = PutTx(tx, m)
		return err
	})
	s.directory.Store(nil)
	return stored, err
}
