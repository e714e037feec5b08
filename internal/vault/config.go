package vault

import (
	"errors"
	"path/filepath"
	"strings"

	"panshi/internal/errs"
)

// Config says where the keys are. DefaultConfig gives the usual places.
type Config struct {
	// KeyFile holds the key-encryption key; mode 0600 or less, owned by the
	// user of the process. It must not be in Dir: who copies one must not have
	// the other.
	KeyFile string
	// Dir holds the wrapped keysets, mode 0700.
	Dir string
}

// DefaultConfig gives "<dataDir>.key" beside the data directory and
// "<dataDir>/keys" in it.
func DefaultConfig(dataDir string) Config {
	if abs, err := filepath.Abs(dataDir); err == nil {
		dataDir = abs // so that "." gets a name
	}
	return Config{KeyFile: filepath.Clean(dataDir) + ".key", Dir: filepath.Join(dataDir, "keys")}
}

// Validate reports all faults at once, each an errs.Invalid that names its
// field.
func (c Config) Validate() error {
	var faults []error
	if c.KeyFile == "" {
		faults = append(faults, errs.Field("vault.key_file", "required", "the path of the key file is needed"))
	}
	if c.Dir == "" {
		faults = append(faults, errs.Field("vault.dir", "required", "the directory of the keysets is needed"))
	}
	if len(faults) == 0 && inside(c.KeyFile, c.Dir) {
		faults = append(faults, errs.Field("vault.key_file", "vault_key_file_inside_dir",
			"the key file must not be in the directory of the keysets that it opens"))
	}
	return errors.Join(faults...)
}

// inside tells whether path is dir or below it, as far as their spelling goes.
func inside(path, dir string) bool {
	p, errP := filepath.Abs(path)
	d, errD := filepath.Abs(dir)
	if errP != nil || errD != nil {
		return false
	}
	rel, err := filepath.Rel(d, p)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}
