package app

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"panshi/internal/backup"
	"panshi/internal/backup/bundle"
	"panshi/internal/backup/feed"
	"panshi/internal/backup/manifest"
	"panshi/internal/backup/offline"
	"panshi/internal/backup/proof"
	"panshi/internal/backup/restore"
	"panshi/internal/backup/seal"
	"panshi/internal/backup/spool"
	"panshi/internal/clock"
	"panshi/internal/dirdest"
	"panshi/internal/errs"
)

// OfflineRequest says which disk gets a copy, and of what.
type OfflineRequest struct {
	Dir        string // where the disk is mounted
	Init       string // the label of a disk that is not in use yet
	SameDevice bool   // allow the device of data or spool: for trying things out
	From       string // the label of a destination to copy from; "" is the spool
	Keep       offline.Keep
	Unmount    bool
	// Generation and Complete are what a running shop said before: that until then
	// nothing of this generation is missing in the spool. "" if none runs.
	Generation string
	Complete   time.Time
}

// OfflineDone tells what a run left on the disk.
type OfflineDone struct {
	proof.Offline
	Copied      int64              `json:"copied_bytes"`
	Damaged     []manifest.Finding `json:"damaged,omitempty"` // of older sets; the disk is not to be trusted
	ClockBehind bool               `json:"clock_behind,omitempty"`
	Strangers   []string           `json:"strangers,omitempty"` // files that are none of ours
	Cards       []string           `json:"cards,omitempty"`     // those that are the bundle of card keys
	Unmounted   bool               `json:"unmounted"`
	// StillMounted is why unmounting failed, "" if it did not or was not asked for.
	StillMounted string `json:"still_mounted,omitempty"`
}

// WriteOffline copies the newest recovery point of the shop to an offline disk,
// reads everything there back, and keeps a signed record of it. It runs beside the
// shop and touches of it nothing but its records. Without a record nothing may be
// called done. Codes: those of package offline, backup_keys_missing,
// backup_same_device, offline_nothing (there is no spool).
func WriteOffline(ctx context.Context, cfg Config, r OfflineRequest, log *slog.Logger, progress restore.Progress) (OfflineDone, error) {
	start := clock.System{}.Now()
	if err := r.Keep.Validate(); err != nil {
		return OfflineDone{}, err
	}
	disk, err := openOffline(cfg, r.Dir, r.Init, r.SameDevice)
	if err != nil {
		return OfflineDone{}, err
	}
	done, err := disk.write(ctx, r, start, progress)
	if err = errors.Join(err, disk.close()); err != nil || len(done.Damaged) > 0 || !r.Unmount {
		return done, err
	}
	if err := dirdest.Unmount(disk.dir); err != nil {
		log.Warn("backup: an offline disk stays mounted", slog.Any("error", err))
		done.StillMounted = errors.Unwrap(err).Error()
		return done, nil
	}
	done.Unmounted = true
	return done, nil
}

// offlineDisk is a disk of ours that is locked.
type offlineDisk struct {
	*dirdest.Dest
	cfg    Config
	keys   *seal.Keys
	dir    string
	marker offline.Marker
	known  *proof.Offline // what was recorded of it; nil if nothing was
	apart  bool           // neither the data nor the spool are on its device
	close  func() error
}

// openOffline finds out whose disk is in dir, before anything is written there.
func openOffline(cfg Config, dir, label string, sameDevice bool) (*offlineDisk, error) {
	if cfg.spoolDir() == "" {
		return nil, errs.New(errs.Conflict, "offline_nothing", "this shop has no spool: see backup.spool")
	}
	keys, err := backupKeys(cfg)
	if err != nil {
		return nil, err
	}
	d := &offlineDisk{cfg: cfg, keys: keys, dir: dir}
	d.marker, err = offline.ReadMarker(dir, keys.Signer())
	fresh := backup.Is(err, "offline_new_disk") && label != ""
	if err != nil && !fresh {
		return nil, err
	}
	apart := d.apartFrom(cfg.Data, cfg.spoolDir())
	if d.apart = apart == nil; !d.apart && !sameDevice {
		return nil, apart
	}
	if label != "" {
		if d.marker, err = offline.Init(dir, label, keys, keys.Signer(), clock.System{}.Now()); err != nil {
			return nil, err
		}
	}
	if d.known, err = cfg.proofs(keys).OfflineOf(d.marker.Disk); err != nil {
		return nil, err
	}
	if d.close, err = offline.Lock(dir); err != nil {
		return nil, err
	}
	d.Dest, err = dirdest.New(dirdest.Config{Dir: dir, SameDevice: true, Uncached: true}) // it was looked at above
	if err != nil {
		return nil, errors.Join(err, d.close())
	}
	return d, nil
}

// apartFrom looks at the devices of dirs; of one that is gone, at that of the
// directory that it was in.
func (d *offlineDisk) apartFrom(dirs ...string) error {
	for _, dir := range dirs {
		if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
			dir = filepath.Dir(filepath.Clean(dir))
		}
		if err := dirdest.Apart(d.dir, dir); err != nil {
			return err
		}
	}
	return nil
}

func (d *offlineDisk) expect() *manifest.Head {
	if d.known == nil {
		return nil
	}
	return &d.known.Head
}

func (d *offlineDisk) write(ctx context.Context, r OfflineRequest, start time.Time, progress restore.Progress) (OfflineDone, error) {
	source, release, err := d.cfg.offlineSource(ctx, r.From, d.keys)
	if err != nil {
		return OfflineDone{}, err
	}
	w := &offline.Writer{
		Disk: d.Dest, Marker: d.marker, Source: source, Keys: d.keys, Keep: r.Keep, Expect: d.expect(), Clock: clock.System{}, Progress: progress,
	}
	result, err := w.Run(ctx)
	if err = errors.Join(err, release(ctx)); err != nil {
		return OfflineDone{}, err
	}
	strangers, err := offline.FindStrangers(d.dir, result.Live, d.keys.Reader(), cardsBox)
	if err = errors.Join(err, d.Flush()); err != nil {
		return OfflineDone{}, err
	}
	done := OfflineDone{
		Offline: d.record(r, result, start), Copied: result.Copied, Damaged: result.Damaged, ClockBehind: result.ClockBehind,
		Strangers: strangers.Names, Cards: strangers.Cards,
	}
	if done.CardsThere = len(strangers.Cards) > 0; len(done.Damaged) > 0 {
		return done, nil
	}
	return done, d.cfg.proofs(d.keys).KeepOffline(done.Offline, d.keys)
}

func (d *offlineDisk) record(asked OfflineRequest, r offline.Result, start time.Time) proof.Offline {
	now := clock.System{}.Now()
	full, _ := feed.File(r.Set.Full, 0)
	record := proof.Offline{
		Disk: d.marker.Disk, Label: d.marker.Label, Apart: d.apart, At: now.UTC(), Took: int64(now.Sub(start)), Generation: full.Generation,
		Transaction: r.Set.End, Time: time.UnixMilli(r.Set.Time).UTC(), Objects: r.Objects, Bytes: r.Bytes, Sets: len(r.Sets), Head: r.Head,
	}
	if asked.From == "" && asked.Generation == full.Generation {
		record.Complete = asked.Complete.UTC()
	}
	return record
}

// offlineSource is the spool, which is nearest and newest, or a destination that
// was named. release ends what keeps retention there waiting.
func (c Config) offlineSource(ctx context.Context, from string, keys *seal.Keys) (source offline.Source, release func(context.Context) error, err error) {
	if from != "" {
		if c.Backup.named(from).Label == "" {
			return nil, nil, errs.Field("from", "backup_destination_unknown", "there is no destination "+from+" in backup.destinations")
		}
		dest, err := c.stored(from)
		if err != nil {
			return nil, nil, err
		}
		release, err := holdWhile(ctx, dest, "offline")
		return offline.FromDestination(dest, keys.Reader()), release, err
	}
	s, err := spool.Open(c.spoolDir(), nil) // nothing is opened
	if err != nil {
		return nil, nil, err
	}
	boxes, err := c.offlineBoxes()
	return offline.FromSpool(s, boxes, keys, clock.System{}.Now()), func(context.Context) error { return nil }, err
}

// offlineBoxes are the bundles that go with each set: never that of card keys.
func (c Config) offlineBoxes() ([]offline.Box, error) {
	general, err := c.generalKeys()
	if err != nil {
		return nil, err
	}
	settings, err := c.settingFiles()
	if err != nil {
		return nil, err
	}
	var boxes []offline.Box
	for kind, b := range map[string]bundle.Bundle{boxKeys: general, boxSettings: settings} {
		if len(b.Files) > 0 {
			boxes = append(boxes, offline.Box{Kind: kind, Write: b.Write})
		}
	}
	slices.SortFunc(boxes, func(a, b offline.Box) int { return strings.Compare(a.Kind, b.Kind) })
	return boxes, nil
}

// OfflineSet is one recovery point of a disk.
type OfflineSet struct {
	Time        time.Time `json:"time"`  // of its newest transaction
	From        time.Time `json:"from"`  // of its whole copy: it restores to any moment between the two
	Taken       time.Time `json:"taken"` // when it was written
	Generation  string    `json:"generation"`
	Transaction uint64    `json:"transaction"`
	Objects     int       `json:"objects"`
	Bytes       int64     `json:"bytes"` // with what it shares with others
}

// OfflineList is what a disk has, by its manifests.
type OfflineList struct {
	Disk  string       `json:"disk"`
	Label string       `json:"label"`
	Dir   string       `json:"dir"`
	Free  int64        `json:"free_bytes"`
	Sets  []OfflineSet `json:"sets"`
}

// ListOffline tells what an offline disk has. It reads manifests only.
func ListOffline(ctx context.Context, cfg Config, dir string) (OfflineList, error) {
	d, err := openOffline(cfg, dir, "", true)
	if err != nil {
		return OfflineList{}, err
	}
	out := OfflineList{Disk: d.marker.Disk, Label: d.marker.Label, Dir: filepath.Clean(dir), Sets: []OfflineSet{}}
	log, err := manifest.Read(ctx, d.Dest, d.keys.Signer())
	if err == nil {
		err = manifest.Report{Log: log}.Err()
	}
	if err == nil {
		out.Free, err = d.Free()
	}
	for _, s := range log.Sets {
		out.Sets = append(out.Sets, offlineSet(s, log.Live))
	}
	return out, errors.Join(err, d.close())
}

func offlineSet(s manifest.Set, live map[string]manifest.Entry) OfflineSet {
	full, _ := feed.File(s.Full, 0)
	out := OfflineSet{
		Time: time.UnixMilli(s.Time).UTC(), From: full.Time, Taken: time.UnixMilli(s.Taken).UTC(), Generation: full.Generation, Transaction: s.End,
	}
	for name, e := range live {
		if s.Has(name) {
			out.Objects++
			out.Bytes += e.Size
		}
	}
	return out
}

// OfflineVerified is what reading a whole disk came to.
type OfflineVerified struct {
	Verified
	Sets  int      `json:"sets"`
	Cards []string `json:"cards,omitempty"` // files that are the bundle of card keys
}

// VerifyOffline reads every object of an offline disk, past the cache, and
// compares it with the manifests and with what was recorded of the disk.
func VerifyOffline(ctx context.Context, cfg Config, dir string, progress restore.Progress) (OfflineVerified, error) {
	d, err := openOffline(cfg, dir, "", true)
	if err != nil {
		return OfflineVerified{}, err
	}
	v := OfflineVerified{Verified: Verified{Label: d.marker.Label, Findings: []manifest.Finding{}}}
	o := offline.Options(d.marker, d.expect())
	o.Progress = func(done, of int) { progress("verify", int64(done), int64(of)) }
	report, err := manifest.Verify(ctx, d.Dest, d.keys.Reader(), o)
	if err == nil {
		v.Objects, v.Bytes, v.Unlisted, v.Sets = report.Objects, report.Bytes, len(report.Unlisted), len(report.Sets)
		v.Findings = append(v.Findings, offline.Ours(report.Findings)...)
		if len(report.Links) == 0 {
			v.Findings = append(v.Findings, manifest.Finding{Kind: manifest.ManifestMissing, Name: manifest.Prefix, Detail: "no set was ever completed on this disk"})
		}
		var strangers offline.Strangers
		strangers, err = offline.FindStrangers(dir, report.Live, d.keys.Reader(), cardsBox)
		v.Cards = strangers.Cards
	}
	return v, errors.Join(err, d.close())
}
