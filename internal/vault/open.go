package vault

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"panshi/internal/durable"
	"panshi/internal/errs"
)

// Open opens the keys of an existing shop. It writes nothing. Codes:
// vault_key_missing, vault_key_permissions, vault_key_malformed,
// vault_key_unreadable, vault_key_wrong, vault_keyset_missing,
// vault_keyset_damaged, vault_keyset_unreadable.
func Open(cfg Config) (*Vault, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	kek, err := readKeyFile(cfg.KeyFile)
	if err != nil {
		return nil, err
	}
	all, err := expected(cfg.Dir)
	if err != nil {
		return nil, err
	}
	handles, err := unwrap(kek, cfg.Dir, all)
	if err != nil {
		return nil, err
	}
	return assemble(handles)
}

// Create makes key file and keysets, durably, and opens them. It fails with
// code "vault_exists" if any of them exists, and with "vault_write_failed" if
// the disk refuses; what it made until then, OpenOrCreate completes.
func Create(cfg Config) (*Vault, error) {
	return creating(cfg, func() error {
		hasKey, err := exists(cfg.KeyFile)
		if err != nil {
			return err
		}
		present, _, err := survey(cfg.Dir)
		if err != nil {
			return err
		}
		if hasKey || len(present) > 0 {
			return errs.New(errs.Conflict, "vault_exists", "there are keys already; they are never replaced").
				With("path", cfg.KeyFile).With("dir", cfg.Dir)
		}
		return complete(cfg)
	})
}

// OpenOrCreate opens the keys; if some are missing and fresh says that the
// shop's database is still empty, it makes them. So a first start that was
// interrupted anywhere goes on at the next, and a shop with data never gets
// new keys in place of lost ones: then it fails as Open does. Keysets without
// their key file are an error even when fresh. Processes that share a
// directory may call it at the same time; one of them creates.
func OpenOrCreate(cfg Config, fresh bool) (*Vault, error) {
	v, err := Open(cfg)
	if !fresh {
		return v, err
	}
	switch {
	case err == nil:
		// The start that made these may have died before it settled them.
		if err := settle(cfg); err != nil {
			return nil, writeFailed(err)
		}
		return v, nil
	case errs.CodeOf(err) == "vault_key_missing", errs.CodeOf(err) == "vault_keyset_missing":
		return creating(cfg, func() error { return complete(cfg) })
	default:
		return nil, err
	}
}

// Extend gives a shop that was made before there were backups the key for them.
// The caller has made sure that there is no backup yet: the key of an old one
// would be missed, not replaced. A shop that has the key, or none at all, stays
// as it is.
func Extend(cfg Config) error {
	if err := cfg.Validate(); err != nil {
		return err
	}
	present, absent, err := survey(cfg.Dir)
	if err != nil || len(present) == 0 || !slices.Equal(absent, []slot{backupSlot()}) {
		return err
	}
	_, err = creating(cfg, func() error { return complete(cfg) })
	return err
}

// creating runs work under the lock that keeps creators apart, then opens.
func creating(cfg Config, work func() error) (*Vault, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	unlock, err := prepare(cfg)
	if err != nil {
		return nil, writeFailed(err)
	}
	defer unlock()
	if err := work(); err != nil {
		return nil, err
	}
	return Open(cfg)
}

// prepare makes the directories, takes the lock, removes what an interrupted
// creation left under temporary names, and settles what it left under final
// ones.
func prepare(cfg Config) (unlock func(), err error) {
	if err := durable.MakeDir(filepath.Dir(cfg.KeyFile)); err != nil {
		return nil, err
	}
	if err := durable.MakeDir(cfg.Dir); err != nil {
		return nil, err
	}
	unlock, err = lockFile(filepath.Join(cfg.Dir, ".lock"))
	if err != nil {
		return nil, err
	}
	if err := errors.Join(removeStale(cfg), settle(cfg)); err != nil {
		unlock()
		return nil, err
	}
	return unlock, nil
}

func removeStale(cfg Config) error {
	paths := []string{cfg.KeyFile}
	for _, s := range slots() {
		paths = append(paths, filepath.Join(cfg.Dir, s.file()))
	}
	for _, path := range paths {
		if err := os.Remove(path + temporary); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// settle makes the names of existing files and directories durable: a process
// that died between link and sync left them visible, yet a power cut could
// still take them away, and by then there may be data under these keys. A
// directory that we may not read is one that we did not write.
func settle(cfg Config) error {
	keyDir := filepath.Dir(cfg.KeyFile)
	for _, dir := range []string{cfg.Dir, filepath.Dir(cfg.Dir), keyDir, filepath.Dir(keyDir)} {
		if err := durable.SyncDir(dir); err != nil && !errors.Is(err, fs.ErrPermission) {
			return err
		}
	}
	return nil
}

// complete makes what is missing: the key file first, and that only while no
// keyset exists, since a new key could not open it; then the keysets, once the
// key has proved to open those that are there.
func complete(cfg Config) error {
	present, absent, err := survey(cfg.Dir)
	if err != nil {
		return err
	}
	hasKey, err := exists(cfg.KeyFile)
	if err != nil {
		return err
	}
	if !hasKey && len(present) == 0 {
		if err := makeKeyFile(cfg.KeyFile); err != nil {
			return writeFailed(err)
		}
	}
	kek, err := readKeyFile(cfg.KeyFile)
	if err != nil {
		return err
	}
	if _, err := unwrap(kek, cfg.Dir, present); err != nil {
		return err
	}
	for _, s := range absent {
		if err := makeKeyset(kek, cfg.Dir, s); err != nil {
			return writeFailed(err)
		}
	}
	return nil
}

func exists(path string) (bool, error) {
	_, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, keyFileError(path, err)
	}
	return true, nil
}

func writeFailed(err error) error {
	return errs.Wrap(err, errs.Unavailable, "vault_write_failed", "keys could not be written")
}
