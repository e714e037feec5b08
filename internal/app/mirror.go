package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"panshi/internal/backup"
	"panshi/internal/backup/bundle"
	"panshi/internal/backup/feed"
	"panshi/internal/backup/manifest"
	"panshi/internal/backup/mirror"
	"panshi/internal/backup/seal"
	"panshi/internal/backup/spool"
	"panshi/internal/clock"
	"panshi/internal/db"
	"panshi/internal/errs"
	"panshi/internal/vault"
)

const (
	// mirrorPoll is a part of what a lost machine may cost; shipping is the rest.
	mirrorPoll = 250 * time.Millisecond
	// lastMirroring is how long a clean stop waits for destinations that take
	// something, and then for calls that hang.
	lastMirroring = 4 * time.Second
	lastCalls     = 2 * time.Second
)

// copies is the copying of a spool to destinations while a shop serves. Its zero
// value copies nothing.
type copies struct {
	wanted  bool // there are destinations
	running atomic.Pointer[mirroring]
	recent  recentAlarms
}

// mirroring is a mirror that runs.
type mirroring struct {
	*mirror.Mirror
	feed *feed.Feed
	stop context.CancelFunc
	done chan struct{}
}

// mirrorDir is where the mirror keeps its own state: in the spool, which lasts
// longer than the data directory.
func (c Config) mirrorDir() string { return filepath.Join(c.spoolDir(), "mirror") }

// start copies the spool of what ships to the destinations of cfg, if there are
// any. It runs until close, and nothing leaves while fence fails.
func (c *copies) start(ctx context.Context, cfg Config, d db.DB, by spooled, fence *leasing, log *slog.Logger) error {
	if !c.wanted {
		return nil
	}
	secrets := vault.NewSecrets(vault.Config(cfg.Vault))
	keys, err := seal.Load(secrets)
	if errs.CodeOf(err) == "vault_secret_missing" {
		return errs.Field("backup.destinations", "backup_keys_missing",
			"there is no recovery key to seal copies to; run panshi key recovery new, print the sheet, and start again")
	}
	if err != nil {
		return err
	}
	targets, err := Targets(cfg.Backup.Destinations, cfg.Data, secrets, clock.System{}, func(string, backup.Call) {})
	if err != nil {
		return err
	}
	source, err := feed.Open(ctx, by.Spool(), cfg.mirrorDir())
	if err != nil {
		return err
	}
	for i := range targets {
		targets[i].Dest = fenced{targets[i].Dest, fence}
	}
	counted := newCounting(d, by, log)
	m, err := c.mirrorOf(ctx, cfg, source, keys, targets, by, counted.sums, fence.epoch(), log)
	if err != nil {
		return errors.Join(err, source.Close())
	}
	c.running.Store(run(ctx, m, source, counted, log))
	return nil
}

func (c *copies) mirrorOf(ctx context.Context, cfg Config, source *feed.Feed, keys *seal.Keys, targets []mirror.Target, by spooled,
	sums func(context.Context) (manifest.Sums, error), epoch uint64, log *slog.Logger,
) (*mirror.Mirror, error) {
	if err := putBundles(ctx, cfg, source, keys); err != nil {
		return nil, err
	}
	settings := mirror.Defaults(mirror.Config{
		Dir: cfg.mirrorDir(), Source: source, Keys: keys, Epoch: epoch, Targets: targets, Clock: clock.System{}, Log: log,
		Alert: c.recent.note,
		Sums:  sums, WantFull: func(string) { by.WantFull() }, Complete: by.Complete,
	})
	settings.Poll = mirrorPoll
	if cfg.Backup.SpoolMax > 0 {
		settings.SpoolMax = cfg.Backup.SpoolMax
	}
	return mirror.New(settings)
}

func run(ctx context.Context, m *mirror.Mirror, source *feed.Feed, counted *counting, log *slog.Logger) *mirroring {
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	running := &mirroring{Mirror: m, feed: source, stop: stop, done: make(chan struct{})}
	go func() {
		defer close(running.done)
		var counts sync.WaitGroup
		counts.Go(func() { counted.run(run) })
		defer counts.Wait()
		if err := m.Run(run); err != nil {
			log.Error("backup: the mirror ended", slog.Any("error", err))
		}
	}()
	return running
}

// need tells the spool's retention whether a destination still lacks a file. As
// long as no mirror runs nobody knows, and everything stays.
func (c *copies) need(f spool.File) bool {
	m := c.running.Load()
	if m == nil {
		return c.wanted
	}
	name, ok := feed.Object(f)
	return ok && !m.feed.Left(f) && m.Needs(name)
}

// close waits a moment for what was shipped last, then ends the mirror. A call
// to a destination that does not end is left behind: its object is not there.
func (c *copies) close() error {
	m := c.running.Load()
	if m == nil {
		return nil
	}
	seen := m.Looks()
	m.Finish()
	now := clock.System{}.Now
	for end := now().Add(lastMirroring); now().Before(end) && !m.caughtUp(seen); {
		time.Sleep(mirrorPoll / 5)
	}
	m.stop()
	select {
	case <-m.done:
		return m.feed.Close()
	case <-time.After(lastCalls):
		return nil // the process ends, and the list with it
	}
}

// caughtUp tells whether every destination that does not fail has everything
// that the source showed since it was seen so many times, in manifests, too. One
// look may have begun before.
func (m *mirroring) caughtUp(seen int) bool {
	return m.Looks() >= seen+2 && !slices.ContainsFunc(m.Status(), func(s mirror.Status) bool { return s.Code == "" && (s.Pending > 0 || s.Listed < s.Objects) })
}

// told is the status of every destination.
func (c *copies) told() []backup.Copy {
	all := []backup.Copy{}
	m := c.running.Load()
	if m == nil {
		return all
	}
	for _, s := range m.Status() {
		all = append(all, backup.Copy{
			Label: s.Label, Region: s.Region, Following: s.Following, Restorable: s.Restorable, To: s.Reach.Time, Complete: s.Complete, Full: s.Reach.Full.Time, Objects: s.Objects,
			Bytes: s.Bytes, Pending: s.Pending, PendingBytes: s.PendingBytes, Lag: s.Lag, Failure: s.Code, Alarms: c.recent.with(s.Label, s.Alarms),
			Chain: s.Head.Chain, Manifest: s.Head.Number, ManifestSHA256: s.Head.SHA256,
		})
	}
	return all
}

// putBundles has the keys and settings backed up, if they are others than
// those that were backed up last or if there is another destination.
func putBundles(ctx context.Context, cfg Config, to *feed.Feed, keys *seal.Keys) error {
	general, err := cfg.generalKeys()
	if err != nil {
		return err
	}
	settings, err := cfg.settingFiles()
	if err != nil {
		return err
	}
	for kind, b := range map[string]bundle.Bundle{boxKeys: general, boxSettings: settings} {
		if err := putBundle(ctx, cfg, to, keys, kind, b); err != nil {
			return err
		}
	}
	return nil
}

// The kinds of boxes.
const (
	boxKeys     = "keys"
	boxSettings = "settings"
)

func putBundle(ctx context.Context, cfg Config, to *feed.Feed, keys *seal.Keys, kind string, b bundle.Bundle) error {
	known := filepath.Join(cfg.mirrorDir(), kind+".sent")
	state := b.Digest() + " " + strings.Join(cfg.Backup.labels(), ",")
	if last, err := os.ReadFile(known); err == nil && string(last) == state || len(b.Files) == 0 {
		return nil
	}
	now := (clock.System{}).Now().UnixMilli()
	name := fmt.Sprintf("box/%s/%016x-%013d", kind, now, now)
	err := to.PutBox(name, func(w io.Writer) error {
		r, plain := io.Pipe()
		go func() { plain.CloseWithError(b.Write(plain)) }()
		_, err := keys.Seal(ctx, name, r, w)
		return err
	})
	if err != nil {
		return err
	}
	return os.WriteFile(known, []byte(state), 0o600)
}

// generalKeys is the key that opens all others, and all others but those of
// card keys.
func (c Config) generalKeys() (bundle.Bundle, error) {
	paths := map[string]string{c.Vault.KeyFile: "key"}
	entries, err := os.ReadDir(c.Vault.Dir)
	if err != nil {
		return bundle.Bundle{}, errs.Wrap(err, errs.Unavailable, "vault_keyset_unreadable", "the keysets cannot be read")
	}
	for _, e := range entries {
		if e.Type().IsRegular() && !strings.HasPrefix(e.Name(), ".") && !vault.OfCards(e.Name()) {
			paths[filepath.Join(c.Vault.Dir, e.Name())] = "keys/" + e.Name()
		}
	}
	return bundle.Of(paths)
}

// settingFiles is the configuration file.
func (c Config) settingFiles() (bundle.Bundle, error) {
	if c.file == "" {
		return bundle.Bundle{}, nil
	}
	return bundle.Of(map[string]string{c.file: "panshi.yaml"})
}
