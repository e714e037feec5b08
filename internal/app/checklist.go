package app

import (
	"context"
	"maps"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"time"

	"panshi/internal/backup"
	"panshi/internal/backup/bundle"
	"panshi/internal/backup/lease"
	"panshi/internal/backup/manifest"
	"panshi/internal/backup/proof"
	"panshi/internal/backup/seal"
	"panshi/internal/clock"
	"panshi/internal/dirdest"
	"panshi/internal/errs"
	"panshi/internal/vault"
)

// lookFor is how long the checklist waits for one destination.
const lookFor = 20 * time.Second

// Checklist judges how well the shop of cfg is kept, by what signed manifests and
// signed records say. A shop without a recovery sheet has no evidence at all.
func Checklist(ctx context.Context, cfg Config) ([]proof.Item, error) {
	copies, err := cfg.look(ctx)
	if err != nil {
		return nil, err
	}
	return cfg.judge(copies, clock.System{}.Now())
}

// look reads the manifests of all destinations, which may be far away and slow.
func (c Config) look(ctx context.Context) ([]proof.Copy, error) {
	keys, err := c.evidenceKeys()
	if keys == nil {
		return nil, err
	}
	var copies []proof.Copy
	for _, label := range c.Backup.labels() {
		copies = append(copies, c.lookAt(ctx, label, keys))
	}
	if told := c.standby(ctx, keys); told != nil {
		if err := c.proofs(keys).KeepStandby(*told, keys); err != nil {
			return nil, err
		}
	}
	return copies, ctx.Err()
}

// judge judges copies that were looked at, by the records of now. It reads
// nothing but these.
func (c Config) judge(copies []proof.Copy, now time.Time) ([]proof.Item, error) {
	keys, err := c.evidenceKeys()
	if err != nil {
		return nil, err
	}
	if keys == nil {
		return proof.Judge(proof.Evidence{CardsNow: c.cardsDigest()}, now), nil
	}
	store := c.proofs(keys)
	e, err := recorded(store)
	if err != nil {
		return nil, err
	}
	e.CardsNow, e.Copies = c.cardsDigest(), slices.Clone(copies)
	for i := range e.Copies {
		if e.Copies[i].Proof, err = store.Last(e.Copies[i].Label); err != nil {
			return nil, err
		}
	}
	return proof.Judge(e, now), nil
}

// evidenceKeys are the keys that evidence is signed with; nil for a shop that has
// no evidence.
func (c Config) evidenceKeys() (*seal.Keys, error) {
	if c.spoolDir() == "" {
		return nil, nil //nolint:nilnil // a shop on PostgreSQL is no failure
	}
	keys, err := backupKeys(c)
	if errs.CodeOf(err) == "backup_keys_missing" {
		return nil, nil //nolint:nilnil // neither is one without a sheet
	}
	return keys, err
}

// standby is what the standby that is furthest said of itself where the lease is
// kept, nil if none did; a place that does not answer is no evidence.
func (c Config) standby(ctx context.Context, keys *seal.Keys) *proof.Standby {
	label := c.Backup.keeper()
	if label == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookFor)
	defer cancel()
	all, err := lease.Followers(ctx, c.swapper(label), keys)
	if err != nil {
		return nil
	}
	var best *proof.Standby
	for _, f := range all {
		told := &proof.Standby{Seen: f.At(), Behind: time.Duration(f.BehindMS) * time.Millisecond}
		if f.Transaction > 0 && (best == nil || told.Seen.Add(-told.Behind).After(best.Seen.Add(-best.Behind))) {
			best = told
		}
	}
	return best
}

// recorded is the evidence that is kept as single records.
func recorded(store *proof.Store) (e proof.Evidence, err error) {
	if e.Cards, err = store.Cards(); err != nil {
		return e, err
	}
	if e.Standby, err = store.Standby(); err != nil {
		return e, err
	}
	e.Offline, err = store.Offline()
	return e, err
}

// lookAt reads the manifests of a destination.
func (c Config) lookAt(ctx context.Context, label string, keys *seal.Keys) proof.Copy {
	ctx, cancel := context.WithTimeout(ctx, lookFor)
	defer cancel()
	d := c.Backup.named(label)
	seen := proof.Copy{Label: label, Region: d.Region, Apart: d.apart(c.Data), Cloud: d.cloud()}
	from, err := c.stored(label)
	if err == nil {
		var log manifest.Log
		if log, err = manifest.Read(ctx, from, keys.Signer()); err == nil {
			reach, _ := backup.Furthest(backup.Segments(slices.Collect(maps.Keys(log.Live))))
			seen.Full, seen.To = reach.Full.Time, reach.Time
			if until := log.Complete(); until.After(seen.To) {
				seen.To = until // nothing happened since
			}
			err = manifest.Report{Log: log}.Err()
		}
	}
	if err != nil {
		seen.Fault = errs.CodeOf(err)
	}
	return seen
}

// apart tells whether a destination is a directory on another device than the
// data.
func (d DestinationConfig) apart(dataDir string) bool {
	return d.Kind == "directory" && dirdest.Apart(d.Dir, dataDir) == nil
}

// cloud names who runs the place: the vendor where the kind tells, else the
// server; "" for a directory.
func (d DestinationConfig) cloud() string {
	switch d.Kind {
	case "directory":
		return ""
	case "oss", "cos", "obs":
		return d.Kind
	case "sftp":
		host, _, err := net.SplitHostPort(d.Address)
		if err != nil {
			return d.Address
		}
		return host
	}
	if u, err := url.Parse(d.Endpoint); err == nil && u.Hostname() != "" {
		return u.Hostname()
	}
	return d.Endpoint
}

// cardBundle is the keysets of card keys; empty if they are not here.
func (c Config) cardBundle() (bundle.Bundle, error) {
	entries, err := os.ReadDir(c.Vault.Dir)
	if err != nil {
		return bundle.Bundle{}, errs.Wrap(err, errs.Unavailable, "vault_keyset_unreadable", "the keysets cannot be read")
	}
	paths := map[string]string{}
	for _, e := range entries {
		if vault.OfCards(e.Name()) {
			paths[filepath.Join(c.Vault.Dir, e.Name())] = e.Name()
		}
	}
	return bundle.Of(paths)
}

func (c Config) cardsDigest() string {
	b, err := c.cardBundle()
	if err != nil || len(b.Files) == 0 {
		return ""
	}
	return b.Digest()
}

// noteCards keeps it on record that the bundle b was written. A shop that ships
// nothing has no place for records.
func noteCards(cfg Config, keys *seal.Keys, b bundle.Bundle) error {
	if cfg.spoolDir() == "" {
		return nil
	}
	return cfg.proofs(keys).KeepCards(proof.CardsRecord{At: clock.System{}.Now().UTC(), Digest: b.Digest()}, keys)
}

// withProofs adds to copies when each was proved last. What cannot be read
// proves nothing.
func (c Config) withProofs(copies []backup.Copy) []backup.Copy {
	keys, err := backupKeys(c)
	if err != nil {
		return copies
	}
	for i, one := range copies {
		last, good, err := c.proofs(keys).Newest(one.Label)
		if err != nil {
			continue
		}
		if last != nil {
			copies[i].ProofTried, copies[i].ProofFailed = last.At, last.Why()
		}
		if good != nil {
			copies[i].Proved, copies[i].ProvedFull = good.At, good.Full
		}
	}
	return copies
}

// Heads are the newest manifests of copies, by label.
func Heads(copies []backup.Copy) map[string]manifest.Head {
	heads := map[string]manifest.Head{}
	for _, c := range copies {
		if c.Chain != "" {
			heads[c.Label] = manifest.Head{Chain: c.Chain, Number: c.Manifest, SHA256: c.ManifestSHA256}
		}
	}
	return heads
}
