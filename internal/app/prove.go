package app

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"panshi/internal/backup"
	"panshi/internal/backup/lease"
	"panshi/internal/backup/manifest"
	"panshi/internal/backup/pgrestore"
	"panshi/internal/backup/proof"
	"panshi/internal/backup/restore"
	"panshi/internal/backup/seal"
	"panshi/internal/clock"
	"panshi/internal/db"
	"panshi/internal/db/sqlite"
	"panshi/internal/errs"
	"panshi/internal/vault"
)

// proofSpare is left free beside what a proof needs, in bytes: the shop goes on
// selling meanwhile.
const proofSpare = 256 << 20

// Verified tells what reading every object of a destination came to.
type Verified struct {
	Label    string             `json:"label"`
	Region   string             `json:"region,omitempty"`
	Objects  int                `json:"objects"` // listed ones that are as they were stored
	Bytes    int64              `json:"bytes"`   // that they have
	Unlisted int                `json:"unlisted"`
	Findings []manifest.Finding `json:"findings"`
	// Failure is the code of what kept the destination from being read.
	Failure string `json:"failure,omitempty"`
}

// Prover verifies and proves the destinations of one shop, beside the shop: it
// opens neither its data directory nor its spool, except for its own records.
type Prover struct {
	cfg  Config
	keys *seal.Keys
	log  *slog.Logger
	// Heads are what the running shop wrote last, by label; a chain must have
	// reached them.
	Heads map[string]manifest.Head
}

// NewProver gets the keys. Codes backup_keys_missing, backup_no_destination.
func NewProver(cfg Config, log *slog.Logger) (*Prover, error) {
	if cfg.spoolDir() == "" || len(cfg.Backup.labels()) == 0 {
		return nil, errs.New(errs.Conflict, "backup_no_destination", "there is no destination to prove: see backup.destinations")
	}
	keys, err := backupKeys(cfg)
	if err != nil {
		return nil, err
	}
	return &Prover{cfg: cfg, keys: keys, log: log}, nil
}

// backupKeys are the keys of a shop that has a recovery sheet.
func backupKeys(cfg Config) (*seal.Keys, error) {
	keys, err := seal.Load(vault.NewSecrets(vault.Config(cfg.Vault)))
	if errs.CodeOf(err) == "vault_secret_missing" {
		return nil, errs.New(errs.Conflict, "backup_keys_missing", "there is no recovery sheet to seal to; run panshi key recovery new first")
	}
	return keys, err
}

// proofs are the records of what was proved.
func (c Config) proofs(keys *seal.Keys) *proof.Store {
	return proof.NewStore(filepath.Join(c.mirrorDir(), "proofs"), keys.Signer())
}

// Labels gives those of the destinations that are meant: all if none is named.
// Code backup_destination_unknown.
func (p *Prover) Labels(named []string) ([]string, error) {
	all := p.cfg.Backup.labels()
	for _, label := range named {
		if !slices.Contains(all, label) {
			return nil, errs.Field("label", "backup_destination_unknown", "there is no destination "+label+" in backup.destinations")
		}
	}
	if len(named) > 0 {
		return named, nil
	}
	return all, nil
}

// Verify reads every object of a destination and compares it with the signed
// manifests, while retention there waits. What cannot be read is a Failure; an
// error is the end of ctx.
func (p *Prover) Verify(ctx context.Context, label string, progress restore.Progress) (Verified, error) {
	v := Verified{Label: label, Region: p.cfg.Backup.named(label).Region, Findings: []manifest.Finding{}}
	report, err := p.verify(ctx, label, progress)
	if ctx.Err() != nil {
		return v, ctx.Err()
	}
	if err != nil {
		p.log.Warn("backup: a destination cannot be read", slog.String("destination", label), slog.Any("error", err))
		v.Failure = errs.CodeOf(err)
	}
	v.Objects, v.Bytes, v.Unlisted = report.Objects, report.Bytes, len(report.Unlisted)
	v.Findings = append(v.Findings, report.Findings...)
	return v, nil
}

func (p *Prover) verify(ctx context.Context, label string, progress restore.Progress) (report manifest.Report, err error) {
	from, err := p.cfg.stored(label)
	if err != nil {
		return report, err
	}
	release, err := holdWhile(ctx, from, "verify")
	if err != nil {
		return report, err
	}
	options := manifest.Options{Label: label, Progress: func(done, of int) { progress("verify", int64(done), int64(of)) }}
	if head, known := p.Heads[label]; known {
		options.Expect = []manifest.Head{head}
	}
	report, err = manifest.Verify(ctx, from, p.keys.Reader(), options)
	if err == nil && len(report.Links) == 0 {
		report.Findings = append(report.Findings, manifest.Finding{
			Kind: manifest.ManifestMissing, Name: manifest.Prefix, Detail: "nothing says what should be here",
		})
	}
	if err == nil {
		var forged []string
		forged, err = lease.Unsigned(ctx, from, p.keys.Signer())
		for _, name := range forged {
			report.Findings = append(report.Findings, manifest.Finding{Kind: manifest.Forged, Name: name})
		}
	}
	return report, errors.Join(err, release(ctx))
}

// Prove verifies a destination, restores its newest recovery point into a new
// directory below scratch ("" is beside the data), checks every invariant there,
// counts what there is, and takes it away again. The record is kept, good or
// not. Code backup_strict: this machine cannot open its copies.
func (p *Prover) Prove(ctx context.Context, label, scratch string, progress restore.Progress) (proof.Record, error) {
	if p.keys.Strict() {
		return proof.Record{}, errs.New(errs.Conflict, "backup_strict",
			"this shop keeps nothing that opens its copies (strict); restore one with the recovery sheet on another machine to prove it")
	}
	start := clock.System{}.Now()
	r := proof.Record{Destination: label, Region: p.cfg.Backup.named(label).Region, Version: Version()}
	if scratch == "" {
		scratch = p.cfg.scratchDir()
	}
	if err := p.try(ctx, &r, scratch, progress); err != nil {
		if ctx.Err() != nil {
			return r, ctx.Err()
		}
		p.log.Error("backup: a destination is not proved", slog.String("destination", label), slog.Any("error", err))
		r.Failure = errs.CodeOf(err)
	}
	r.At = clock.System{}.Now().UTC()
	r.Took = int64(r.At.Sub(start))
	return r, p.cfg.proofs(p.keys).Keep(r, p.keys)
}

// try looks for room, verifies, and restores what is as it was stored.
func (p *Prover) try(ctx context.Context, r *proof.Record, scratch string, progress restore.Progress) error {
	if err := p.cfg.roomToProve(scratch); err != nil {
		return err
	}
	seen, err := p.Verify(ctx, r.Destination, progress)
	if err != nil {
		return err
	}
	r.Objects, r.Bytes, r.Findings, r.Failure = seen.Objects, seen.Bytes, seen.Findings, seen.Failure
	if r.Failure != "" || len(r.Findings) > 0 {
		return nil
	}
	return p.bringBack(ctx, r, scratch, progress)
}

// roomToProve refuses to fill a disk: a proof needs the database twice, once as
// it comes and once as it is made.
func (c Config) roomToProve(scratch string) error {
	var need int64
	for _, name := range []string{sqlite.FileName, sqlite.FileName + "-wal"} {
		if info, err := os.Stat(filepath.Join(c.Data, name)); err == nil {
			need += 2 * info.Size()
		}
	}
	free, err := freeBytes(scratch)
	if err != nil {
		return errs.Wrap(err, errs.Unavailable, "restore_unwritable", "a restored file cannot be written")
	}
	if free < need+proofSpare {
		return errs.New(errs.Unavailable, "backup_proof_room", "there is not enough room to prove a copy: the database twice is needed").
			With("free", strconv.FormatInt(free>>20, 10)).With("need", strconv.FormatInt((need+proofSpare)>>20, 10))
	}
	return nil
}

// bringBack restores, checks and counts in a directory of its own, of which
// nothing stays.
func (p *Prover) bringBack(ctx context.Context, r *proof.Record, scratch string, progress restore.Progress) (err error) {
	dir, err := os.MkdirTemp(scratch, provingPrefix)
	if err != nil {
		return errs.Wrap(err, errs.Unavailable, "restore_unwritable", "a restored file cannot be written")
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	lock, err := db.LockDir(dir) // or who sweeps would take it for one that was left
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	if dir, err = filepath.Abs(dir); err != nil {
		return errs.Wrap(err, errs.Invalid, "data_dir_unusable", "the data directory cannot be used")
	}
	if err := pgrestore.LetThrough(dir); err != nil {
		return err
	}
	from, err := p.origin(ctx, r.Destination, filepath.Join(dir, "from"))
	if err != nil {
		return err
	}
	there := p.cfg.elsewhere(filepath.Join(dir, "shop"))
	done, err := restoreFrom(ctx, there, RestoreRequest{}, from, p.log, progress)
	r.Differences, r.Compared, r.Exact = done.Sums.Differences, done.Sums.Transaction, done.Sums.Exact
	if err = errors.Join(err, from.close()); err != nil {
		return err
	}
	r.Generation, r.Transaction, r.Time, r.Full = done.Generation, done.Transaction, done.Time, done.Files[0].Time
	r.Restored, r.Invariants, r.Violations = done.Bytes, len(done.Check.Results), done.Check.Violations
	return countIn(ctx, there, done.Server, p.log, r)
}

func (p *Prover) origin(ctx context.Context, label, work string) (origin, error) {
	if err := os.Mkdir(work, 0o700); err != nil {
		return origin{}, errs.Wrap(err, errs.Unavailable, "restore_unwritable", "a restored file cannot be written")
	}
	from, err := p.cfg.stored(label)
	if err != nil {
		return origin{}, err
	}
	reader := p.keys.Reader()
	return destinationOrigin(ctx, from, RestoreRequest{reader: &reader}, work)
}

// elsewhere is the shop of c in another directory, with its keys there, too.
func (c Config) elsewhere(dir string) Config {
	c.Data, c.Vault = dir, VaultConfig(vault.DefaultConfig(dir))
	return c
}

// countIn adds up the restored shop.
func countIn(ctx context.Context, there Config, server RestoredServer, log *slog.Logger, r *proof.Record) error {
	tables := server.tables()
	return server.within(ctx, there.scratch(there.Data, there.Vault.KeyFile), log, func(shop *Shop) error {
		sums, err := proof.Count(ctx, shop.db, tables)
		sums.Generation, sums.Tx, sums.Time = r.Generation, r.Transaction, r.Time.UnixMilli()
		r.Sums = &sums
		return err
	})
}

// holdWhile asks retention to wait until release is called; a destination to
// which we may not write cannot be asked.
func holdWhile(ctx context.Context, from backup.Destination, what string) (release func(context.Context) error, err error) {
	hold, err := backup.Hold(ctx, from, clock.System{}.Now(), what)
	if err != nil && !backup.Is(err, "backup_refused") {
		return nil, err
	}
	return func(ctx context.Context) error {
		if hold == nil {
			return nil
		}
		if err := hold(context.WithoutCancel(ctx)); !backup.Is(err, "backup_refused") {
			return err
		}
		return nil // it ends by itself
	}, nil
}

// named is the destination of a label, the zero one if there is none.
func (c BackupConfig) named(label string) DestinationConfig {
	for _, d := range c.Destinations {
		if d.Label == label {
			return d
		}
	}
	return DestinationConfig{}
}

// stored opens a destination with the credential that this machine keeps.
func (c Config) stored(label string) (backup.Destination, error) {
	dest, err := c.opened(label)
	if err != nil {
		return nil, err
	}
	return backup.Retry(dest, backup.DefaultRetry()), nil
}

// opened is stored without any retry.
func (c Config) opened(label string) (backup.Destination, error) {
	d := c.Backup.named(label)
	secret, err := d.secret(vault.NewSecrets(vault.Config(c.Vault)))
	if err == nil {
		err = d.validate(secret)
	}
	if err != nil {
		return nil, err
	}
	return d.open(secret, c.Data, clock.System{})
}
