package drill

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"strings"
	"sync"

	"panshi/internal/backup"
)

// Damage is a scratch copy of a destination: it reads through, and keeps to
// itself whatever is written to it or done to it. It is safe for concurrent use.
type Damage struct {
	inner backup.Destination

	mu    sync.Mutex
	own   map[string][]byte // guarded by mu: objects that were put here
	gone  map[string]bool   // guarded by mu: deleted
	noise map[string]bool   // guarded by mu: every byte is another one
	flips map[string]uint64 // guarded by mu: one bit is another one
	dead  bool              // guarded by mu: nothing answers
}

var _ backup.Destination = (*Damage)(nil)

// NewDamage makes a copy of inner that nothing happened to yet.
func NewDamage(inner backup.Destination) *Damage {
	return &Damage{inner: inner, own: map[string][]byte{}, gone: map[string]bool{}, noise: map[string]bool{}, flips: map[string]uint64{}}
}

// Cut has no call answered any more.
func (d *Damage) Cut() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.dead = true
}

// Encrypt makes an object what nobody can read, as a ransom program does.
func (d *Damage) Encrypt(name string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.noise[name] = true
}

// Flip changes one bit of an object.
func (d *Damage) Flip(name string, bit uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.flips[name] = bit
}

// Put implements backup.Destination: the object stays here.
func (d *Damage) Put(ctx context.Context, name string, body backup.Body) error {
	r, err := d.Get(ctx, name, 0, 1)
	if err == nil {
		_ = r.Close() // it was only looked for
		return backup.Exists(name, nil)
	}
	if !backup.Is(err, "backup_object_missing") {
		return err
	}
	source, err := body.Checked(name)
	if err != nil {
		return err
	}
	content, err := io.ReadAll(source)
	if err := errors.Join(err, source.Close()); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, taken := d.own[name]; taken {
		return backup.Exists(name, nil) // somebody was faster
	}
	d.own[name] = content
	delete(d.gone, name)
	return nil
}

// Get implements backup.Destination.
func (d *Damage) Get(ctx context.Context, name string, offset, length int64) (io.ReadCloser, error) {
	if err := possible(ctx, name); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	own, ours := d.own[name]
	bit, flipped := d.flips[name]
	switch {
	case d.dead:
		return nil, backup.Unavailable(errors.New("the drill cut it off"))
	case ours:
		return section(own, offset, length), nil
	case d.gone[name]:
		return nil, backup.Missing(name, nil)
	case !d.noise[name] && !flipped:
		return d.inner.Get(ctx, name, offset, length)
	}
	r, err := d.inner.Get(ctx, name, offset, length)
	if err != nil {
		return nil, err
	}
	if flipped {
		return &flipping{ReadCloser: r, left: int64(bit/8) - offset, mask: 1 << (bit % 8)}, nil
	}
	return &scrambled{r, sha256.Sum256([]byte(name)), offset}, nil
}

// possible tells whether a call may begin.
func possible(ctx context.Context, name string) error {
	if ctx.Err() != nil {
		return backup.Unavailable(ctx.Err())
	}
	return backup.ValidName(name)
}

// section is the part of content that a range asks for.
func section(content []byte, offset, length int64) io.ReadCloser {
	rest := content[min(offset, int64(len(content))):]
	if length >= 0 {
		rest = rest[:min(length, int64(len(rest)))]
	}
	return io.NopCloser(strings.NewReader(string(rest)))
}

// scrambled makes every byte another one, the same each time, as those of a file
// that was encrypted once.
type scrambled struct {
	io.ReadCloser
	key [sha256.Size]byte
	at  int64 // of the next byte in the object
}

func (s *scrambled) Read(p []byte) (int, error) {
	n, err := s.ReadCloser.Read(p)
	for i := range p[:n] {
		p[i] ^= s.key[s.at%sha256.Size] | 1
		s.at++
	}
	return n, err
}

// flipping changes one bit of what it reads.
type flipping struct {
	io.ReadCloser
	left int64 // bytes before the one that changes
	mask byte
}

func (f *flipping) Read(p []byte) (int, error) {
	n, err := f.ReadCloser.Read(p)
	if f.left >= 0 && f.left < int64(n) {
		p[f.left] ^= f.mask
	}
	f.left -= int64(n)
	return n, err
}

// List implements backup.Destination.
func (d *Damage) List(ctx context.Context, prefix string, each func(backup.Object) error) error {
	d.mu.Lock()
	dead, own := d.dead, []backup.Object{}
	for name, content := range d.own {
		if strings.HasPrefix(name, prefix) {
			own = append(own, backup.Object{Name: name, Size: int64(len(content))})
		}
	}
	d.mu.Unlock()
	if dead {
		return backup.Unavailable(errors.New("the drill cut it off"))
	}
	for _, o := range own {
		if err := each(o); err != nil {
			return err
		}
	}
	return d.inner.List(ctx, prefix, func(o backup.Object) error {
		if d.hides(o.Name) {
			return nil
		}
		return each(o)
	})
}

func (d *Damage) hides(name string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, own := d.own[name]
	return own || d.gone[name]
}

// Delete implements backup.Destination: it is gone here, and there where it was.
func (d *Damage) Delete(ctx context.Context, name string) error {
	if err := possible(ctx, name); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.dead {
		return backup.Unavailable(errors.New("the drill cut it off"))
	}
	delete(d.own, name)
	d.gone[name] = true
	return nil
}
