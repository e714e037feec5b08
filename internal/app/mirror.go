package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"panshi/internal/backup"
	"panshi/internal/backup/bundle"
	"panshi/internal/backup/feed"
	"panshi/internal/backup/manifest"
	"panshi/internal/backup/mirror"
	"panshi/internal/backup/seal"
	"panshi/internal/backup/ship"
	"panshi/internal/clock"
	"panshi/internal/errs"
	"panshi/internal/vault"
)

const (
	// mirrorPoll is a part of what a lost machine may cost; shipping is the rest.
	mirrorPoll = 250 * time.Millisecond
	// lastMirroring is how long a clean stop waits for destinations.
	lastMirroring = 10 * time.Second
)

// mirroring is the copying of a spool to destinations while a shop serves.
type mirroring struct {
	*mirror.Mirror
	feed *feed.Feed
	stop context.CancelFunc
	done chan struct{}
}

// mirrorDir is where the mirror keeps its own state: in the spool, which lasts
// longer than the data directory.
func (c Config) mirrorDir() string { return filepath.Join(c.spoolDir(), "mirror") }

// startMirror copies the spool of a shipper to the destinations of cfg; nil if
// there are none. It runs until close.
func startMirror(ctx context.Context, cfg Config, shipper *ship.Shipper, log *slog.Logger) (*mirroring, error) {
	if len(cfg.Backup.Destinations) == 0 {
		return nil, nil //nolint:nilnil // a shop without destinations has no mirror
	}
	keys, err := seal.Load(vault.NewSecrets(vault.Config(cfg.Vault)))
	if errs.CodeOf(err) == "vault_secret_missing" {
		return nil, errs.Field("backup.destinations", "backup_keys_missing",
			"there is no recovery key to seal copies to; run panshi key recovery, print the sheet, and start again")
	}
	if err != nil {
		return nil, err
	}
	targets, err := cfg.targets()
	if err != nil {
		return nil, err
	}
	source, err := feed.Open(ctx, shipper.Spool(), cfg.mirrorDir())
	if err != nil {
		return nil, err
	}
	if err := putBundles(ctx, cfg, source, keys); err != nil {
		return nil, errors.Join(err, source.Close())
	}
	settings := mirror.Defaults(mirror.Config{
		Dir: cfg.mirrorDir(), Source: source, Keys: keys, Targets: targets, Clock: clock.System{}, Log: log,
		Alert: tellAlarm(log), Sums: noSums, WantFull: func(string) { shipper.WantFull() },
	})
	settings.Poll = mirrorPoll
	if cfg.Backup.SpoolMax > 0 {
		settings.SpoolMax = cfg.Backup.SpoolMax
	}
	m, err := mirror.New(settings)
	if err != nil {
		return nil, errors.Join(err, source.Close())
	}
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	running := &mirroring{Mirror: m, feed: source, stop: stop, done: make(chan struct{})}
	go func() {
		defer close(running.done)
		if err := m.Run(run); err != nil {
			log.Error("backup: the mirror ended", slog.Any("error", err))
		}
	}()
	return running, nil
}

// close waits a moment for what was shipped last, then ends the mirror.
func (m *mirroring) close() error {
	m.Notice()
	for end := time.Now().Add(lastMirroring); time.Now().Before(end) && !m.caughtUp(); {
		time.Sleep(mirrorPoll)
	}
	m.stop()
	<-m.done
	return m.feed.Close()
}

// caughtUp tells whether every destination that takes anything has everything.
func (m *mirroring) caughtUp() bool {
	files, err := m.feed.List(context.Background(), "")
	if err != nil || len(files) > 0 && m.anybodyTakes() {
		return false
	}
	return true
}

func (m *mirroring) anybodyTakes() bool {
	for _, s := range m.Status() {
		if s.Code == "" {
			return true
		}
	}
	return false
}

// told is the status of every destination.
func (m *mirroring) told() []backup.Copy {
	all := []backup.Copy{}
	for _, s := range m.Status() {
		all = append(all, backup.Copy{
			Label: s.Label, Region: s.Region, Following: s.Following, Restorable: s.Restorable, To: s.Reach.Time, Objects: s.Objects,
			Bytes: s.Bytes, Pending: s.Pending, PendingBytes: s.PendingBytes, Lag: s.Lag, Failure: s.Code, Alarms: s.Alarms,
			Chain: s.Head.Chain, Manifest: s.Head.Number, ManifestSHA256: s.Head.SHA256,
		})
	}
	return all
}

// tellAlarm writes an alarm of the mirror to the log.
func tellAlarm(log *slog.Logger) func(mirror.Alert) {
	return func(a mirror.Alert) {
		level, what := slog.LevelError, "backup: alarm"
		if !a.Raised {
			level, what = slog.LevelInfo, "backup: alarm is over"
		}
		log.Log(context.Background(), level, what, slog.String("code", a.Code), slog.String("destination", a.Label), slog.String("detail", a.Detail))
	}
}

// noSums leaves counts out of manifests: they are counted on what was restored,
// where it is sure which transaction they belong to.
func noSums(context.Context) (manifest.Sums, error) {
	return manifest.Sums{}, errs.New(errs.Unavailable, "backup_not_counted", "nothing was counted")
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
	now := time.Now().UnixMilli()
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

// settingFiles is the configuration file and the files that it names.
func (c Config) settingFiles() (bundle.Bundle, error) {
	paths := map[string]string{}
	if c.file != "" {
		paths[c.file] = "panshi.yaml"
	}
	for _, label := range c.Backup.labels() {
		if file := c.Backup.Destinations[label].SecretFile; file != "" {
			paths[file] = "secrets/" + label
		}
	}
	return bundle.Of(paths)
}
