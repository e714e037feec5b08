package standby

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/tink-crypto/tink-go/v2/tink"

	"panshi/internal/backup"
	"panshi/internal/backup/feed"
	"panshi/internal/backup/fetch"
	"panshi/internal/backup/lease"
	"panshi/internal/backup/restore"
	"panshi/internal/backup/seal"
	"panshi/internal/backup/spool"
	"panshi/internal/clock"
	"panshi/internal/errs"
)

// How often a standby looks. A full look reads manifests and lists everything.
const (
	nextEvery = time.Second
	fullEvery = 5 * time.Minute
	askEvery  = 2 * time.Second  // the lease
	tellEvery = 10 * time.Second // the shop
)

// Config is what a standby needs.
type Config struct {
	Data   string // a directory that Create made
	From   backup.Destination
	Reader seal.Reader
	Cipher tink.StreamingAEAD
	Clock  clock.Clock
	Log    *slog.Logger
	// Place keeps the lease, nil if there is none; Signer signs what the standby
	// says of itself there.
	Place  backup.Swapper
	Signer lease.Signer
}

// Standby follows one destination. CatchUp, Run and Promoted are for one goroutine
// at a time, Status for any.
type Standby struct {
	cfg   Config
	files *files

	full, asked, told time.Time // when each was done last

	mu     sync.Mutex
	status Status // guarded by mu
}

// Status is how far a standby is.
type Status struct {
	State
	Fresh time.Time `json:"fresh,omitzero"` // when it last had all that it could see
	// Known is the newest transaction of this generation that the shop said it
	// shipped; Behind is how many of them are missing here.
	Known       uint64    `json:"known,omitempty"`
	Behind      uint64    `json:"behind"`
	Primary     string    `json:"primary,omitempty"` // node that holds the lease
	Epoch       uint64    `json:"epoch,omitempty"`
	PrimaryBeat uint64    `json:"primary_beat,omitempty"`
	PrimarySeen time.Time `json:"primary_seen,omitzero"` // when its lease was last seen to move, by our clock
	Failure     string    `json:"failure,omitempty"`     // code of why the last look failed
	Fenced      []string  `json:"fenced,omitempty"`      // what a former writer left, not applied
}

// BehindFor is for how long the standby has not had all that it could see.
func (s Status) BehindFor(now time.Time) time.Duration {
	if s.Fresh.IsZero() {
		return now.Sub(s.At())
	}
	return now.Sub(s.Fresh)
}

// Open opens a standby and makes its state whole again after a crash.
func Open(cfg Config) (*Standby, error) {
	f, err := recovered(cfg.Data)
	if err != nil {
		return nil, err
	}
	return &Standby{cfg: cfg, files: f, status: Status{State: f.state}}, nil
}

// Status tells how far it is.
func (s *Standby) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.status
}

func (s *Standby) note(change func(*Status)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status.State = s.files.state
	change(&s.status)
	if s.status.Behind = 0; s.status.Known > s.status.Transaction {
		s.status.Behind = s.status.Known - s.status.Transaction
	}
}

// Run follows until ctx ends.
func (s *Standby) Run(ctx context.Context) {
	for ctx.Err() == nil {
		err := s.look(ctx)
		if ctx.Err() != nil {
			return
		}
		s.tell(ctx, err)
		_ = backup.Pause(ctx, nextEvery) // ends with ctx
	}
}

// look applies what has arrived.
func (s *Standby) look(ctx context.Context) error {
	if s.files.state.Promoting > 0 {
		return errs.New(errs.Conflict, "standby_promoting", "this standby took over and follows no more; run panshi promote again")
	}
	now := s.cfg.Clock.Now()
	ahead := s.ask(ctx, now)
	var err error
	if s.files.state.Transaction == 0 || ahead || now.Sub(s.full) > fullEvery {
		err = s.CatchUp(ctx)
	} else {
		err = s.next(ctx)
	}
	s.done(now, err)
	return err
}

// done notes how a look that began at some time ended.
func (s *Standby) done(began time.Time, err error) {
	before := s.Status().Failure
	s.note(func(st *Status) {
		st.Failure = ""
		if err != nil {
			st.Failure = errs.CodeOf(err)
		} else {
			st.Fresh = began
		}
	})
	if err != nil && before != errs.CodeOf(err) {
		s.cfg.Log.Error("standby: it does not follow", slog.Any("error", err))
	}
	if err == nil && before != "" {
		s.cfg.Log.Info("standby: follows again", slog.Uint64("transaction", s.files.state.Transaction))
	}
}

// next asks for the segments after the state by their names, until there is none.
func (s *Standby) next(ctx context.Context) error {
	for {
		file, object, err := s.following(ctx)
		if err != nil || object == "" {
			return err
		}
		if err := s.apply(ctx, file, func() (io.ReadCloser, error) { return s.fetch(ctx, object) }); err != nil {
			return err
		}
	}
}

// following finds the object with the transaction after the state, "" for none.
func (s *Standby) following(ctx context.Context) (file spool.File, object string, err error) {
	state := s.files.state
	at := spool.Named(spool.File{Generation: state.Generation, First: state.Transaction + 1, Last: state.Transaction + 1})
	name, ok := feed.Object(at)
	if !ok {
		return file, "", nil
	}
	prefix := name[:strings.IndexByte(name, '-')+1]
	err = s.cfg.From.List(ctx, prefix, func(o backup.Object) error {
		if f, ok := feed.File(backup.Logical(o.Name), o.Size); ok && o.Name > object {
			file, object = f, o.Name // a later try replaces one that arrived damaged
		}
		return nil
	})
	return file, object, err
}

// fetch gives the content of one object, as it is in a spool.
func (s *Standby) fetch(ctx context.Context, object string) (io.ReadCloser, error) {
	raw, err := s.cfg.From.Get(ctx, object, 0, -1)
	if err != nil {
		return nil, err
	}
	file, err := os.CreateTemp(Dir(s.cfg.Data), "work-")
	if err != nil {
		return nil, unusable(errors.Join(err, raw.Close()))
	}
	held := &temporary{File: file}
	_, err = io.Copy(file, raw)
	if err = errors.Join(err, raw.Close()); err == nil {
		_, err = file.Seek(0, io.SeekStart)
	}
	if err == nil {
		held.Reader, err = s.cfg.Reader.Open(file, object)
	}
	if err != nil {
		return nil, errors.Join(err, held.Close())
	}
	return held, nil
}

// temporary is a file that goes when it is closed.
type temporary struct {
	*os.File
	io.Reader
}

func (t *temporary) Read(p []byte) (int, error) { return t.Reader.Read(p) }

func (t *temporary) Close() error { return errors.Join(t.File.Close(), os.Remove(t.Name())) }

// apply brings the state one file further.
func (s *Standby) apply(ctx context.Context, f spool.File, open func() (io.ReadCloser, error)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	raw, err := open()
	if err != nil {
		return err
	}
	content, err := spool.Decrypt(s.cfg.Cipher, f.Name, raw)
	if err == nil {
		err = s.files.keep(content, f)
	}
	if err := errors.Join(err, raw.Close()); err != nil {
		return err
	}
	if err := s.files.applySegment(f.Generation); err != nil {
		return err
	}
	s.note(func(*Status) {})
	return nil
}

// CatchUp reads the manifests, and brings the state as far as the destination
// goes. Codes: those of packages fetch and restore; standby_set_back.
func (s *Standby) CatchUp(ctx context.Context) error {
	work, err := os.MkdirTemp(Dir(s.cfg.Data), "work-")
	if err != nil {
		return unusable(err)
	}
	return errors.Join(s.catchUp(ctx, work), os.RemoveAll(work))
}

func (s *Standby) catchUp(ctx context.Context, work string) error {
	from, err := fetch.Open(ctx, s.cfg.From, s.cfg.Reader, work)
	if err != nil {
		return err
	}
	list, err := from.List(ctx, "")
	if err != nil {
		return err
	}
	plan, err := restore.Make(list, restore.Target{})
	if err != nil {
		return err
	}
	state := s.files.state
	switch {
	case plan.Generation < state.Generation:
		return errs.New(errs.Integrity, "standby_set_back", fmt.Sprintf(
			"the destination ends with generation %s, and this standby has reached %s: somebody set it back", plan.Generation, state.Generation))
	case plan.Generation > state.Generation || state.Transaction == 0:
		err = s.begin(ctx, from, plan)
	default:
		err = s.goOn(ctx, from, list, plan)
	}
	if err == nil {
		s.full = s.cfg.Clock.Now()
		s.note(func(st *Status) { st.Fenced = from.Fenced() })
	}
	return err
}

// goOn applies what follows the state; over a gap it begins anew.
func (s *Standby) goOn(ctx context.Context, from *fetch.Fetcher, list []spool.File, plan restore.Plan) error {
	steps, whole := restore.After(list, s.files.state.Generation, s.files.state.Transaction)
	if !whole {
		return s.begin(ctx, from, plan)
	}
	for _, f := range steps {
		if err := s.apply(ctx, f, func() (io.ReadCloser, error) { return from.Open(ctx, f.Name) }); err != nil {
			return err
		}
	}
	return nil
}

// begin makes the database of a plan and puts it in the place of the one before.
func (s *Standby) begin(ctx context.Context, from *fetch.Fetcher, plan restore.Plan) error {
	s.cfg.Log.Info("standby: begins with a whole copy", slog.String("generation", plan.Generation), slog.Uint64("transaction", plan.Transaction))
	r := restore.New(from, s.cfg.Cipher, func(string, int64, int64) {})
	next := s.files.path(nextName)
	if err := errors.Join(r.Prove(ctx, plan), remove(next)); err != nil {
		return err
	}
	if err := r.Apply(ctx, plan, next); err != nil {
		return err
	}
	if err := s.files.replaceBy(plan.Generation, plan.Transaction, plan.Time.UnixMilli()); err != nil {
		return err
	}
	s.note(func(*Status) {})
	return nil
}

// ask looks at the lease, now and then, and tells whether it promises what a
// listing by name cannot find.
func (s *Standby) ask(ctx context.Context, now time.Time) (ahead bool) {
	if s.cfg.Place == nil || now.Sub(s.asked) < askEvery {
		return false
	}
	s.asked = now
	l, err := lease.Look(ctx, s.cfg.Place, s.cfg.Signer)
	if err != nil || l.Epoch == 0 {
		return false // the look itself says what fails
	}
	s.note(func(st *Status) {
		if moved := st.PrimaryBeat != l.Beat || st.Primary != l.Node || st.Epoch != l.Epoch; moved {
			st.PrimarySeen = now
		}
		st.Primary, st.Epoch, st.PrimaryBeat, st.Known = l.Node, l.Epoch, l.Beat, 0
		if l.Generation == st.Generation {
			st.Known = l.Transaction
		}
	})
	state := s.files.state
	older := now.Sub(s.full) > 15*time.Second // listings lag, and a full look is not cheap
	return older && (l.Generation > state.Generation || l.Generation == state.Generation && l.Transaction > state.Transaction+60)
}

// tell says at the destination how far this standby is.
func (s *Standby) tell(ctx context.Context, failed error) {
	now := s.cfg.Clock.Now()
	if s.cfg.Place == nil || s.cfg.Signer == nil || now.Sub(s.told) < tellEvery {
		return
	}
	s.told = now
	st := s.Status()
	f := lease.Follower{
		Node: st.Node, Time: now.UnixMilli(), Generation: st.Generation, Transaction: st.Transaction, State: st.Time,
		Behind: st.Behind, BehindMS: st.BehindFor(now).Milliseconds(),
	}
	if failed != nil {
		f.Failure = errs.CodeOf(failed)
	}
	call, cancel := context.WithTimeout(ctx, lease.CallFor)
	defer cancel()
	if err := lease.Tell(call, s.cfg.Place, s.cfg.Signer, f); err != nil && ctx.Err() == nil {
		s.cfg.Log.Warn("standby: the shop cannot see it", slog.Any("error", err))
	}
}

// Promoting notes, durably, that this standby took an epoch: it follows no more.
func (s *Standby) Promoting(epoch uint64) error {
	next := s.files.state
	next.Promoting = epoch
	if err := save(s.cfg.Data, next); err != nil {
		return err
	}
	s.files.state = next
	return nil
}

// Hand gives the database the shop's name and ends the standby; a crash before it
// is over leaves what Hand can be called on again.
func Hand(data, database string) error {
	from := filepath.Join(Dir(data), databaseName)
	if err := os.Rename(from, database); err != nil && !errors.Is(err, os.ErrNotExist) {
		return unusable(err)
	}
	if _, err := os.Stat(database); err != nil {
		return unusable(err)
	}
	return nil
}

// End forgets that a data directory was a standby's.
func End(data string) error {
	return cmp.Or(os.Remove(filepath.Join(Dir(data), stateName)), os.RemoveAll(Dir(data)))
}
