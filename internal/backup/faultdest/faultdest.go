package faultdest

import (
	"context"
	"errors"
	"io"
	"sync"

	"panshi/internal/backup"
)

// Fault is one way to fail.
type Fault int

// The ways. Down, Hang and Refused work on every call, the others on the call
// that they name.
const (
	Down        Fault = iota + 1 // backup_unavailable, nothing done
	Hang                         // no answer until the caller gives up
	Refused                      // backup_refused, nothing done
	Full                         // put: backup_full, nothing stored
	CommitThen                   // put: stored in full, answered as backup_unavailable
	TornThen                     // put: the first half stored, answered as backup_unavailable
	ZeroBytes                    // put: an empty object stored, answered as success
	Truncated                    // put: the first half stored, answered as success
	Flipped                      // put: one bit changed, answered as success
	Vanished                     // put: nothing stored, answered as success
	Stale                        // list: as it was when the fault was set
	ShortRead                    // get: ends midway with an error
	ShortAnswer                  // get: ends midway as if that were all
	DeleteLies                   // delete: answered as success, nothing done
	GhostInList                  // list: objects that were deleted since still show
)

// Ops are the calls that a fault can be set on.
type Ops string

// The calls.
const (
	Put    Ops = "put"
	Get    Ops = "get"
	List   Ops = "list"
	Delete Ops = "delete"
)

// Rule makes calls fail.
type Rule struct {
	Op    Ops
	Fault Fault
	// Match picks names; nil takes all.
	Match func(name string) bool
	// Times is how many calls fail; 0 means all until Heal.
	Times int
}

// Dest is a destination with faults. Its methods may be called together.
type Dest struct {
	inner backup.Destination

	mu      sync.Mutex
	rules   []*rule         // guarded by mu
	ghosts  []backup.Object // guarded by mu: the listing when a Stale or GhostInList rule was set
	calls   map[Ops]int     // guarded by mu
	deleted []string        // guarded by mu: names that Delete was called with, in order
}

type rule struct {
	Rule
	left int
}

// New gives inner without a fault.
func New(inner backup.Destination) *Dest { return &Dest{inner: inner, calls: map[Ops]int{}} }

// Set adds a rule; the oldest that matches a call decides.
func (d *Dest) Set(ctx context.Context, r Rule) error {
	var now []backup.Object
	if r.Fault == Stale || r.Fault == GhostInList {
		err := d.inner.List(ctx, "", func(o backup.Object) error {
			now = append(now, o)
			return nil
		})
		if err != nil {
			return err
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if now != nil {
		d.ghosts = now
	}
	d.rules = append(d.rules, &rule{Rule: r, left: r.Times})
	return nil
}

// Heal takes all faults away.
func (d *Dest) Heal() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.rules, d.ghosts = nil, nil
}

// Calls tells how many calls of one kind came.
func (d *Dest) Calls(op Ops) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.calls[op]
}

// Deleted lists the names that were to be deleted, in order.
func (d *Dest) Deleted() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]string(nil), d.deleted...)
}

// next counts a call and finds the fault that it meets.
func (d *Dest) next(op Ops, name string) Fault {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.calls[op]++
	if op == Delete {
		d.deleted = append(d.deleted, name)
	}
	for _, r := range d.rules {
		if r.Op != op || r.Match != nil && !r.Match(name) || r.Times > 0 && r.left == 0 {
			continue
		}
		r.left--
		return r.Fault
	}
	return 0
}

var errInjected = errors.New("injected fault")

// general answers the faults that every call can meet.
func general(ctx context.Context, op Ops, name string, f Fault) error {
	switch f { //nolint:exhaustive // the calls know the others
	case Down:
		return backup.Unavailable(errInjected)
	case Refused:
		return backup.Refused(string(op), name, errInjected)
	case Hang:
		<-ctx.Done()
		return backup.Unavailable(ctx.Err())
	}
	return nil
}

// Put stores, or fails, or lies.
func (d *Dest) Put(ctx context.Context, name string, body backup.Body) error {
	f := d.next(Put, name)
	if err := general(ctx, Put, name, f); err != nil {
		return err
	}
	switch f { //nolint:exhaustive // faults of other calls do nothing here
	case Full:
		return backup.Full(errInjected)
	case CommitThen:
		return errors.Join(d.inner.Put(ctx, name, body), backup.Unavailable(errInjected))
	case TornThen:
		return errors.Join(d.spoiled(ctx, name, body, f), backup.Unavailable(errInjected))
	case ZeroBytes, Truncated, Flipped:
		return d.spoiled(ctx, name, body, f)
	case Vanished:
		return nil
	}
	return d.inner.Put(ctx, name, body)
}

// spoiled stores something else than it was given.
func (d *Dest) spoiled(ctx context.Context, name string, body backup.Body, f Fault) error {
	r, err := body.Open()
	if err != nil {
		return err
	}
	content, err := io.ReadAll(r)
	if err := errors.Join(err, r.Close()); err != nil {
		return err
	}
	switch {
	case f == ZeroBytes:
		content = nil
	case f == Flipped && len(content) > 0:
		content[len(content)/2] ^= 1
	default:
		content = content[:len(content)/2]
	}
	return d.inner.Put(ctx, name, backup.Bytes(content))
}

// Get reads, or fails, or ends early.
func (d *Dest) Get(ctx context.Context, name string, offset, length int64) (io.ReadCloser, error) {
	f := d.next(Get, name)
	if err := general(ctx, Get, name, f); err != nil {
		return nil, err
	}
	r, err := d.inner.Get(ctx, name, offset, length)
	if err != nil || f != ShortRead && f != ShortAnswer {
		return r, err
	}
	content, err := io.ReadAll(r)
	if err := errors.Join(err, r.Close()); err != nil {
		return nil, err
	}
	return &short{left: content[:len(content)/2], breaks: f == ShortRead}, nil
}

// short is an answer that ends early.
type short struct {
	left   []byte
	breaks bool
}

func (s *short) Read(p []byte) (int, error) {
	if len(s.left) == 0 {
		if s.breaks {
			return 0, io.ErrUnexpectedEOF
		}
		return 0, io.EOF
	}
	n := copy(p, s.left)
	s.left = s.left[n:]
	return n, nil
}

func (*short) Close() error { return nil }

// List tells what is there, or what was.
func (d *Dest) List(ctx context.Context, prefix string, each func(backup.Object) error) error {
	f := d.next(List, prefix)
	if err := general(ctx, List, prefix, f); err != nil {
		return err
	}
	if f != Stale && f != GhostInList {
		return d.inner.List(ctx, prefix, each)
	}
	return d.listGhosts(ctx, prefix, f, each)
}

func (d *Dest) listGhosts(ctx context.Context, prefix string, f Fault, each func(backup.Object) error) error {
	d.mu.Lock()
	ghosts := d.ghosts
	d.mu.Unlock()
	seen := map[string]bool{}
	for _, o := range ghosts {
		if len(o.Name) >= len(prefix) && o.Name[:len(prefix)] == prefix {
			seen[o.Name] = true
			if err := each(o); err != nil {
				return err
			}
		}
	}
	if f == Stale {
		return nil
	}
	return d.inner.List(ctx, prefix, func(o backup.Object) error {
		if seen[o.Name] {
			return nil
		}
		return each(o)
	})
}

// Delete removes, or fails, or lies.
func (d *Dest) Delete(ctx context.Context, name string) error {
	f := d.next(Delete, name)
	if err := general(ctx, Delete, name, f); err != nil {
		return err
	}
	if f == DeleteLies {
		return nil
	}
	return d.inner.Delete(ctx, name)
}
