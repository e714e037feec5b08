package vault

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"panshi/internal/durable"
	"panshi/internal/errs"
)

// secretSuffix ends the names of files of secrets in Config.Dir.
const secretSuffix = ".secret"

// Secrets keeps whole secrets of other packages, such as the keys of backups, in
// files beside the keysets, wrapped by the same key-encryption key. It makes
// none by itself.
type Secrets struct{ cfg Config }

// NewSecrets names the place; nothing is read before it is needed.
func NewSecrets(cfg Config) *Secrets { return &Secrets{cfg: cfg} }

// Store keeps a new secret, durably. Codes: vault_exists if there is one of that
// name, vault_write_failed, and those of the key file.
func (s *Secrets) Store(name string, secret []byte) error {
	return s.locked(name, secret, placeFile)
}

// Replace keeps a secret in place of the one of that name, durably; at no moment
// is there neither.
func (s *Secrets) Replace(name string, secret []byte) error {
	return s.locked(name, secret, replaceFile)
}

func (s *Secrets) locked(name string, secret []byte, place func(string, []byte) error) error {
	kek, err := readKeyFile(s.cfg.KeyFile)
	if err != nil {
		return err
	}
	unlock, err := lockFile(filepath.Join(s.cfg.Dir, ".lock"))
	if err != nil {
		return writeFailed(err)
	}
	defer unlock()
	wrapped, err := kek.Encrypt(secret, secretPlace(name))
	if err != nil {
		return writeFailed(err)
	}
	path := s.path(name)
	if err := os.Remove(path + temporary); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return writeFailed(err)
	}
	err = place(path, wrapped)
	if errors.Is(err, fs.ErrExist) {
		return errs.Wrap(err, errs.Conflict, "vault_exists", "there are keys already; they are never replaced").With("path", path)
	}
	if err != nil {
		return writeFailed(err)
	}
	return nil
}

// Load gives a secret. Codes: vault_secret_missing, vault_secret_damaged (also
// for a file of another name), and those of the key file.
func (s *Secrets) Load(name string) ([]byte, error) {
	kek, err := readKeyFile(s.cfg.KeyFile)
	if err != nil {
		return nil, err
	}
	wrapped, err := os.ReadFile(s.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errs.Wrap(err, errs.NotFound, "vault_secret_missing", "there is no such secret beside the keysets").With("name", name)
	}
	if err != nil {
		return nil, errs.Wrap(err, errs.Unavailable, "vault_keyset_unreadable", "a keyset file cannot be read").With("file", name+secretSuffix)
	}
	secret, err := kek.Decrypt(wrapped, secretPlace(name))
	if err != nil {
		return nil, errs.Wrap(err, errs.Integrity, "vault_secret_damaged",
			"a secret beside the keysets is damaged, stands in another's place, or belongs to another key file").With("name", name)
	}
	return secret, nil
}

func (s *Secrets) path(name string) string { return filepath.Join(s.cfg.Dir, name+secretSuffix) }

// secretPlace binds a wrapped secret to its name.
func secretPlace(name string) []byte { return []byte("panshi secret 1 " + name) }

// replaceFile makes path (0600) hold content, durably, or leaves it as it was.
func replaceFile(path string, content []byte) error {
	if err := writeSynced(path+temporary, content); err != nil {
		return err
	}
	if err := os.Rename(path+temporary, path); err != nil {
		return err
	}
	return durable.SyncDir(filepath.Dir(path))
}

// Names lists the secrets whose names begin with a prefix, sorted.
func (s *Secrets) Names(prefix string) ([]string, error) {
	entries, err := os.ReadDir(s.cfg.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, errs.Wrap(err, errs.Unavailable, "vault_keyset_unreadable", "a keyset file cannot be read").With("file", prefix)
	}
	var names []string
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), secretSuffix); ok && e.Type().IsRegular() && strings.HasPrefix(name, prefix) {
			names = append(names, name)
		}
	}
	return names, nil
}
