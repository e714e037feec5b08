package app

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"panshi/internal/backup"
	"panshi/internal/backup/proof"
	"panshi/internal/backup/schedule"
	"panshi/internal/clock"
	"panshi/internal/db"
	"panshi/internal/errs"
)

const (
	// proveLook is how often it is looked whether a proof is due.
	proveLook = 10 * time.Second
	// proveStop is how long a proof may take to clean up when the shop stops.
	proveStop = 5 * time.Second
	// proofWords is how much of what a failed proof says goes into the log, bytes.
	proofWords = 2000
)

// Notes of planned proofs.
const (
	noteDied    = "backup_proof_died" // its process ended without a record
	noteOverdue = "overdue"
)

// proving has destinations proved while a shop serves, one at a time and each in
// a process of its own, so that buyers feel neither its memory nor its work.
type proving struct {
	cfg    Config
	copies func() []backup.Copy
	began  time.Time
	log    *slog.Logger

	mu    sync.Mutex
	under string               // guarded by mu: the label that is being proved
	died  map[string]time.Time // guarded by mu: when a proof ended without a record, by label
}

func newProving(cfg Config, copies func() []backup.Copy, log *slog.Logger) *proving {
	return &proving{cfg: cfg, copies: copies, began: clock.System{}.Now(), log: log, died: map[string]time.Time{}}
}

// why tells in a word why nothing is proved here; "" if it is.
func (p *proving) why() string {
	if p.cfg.Backup.Prove == schedule.Never || len(p.cfg.ProveCommand) == 0 {
		return string(schedule.Never)
	}
	keys, err := backupKeys(p.cfg)
	switch {
	case err != nil:
		return errs.CodeOf(err)
	case keys.Strict():
		return "strict"
	}
	return ""
}

// run proves what is due until ctx ends.
func (p *proving) run(ctx context.Context) {
	if len(p.cfg.Backup.Destinations) == 0 || len(p.cfg.ProveCommand) == 0 {
		return
	}
	tick := time.NewTicker(proveLook)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := clock.System{}.Now()
		if p.why() != "" {
			continue
		}
		if next, ok := p.cfg.Backup.Prove.Next(p.known(p.cfg.withProofs(p.copies())), now); ok && !next.At.After(now) {
			p.prove(ctx, next.Label)
		}
	}
}

// prove has one destination proved. What comes of it is in the record; a process
// that left none is noted.
func (p *proving) prove(ctx context.Context, label string) {
	p.mark(label)
	defer p.mark("")
	before := p.last(label)
	err := sweepProofs(p.cfg.scratchDir())
	said := &tail{most: proofWords}
	if err == nil {
		err = runLow(p.command(ctx, label, said))
	}
	if ctx.Err() != nil {
		return
	}
	after := p.last(label)
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.died, label)
	switch {
	case after != nil && (before == nil || after.At.After(before.At)):
		p.log.Info("backup: a destination was proved", slog.String("destination", label), slog.Bool("good", after.Good()), slog.String("why", after.Why()))
	default:
		p.died[label] = clock.System{}.Now()
		p.log.Error("backup: a proof ended without a record", slog.String("destination", label), slog.Any("error", err), slog.String("said", said.String()))
	}
}

// command is the process that proves a destination, on one processor. It asks
// this shop over its socket what was written last.
func (p *proving) command(ctx context.Context, label string, said *tail) *exec.Cmd {
	args := append(slices.Clone(p.cfg.ProveCommand[1:]), "--json", "--scratch", p.cfg.scratchDir(), label)
	cmd := exec.CommandContext(ctx, p.cfg.ProveCommand[0], args...) //nolint:gosec // this very program
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
	cmd.Stderr = said
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = proveStop
	return cmd
}

func (p *proving) mark(label string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.under = label
}

func (p *proving) last(label string) *proof.Record {
	keys, err := backupKeys(p.cfg)
	if err != nil {
		return nil
	}
	last, err := p.cfg.proofs(keys).Last(label)
	if err != nil {
		return nil
	}
	return last
}

// known is what records say of copies (withProofs), in the form that the
// schedule takes.
func (p *proving) known(copies []backup.Copy) []schedule.Copy {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := make([]schedule.Copy, 0, len(copies))
	for _, c := range copies {
		k := schedule.Copy{Label: c.Label, Full: c.Full, Good: c.Proved, Of: c.ProvedFull, Tried: c.ProofTried, Bad: c.ProofFailed != ""}
		if died, ok := p.died[c.Label]; ok {
			k.Tried, k.Bad = died, true
		}
		all = append(all, k)
	}
	return all
}

// planned tells of each destination when it was proved and will be. The one that
// waited longest proves the next whole copy.
func (p *proving) planned(copies []backup.Copy, full time.Time) []backup.Planned {
	now, known := clock.System{}.Now(), p.known(copies)
	longest := slices.MinFunc(known, func(a, b schedule.Copy) int { return a.Good.Compare(b.Good) })
	why := p.why()
	all := make([]backup.Planned, 0, len(known))
	for i, k := range known {
		one := backup.Planned{What: backup.PlannedProof, Label: k.Label, LastGood: k.Good, Note: why}
		if next, ok := p.cfg.Backup.Prove.When(k, known, now); ok && why == "" {
			one.Next = next
			if p.cfg.Backup.Prove == schedule.EveryFull && k.Label == longest.Label && full.Before(next) {
				one.Next = full
			}
		}
		if why == "" {
			one.Note = p.note(k, copies[i], now)
		}
		all = append(all, one)
	}
	return all
}

// note says in a word how proving a destination stands.
func (p *proving) note(k schedule.Copy, c backup.Copy, now time.Time) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, died := p.died[k.Label]
	switch {
	case p.under == k.Label:
		return "running"
	case died:
		return noteDied
	case c.ProofFailed != "":
		return "failed"
	case p.cfg.Backup.Prove.Overdue(k, p.began, now):
		return noteOverdue
	}
	return ""
}

// scratchDir is where proofs restore to for a moment.
func (c Config) scratchDir() string {
	if c.Backup.ProveIn != "" {
		return c.Backup.ProveIn
	}
	return filepath.Dir(filepath.Clean(c.Data))
}

// provingPrefix begins the names of directories of proofs. Each is locked by the
// process that works in it.
const provingPrefix = ".proving-"

// sweepProofs removes what proofs that were killed left in dir: restored
// databases, with the keys that open them.
func sweepProofs(dir string) error {
	left, err := filepath.Glob(filepath.Join(dir, provingPrefix+"*"))
	for _, path := range left {
		lock, lockErr := db.LockDir(path)
		if errs.CodeOf(lockErr) == "data_dir_locked" {
			continue // somebody is at it
		}
		if lockErr != nil {
			err = errors.Join(err, lockErr)
			continue
		}
		err = errors.Join(err, os.RemoveAll(path), lock.Close())
	}
	return err
}

// tail keeps the end of what is written to it.
type tail struct {
	most int
	buf  bytes.Buffer
}

// Write implements io.Writer.
func (t *tail) Write(p []byte) (int, error) {
	t.buf.Write(p)
	if over := t.buf.Len() - t.most; over > 0 {
		t.buf.Next(over)
	}
	return len(p), nil
}

func (t *tail) String() string { return t.buf.String() }

// offlineEvery is how often somebody should plug a disk in.
const offlineEvery = 7 * 24 * time.Hour

// offline is the weekly copy to a disk that is taken away.
func (p *proving) offline() backup.Planned {
	next := backup.Planned{What: backup.PlannedOffline, Note: "never"}
	keys, err := backupKeys(p.cfg)
	if err != nil {
		return next
	}
	if last, err := p.cfg.proofs(keys).Offline(); err == nil && last != nil {
		next.LastGood, next.Next, next.Note = last.At, last.At.Add(offlineEvery), ""
	}
	return next
}
