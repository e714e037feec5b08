package faultdest

import (
	"context"
	"errors"
	"sync"

	"panshi/internal/backup"
)

// The calls of a Swapper. Swap meets Down, Hang, Refused and CommitThen; Load
// meets Down, Hang, Refused and Stale: what was there a version earlier.
const (
	Swap Ops = "swap"
	Load Ops = "load"
)

// Swapper is a Dest of a destination that swaps.
type Swapper struct {
	*Dest
	inner backup.Swapper

	mu     sync.Mutex
	latest map[string]version // guarded by mu: as the last call showed it
	before map[string]version // guarded by mu: the one before that
}

type version struct {
	content []byte
	id      string
}

var _ backup.Swapper = (*Swapper)(nil)

// NewSwapper gives inner without a fault.
func NewSwapper(inner backup.Swapper) *Swapper {
	return &Swapper{Dest: New(inner), inner: inner, latest: map[string]version{}, before: map[string]version{}}
}

// saw remembers what is there now.
func (s *Swapper) saw(name string, v version) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.latest[name].id != v.id {
		s.before[name], s.latest[name] = s.latest[name], v
	}
}

// Load reads, or fails, or tells what was.
func (s *Swapper) Load(ctx context.Context, name string) ([]byte, string, error) {
	f := s.next(Load, name)
	if err := general(ctx, Load, name, f); err != nil {
		return nil, "", err
	}
	content, id, err := s.inner.Load(ctx, name)
	if err != nil {
		return nil, "", err
	}
	s.saw(name, version{content, id})
	if f == Stale {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.before[name].content, s.before[name].id, nil
	}
	return content, id, nil
}

// Swap exchanges, or fails, or does so and says that it failed.
func (s *Swapper) Swap(ctx context.Context, name, was string, content []byte) (string, error) {
	f := s.next(Swap, name)
	if err := general(ctx, Swap, name, f); err != nil {
		return "", err
	}
	id, err := s.inner.Swap(ctx, name, was, content)
	if err == nil {
		s.saw(name, version{content, id})
	}
	if f == CommitThen {
		return "", errors.Join(err, backup.Unavailable(errInjected))
	}
	return id, err
}
