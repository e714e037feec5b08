package app

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"panshi/internal/audit"
	"panshi/internal/clock"
	"panshi/internal/db"
	"panshi/internal/durable"
	"panshi/internal/errs"
	"panshi/internal/merchant"
	"panshi/internal/vault"
)

// configSecret begins the names under which versions of the configuration file
// are kept: sealed beside the keysets, for the file may hold passwords. So they
// are in every backup of the keys, and come back with them.
const configSecret = "config-"

// ConfigVersion is the configuration file as a start, or a rollback, found it.
type ConfigVersion struct {
	Number   int       `json:"number"` // from 1
	At       time.Time `json:"at"`     // when it was found
	By       string    `json:"by"`     // the user who started the shop, or who rolled back
	Owner    string    `json:"owner"`  // of the file
	Modified time.Time `json:"modified"`
	Digest   string    `json:"digest"` // SHA-256 of Content
	Content  []byte    `json:"content"`
}

// ConfigHistory is the versions of the configuration file of one shop. It works
// beside the running shop.
type ConfigHistory struct {
	cfg     Config
	secrets *vault.Secrets
}

// NewConfigHistory needs the key file when it is used.
func NewConfigHistory(cfg Config) *ConfigHistory {
	return &ConfigHistory{cfg: cfg, secrets: vault.NewSecrets(vault.Config(cfg.Vault))}
}

// OpenConfigHistory is NewConfigHistory for somebody whose configuration file may
// be broken: then what is not in flags has its usual value.
func OpenConfigHistory(f Flags) (*ConfigHistory, error) {
	cfg, err := Load(f)
	if err != nil {
		without := f
		without.File = ""
		var still error
		if cfg, still = Load(without); still != nil {
			return nil, err
		}
		cfg.file = f.File
	}
	return NewConfigHistory(cfg), nil
}

// List gives all versions, oldest first.
func (h *ConfigHistory) List() ([]ConfigVersion, error) {
	names, err := h.secrets.Names(configSecret)
	if err != nil {
		return nil, err
	}
	all := []ConfigVersion{}
	for _, name := range names {
		content, err := h.secrets.Load(name)
		if err != nil {
			return nil, err
		}
		var v ConfigVersion
		if err := json.Unmarshal(content, &v); err != nil {
			return nil, errs.Wrap(err, errs.Integrity, "config_version_unreadable", "a version of the configuration is not readable")
		}
		all = append(all, v)
	}
	return all, nil
}

// Version gives one. Code config_version_unknown.
func (h *ConfigHistory) Version(number int) (ConfigVersion, error) {
	all, err := h.List()
	for _, v := range all {
		if v.Number == number {
			return v, err
		}
	}
	if err == nil {
		err = errs.Field("version", "config_version_unknown", "there is no version "+strconv.Itoa(number)+" of the configuration")
	}
	return ConfigVersion{}, err
}

// Now is the configuration file as it stands, as a version without a number.
// Code config_file.
func (h *ConfigHistory) Now() (ConfigVersion, error) {
	if h.cfg.file == "" {
		return ConfigVersion{}, errs.Field("config", "config_file_none", "this shop is run without a configuration file; name it with --config")
	}
	content, err := os.ReadFile(h.cfg.file)
	if err != nil {
		return ConfigVersion{}, errs.Wrap(err, errs.Invalid, "config_file", "cannot read the configuration file "+h.cfg.file)
	}
	sum := sha256.Sum256(content)
	v := ConfigVersion{At: clock.System{}.Now().UTC(), By: nameOf(os.Getuid()), Digest: hex.EncodeToString(sum[:]), Content: content}
	if info, err := os.Stat(h.cfg.file); err == nil {
		v.Modified = info.ModTime().UTC()
		if stat, known := info.Sys().(*syscall.Stat_t); known {
			v.Owner = nameOf(int(stat.Uid))
		}
	}
	return v, nil
}

// nameOf is the name of a user of this machine, or the number.
func nameOf(uid int) string {
	if u, err := user.LookupId(strconv.Itoa(uid)); err == nil {
		return u.Username
	}
	return strconv.Itoa(uid)
}

// Record keeps the file as it stands, if it is another than the last version,
// and tells which version that is; before is the one before, nil for the first.
// new is nil if nothing changed or there is no file.
func (h *ConfigHistory) Record() (before, added *ConfigVersion, err error) {
	if h.cfg.file == "" {
		return nil, nil, nil
	}
	v, err := h.Now()
	if err != nil {
		return nil, nil, err
	}
	all, err := h.List()
	if err != nil {
		return nil, nil, err
	}
	v.Number = 1
	if n := len(all); n > 0 {
		before = &all[n-1]
		if before.Digest == v.Digest {
			return before, nil, nil
		}
		v.Number = before.Number + 1
	}
	content, err := json.Marshal(v)
	if err != nil {
		return nil, nil, err
	}
	defer clear(content)
	return before, &v, h.secrets.Store(fmt.Sprintf("%s%06d", configSecret, v.Number), content)
}

// Validate tells whether a shop would start with a version.
func (h *ConfigHistory) Validate(v ConfigVersion, f Flags) (err error) {
	tmp, err := h.beside(v.Content)
	if err != nil {
		return err
	}
	f.File = tmp
	_, err = Load(f)
	return errors.Join(err, os.Remove(tmp))
}

// beside writes a file next to the configuration file, with its mode and
// durable.
func (h *ConfigHistory) beside(content []byte) (string, error) {
	mode := os.FileMode(0o600)
	if info, err := os.Stat(h.cfg.file); err == nil {
		mode = info.Mode().Perm()
	}
	file, err := os.CreateTemp(filepath.Dir(h.cfg.file), "."+filepath.Base(h.cfg.file)+".new-*.yaml")
	if err != nil {
		return "", configUnwritable(err)
	}
	_, err = file.Write(content)
	if err := errors.Join(err, file.Chmod(mode), file.Sync(), file.Close()); err != nil {
		return "", errors.Join(configUnwritable(err), os.Remove(file.Name()))
	}
	return file.Name(), nil
}

func configUnwritable(err error) error {
	return errs.Wrap(err, errs.Unavailable, "config_unwritable", "the configuration file cannot be written")
}

// Rollback makes the configuration file that of a version, after the file that
// stood there was kept. It takes effect at the next start. expected is what the
// caller showed somebody: if the file is another by now, nothing is written and
// the code is config_changed_meanwhile.
func (h *ConfigHistory) Rollback(v, expected ConfigVersion) error {
	now, err := h.Now()
	if err != nil {
		return err
	}
	if now.Digest != expected.Digest {
		return errs.New(errs.Conflict, "config_changed_meanwhile", "the configuration file was changed in the meantime; look at the difference again")
	}
	if _, _, err := h.Record(); err != nil {
		return err
	}
	tmp, err := h.beside(v.Content)
	if err != nil {
		return err
	}
	if err := os.Rename(tmp, h.cfg.file); err != nil {
		return errors.Join(configUnwritable(err), os.Remove(tmp))
	}
	if err := durable.SyncDir(filepath.Dir(h.cfg.file)); err != nil {
		return configUnwritable(err)
	}
	_, _, err = h.Record()
	return err
}

// same tells whether two versions have the same bytes.
func (v ConfigVersion) same(o ConfigVersion) bool { return bytes.Equal(v.Content, o.Content) }

// keepConfig keeps the configuration file of a shop that starts. A shop sells
// without it.
func keepConfig(cfg Config, log *slog.Logger) (changes []string, number int) {
	before, added, err := NewConfigHistory(cfg).Record()
	if err != nil {
		log.Warn("config: the file could not be kept in the history", slog.Any("error", err))
		return nil, 0
	}
	if added == nil {
		return nil, 0
	}
	was := ConfigVersion{}
	if before != nil {
		was = *before
	}
	for _, c := range ConfigDiff(was, *added) {
		changes = append(changes, c.Key)
	}
	return changes, added.Number
}

// auditConfig leaves a trace of the configuration with which the shop starts, if
// it is a new one: which keys changed, and no values.
func (s *Shop) auditConfig(ctx context.Context) error {
	if s.db.configNumber == 0 {
		return nil
	}
	return s.db.Update(ctx, func(tx *db.Tx) error {
		all, err := merchant.AllTx(tx)
		if err != nil || len(all) == 0 {
			return err // before there is a shop nobody is to be told
		}
		return recordTx(ctx, tx, all[0].ID, audit.Record{
			Action: "config.changed", SubjectKind: "config",
			Detail: map[string]string{"version": strconv.Itoa(s.db.configNumber), "keys": listed(s.db.configChanges)},
		})
	})
}

// keysTold bounds what an audit record says of changed keys.
const keysTold = 50

func listed(keys []string) string {
	text := fmt.Sprint(keys[:min(len(keys), keysTold)])
	if more := len(keys) - keysTold; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
