package mirror

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"panshi/internal/backup"
	"panshi/internal/durable"
	"panshi/internal/errs"
)

// Mirror copies the files of one source to all targets.
type Mirror struct {
	cfg     Config
	alarms  *alarms
	copiers []*copier

	wake chan struct{} // somebody saw new files
	seal sync.Mutex    // held while a large file is sealed: one at a time
	work sync.WaitGroup

	finishing atomic.Bool
	mu        sync.Mutex
	items     map[string]*item // by name; guarded by mu
	staging   map[string]bool  // large files that are being sealed; guarded by mu
	released  map[string]bool  // names that the source was told to remove and still shows; guarded by mu
	looks     int              // how often all of the source was seen; guarded by mu
	lastSeen  time.Time        // of the newest file that ever came; guarded by mu
	shown     time.Time        // up to when all that happened was seen; guarded by mu
	holds     int              // guarded by mu: restores of this process that run
}

// New checks the settings, makes the local directory and reads the journals.
// Codes: those of Validate, backup_state_unusable.
func New(cfg Config) (*Mirror, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	m := &Mirror{
		cfg: cfg, items: map[string]*item{}, staging: map[string]bool{}, released: map[string]bool{}, wake: make(chan struct{}, 1), lastSeen: cfg.Clock.Now(),
		alarms: &alarms{clock: cfg.Clock, log: cfg.Log, tell: cfg.Alert, on: map[string]bool{}},
	}
	if err := errors.Join(makeState(cfg.Dir, m.sealedDir()), m.clearSealed()); err != nil {
		return nil, stateUnusable(err)
	}
	for _, t := range cfg.Targets {
		c, err := newCopier(m, t)
		if err != nil {
			return nil, errors.Join(stateUnusable(err), m.close())
		}
		m.copiers = append(m.copiers, c)
	}
	return m, nil
}

// makeState makes the directories of the local state, names included: a journal
// that a power cut takes is a destination that has to be read anew.
func makeState(dirs ...string) error {
	for _, dir := range dirs {
		if err := errors.Join(os.MkdirAll(dir, 0o700), durable.SyncDir(filepath.Dir(dir))); err != nil {
			return err
		}
	}
	return nil
}

// clearSealed removes what was being sealed when a run ended.
func (m *Mirror) clearSealed() error {
	left, err := filepath.Glob(filepath.Join(m.sealedDir(), "*"+unsealed))
	for _, path := range left {
		err = errors.Join(err, removeFile(path))
	}
	return err
}

func stateUnusable(err error) error {
	return errs.Wrap(err, errs.Unavailable, "backup_state_unusable", "the local state of backups cannot be read or written")
}

func (m *Mirror) sealedDir() string { return filepath.Join(m.cfg.Dir, "sealed") }

func (m *Mirror) sealedPath(name string) string {
	return filepath.Join(m.sealedDir(), strings.ReplaceAll(name, "/", "!"))
}

func (m *Mirror) close() error {
	var faults []error
	for _, c := range m.copiers {
		faults = append(faults, c.journal.close())
	}
	return errors.Join(faults...)
}

// Notice says that the source has new files, so that nobody waits for Poll.
func (m *Mirror) Notice() { nudge(m.wake) }

// Finish has all that arrives listed at once from now on, because the process
// ends: what a destination has is in a signed manifest then, not only there.
func (m *Mirror) Finish() {
	m.finishing.Store(true)
	for _, c := range m.copiers {
		nudge(c.wake)
	}
	m.Notice()
}

// Looks is how often all that the source shows was seen.
func (m *Mirror) Looks() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.looks
}

// nudge wakes the reader of c, now or when it comes to wait.
func nudge(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Hold keeps retention of all destinations waiting until release is called,
// because this process restores or verifies. It returns when no retention runs.
func (m *Mirror) Hold() (release func()) {
	for _, c := range m.copiers {
		c.expiring.Lock()
	}
	m.mu.Lock()
	m.holds++
	m.mu.Unlock()
	for _, c := range m.copiers {
		c.expiring.Unlock()
	}
	return func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.holds--
	}
}

func (m *Mirror) held() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.holds > 0
}

// Run works until the context ends. It is called once.
func (m *Mirror) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	for _, c := range m.copiers {
		wg.Go(func() { c.run(ctx) })
	}
	wg.Go(func() { m.watch(ctx) })
	for ctx.Err() == nil {
		m.look(ctx)
		m.pause(ctx, m.wake, m.cfg.Poll)
	}
	wg.Wait()
	m.work.Wait()
	return m.close()
}

// pause waits for a nudge, for d, or for the end.
func (m *Mirror) pause(ctx context.Context, wake <-chan struct{}, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-wake:
	case <-timer.C:
	case <-ctx.Done():
	}
}

// look takes new files in, lets go of those that all have, and holds the bound.
func (m *Mirror) look(ctx context.Context) {
	complete := m.cfg.Complete() // asked first: what it speaks of is shown
	taken := m.take(ctx)
	if taken == nil {
		m.shownUntil(complete)
	}
	err := errors.Join(taken, m.release(ctx))
	if ctx.Err() != nil {
		return
	}
	m.alarms.set("", AlarmIntake, err != nil, err)
	if m.bound() {
		m.alarms.set("", AlarmIntake, m.release(ctx) != nil, "files cannot be removed")
	}
}

// take seals what is new. A file that cannot be sealed does not stop the others.
func (m *Mirror) take(ctx context.Context) error {
	var faults []error
	shown := map[string]bool{}
	for after := ""; ; {
		files, err := m.cfg.Source.List(ctx, after)
		if err != nil || len(files) == 0 {
			m.route(shown, err == nil)
			return errors.Join(append(faults, err)...)
		}
		for _, f := range files {
			after = f.Name
			shown[f.Name] = true
			if err := m.takeOne(ctx, f); err != nil && !backup.Is(err, "backup_object_missing") {
				faults = append(faults, err)
			}
		}
	}
}

func (m *Mirror) takeOne(ctx context.Context, f File) error {
	m.mu.Lock()
	known := m.items[f.Name] != nil || m.released[f.Name] || m.staging[f.Name]
	settled := m.settled(f.Name)
	m.mu.Unlock()
	if known {
		return nil
	}
	if settled {
		return m.remove(ctx, f.Name)
	}
	if f.bulk() {
		m.stageBeside(ctx, f)
		return nil
	}
	it, err := m.stage(ctx, f)
	if err != nil {
		return err
	}
	m.admit(it)
	return nil
}

// stageBeside seals a large file while others go on being sealed.
func (m *Mirror) stageBeside(ctx context.Context, f File) {
	m.mu.Lock()
	m.staging[f.Name] = true
	m.mu.Unlock()
	m.work.Go(func() {
		m.seal.Lock()
		it, err := m.stage(ctx, f)
		m.seal.Unlock()
		if err == nil {
			m.admit(it)
			nudge(m.wake)
		}
		m.mu.Lock()
		delete(m.staging, f.Name) // what failed is tried again at the next look
		m.mu.Unlock()
		if ctx.Err() == nil && !backup.Is(err, "backup_object_missing") {
			m.alarms.set("", AlarmBulk, err != nil, err)
		}
	})
}

// admit takes a sealed file in.
func (m *Mirror) admit(it *item) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range m.copiers {
		if c.settled[it.Name] {
			it.done[c.Label] = true
		}
	}
	m.items[it.Name] = it
	m.lastSeen = m.cfg.Clock.Now()
}

// settled tells whether every destination has a file or gave it up; the caller
// holds mu.
func (m *Mirror) settled(name string) bool {
	return !slices.ContainsFunc(m.copiers, func(c *copier) bool { return !c.settled[name] })
}

// Needs tells whether some destination still lacks a file: a source that has a
// retention of its own asks before it deletes one.
func (m *Mirror) Needs(name string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return !m.released[name] && !m.settled(name)
}

// route decides which destination has to have which item, now that all of a
// listing are here, and forgets what the source shows no more.
func (m *Mirror) route(shown map[string]bool, whole bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if whole {
		maps.DeleteFunc(m.released, func(name string, _ bool) bool { return !shown[name] })
		m.looks++
	}
	for _, c := range m.copiers {
		c.route(m.items)
		nudge(c.wake)
	}
}

// pending lists what a destination has to get now, oldest first.
func (m *Mirror) pending(c *copier) []*item {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []*item
	for _, it := range m.items {
		if waits := c.from.Waiting && it.log; !it.done[c.Label] && !waits {
			out = append(out, it)
		}
	}
	slices.SortFunc(out, func(a, b *item) int {
		return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.segment.Level, b.segment.Level), cmp.Compare(a.Name, b.Name))
	})
	return out
}

// finish notes that a destination has an item.
func (m *Mirror) finish(label string, it *item) {
	m.mu.Lock()
	defer m.mu.Unlock()
	it.done[label] = true
}

// forget has an item sealed anew: its sealed file is damaged or gone.
func (m *Mirror) forget(it *item) {
	m.mu.Lock()
	delete(m.items, it.Name)
	m.mu.Unlock()
	_ = removeFile(it.path) // what is left is checked before it is used again
}

// release lets go of what every destination has or does without.
func (m *Mirror) release(ctx context.Context) error {
	m.mu.Lock()
	var gone []*item
	for _, it := range m.items {
		if len(it.done) == len(m.copiers) {
			gone = append(gone, it)
		}
	}
	m.mu.Unlock()
	var faults []error
	for _, it := range gone {
		faults = append(faults, m.remove(ctx, it.Name))
	}
	return errors.Join(faults...)
}

// remove lets go of a file: of its sealed copy first, so that after a crash the
// source still shows it, and it is let go of again.
func (m *Mirror) remove(ctx context.Context, name string) error {
	if err := removeFile(m.sealedPath(name)); err != nil {
		return err
	}
	if err := m.cfg.Source.Remove(ctx, name); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.items, name)
	m.released[name] = true
	return nil
}

// bound drops the furthest laggard while the files that wait are over SpoolMax,
// and tells whether it dropped one.
func (m *Mirror) bound() bool {
	total, behind := m.waiting()
	over := total > m.cfg.SpoolMax
	m.alarms.set("", AlarmSpool, over, "the files that wait are over the bound")
	if !over || len(behind) == 0 {
		return false
	}
	worst := slices.MaxFunc(m.copiers, func(a, b *copier) int { return cmp.Compare(behind[a.Label], behind[b.Label]) })
	worst.letGo()
	return true
}

// waiting sums up the files that wait, and those of them that each destination
// lacks.
func (m *Mirror) waiting() (total int64, behind map[string]int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	behind = map[string]int64{}
	for _, it := range m.items {
		total += it.weight()
		for _, c := range m.copiers {
			if !it.done[c.Label] {
				behind[c.Label] += it.weight()
			}
		}
	}
	return total, behind
}
