package vault

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tink-crypto/tink-go/v2/aead/aesgcm"
	"github.com/tink-crypto/tink-go/v2/insecuresecretdataaccess"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/prf/hmacprf"
	"github.com/tink-crypto/tink-go/v2/streamingaead/aesgcmhkdf"

	"panshi/internal/errs"
	"panshi/internal/id"
)

// snapshot reads every file below the directory that holds data and key.
func snapshot(t testing.TB, cfg Config) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	root := filepath.Dir(cfg.KeyFile)
	require.NoError(t, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files[path], err = os.ReadFile(path)
		return err
	}))
	return files
}

func TestCreateMakesPrivateFiles(t *testing.T) {
	_, cfg := newVault(t)
	for _, dir := range []string{cfg.Dir, filepath.Dir(cfg.Dir)} {
		info, err := os.Stat(dir)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o700), info.Mode().Perm(), dir)
	}
	files := snapshot(t, cfg)
	require.Len(t, files, 1+len(slots())+1, "key, keysets, lock; nothing temporary")
	for path := range files {
		info, err := os.Stat(path)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), path)
	}
}

func TestCreateFailsIfAnythingExists(t *testing.T) {
	_, cfg := newVault(t)
	paths := []string{cfg.KeyFile}
	for _, s := range slots() {
		paths = append(paths, filepath.Join(cfg.Dir, s.file()))
	}
	for _, only := range paths {
		content, err := os.ReadFile(only)
		require.NoError(t, err)
		fresh := DefaultConfig(t.TempDir() + "/data")
		path := fresh.KeyFile
		if only != cfg.KeyFile {
			path = filepath.Join(fresh.Dir, filepath.Base(only))
		}
		require.NoError(t, os.MkdirAll(fresh.Dir, 0o700))
		require.NoError(t, os.WriteFile(path, content, 0o600))
		_, err = Create(fresh)
		require.Equal(t, "vault_exists", errs.CodeOf(err), only)
		kept, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, content, kept)
	}
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	_, cfg := newVault(t)
	_, other := newVault(t)
	opens := func(code string) {
		t.Helper()
		before := snapshot(t, cfg)
		_, err := Open(cfg)
		require.Equal(t, code, errs.CodeOf(err))
		_, err = OpenOrCreate(cfg, false)
		require.Equal(t, code, errs.CodeOf(err))
		require.Equal(t, before, snapshot(t, cfg), "nothing is written")
	}
	key, err := os.ReadFile(cfg.KeyFile)
	require.NoError(t, err)
	wrong, err := os.ReadFile(other.KeyFile)
	require.NoError(t, err)

	require.NoError(t, os.WriteFile(cfg.KeyFile, wrong, 0o600))
	opens("vault_key_wrong")
	_, err = OpenOrCreate(cfg, true)
	require.Equal(t, "vault_key_wrong", errs.CodeOf(err))
	require.LessOrEqual(t, strings.Count(err.Error(), "decryption failed"), 1, "it is told once, not for every keyset")

	require.NoError(t, os.Remove(cfg.KeyFile))
	opens("vault_key_missing")
	_, err = OpenOrCreate(cfg, true)
	require.Equal(t, "vault_key_missing", errs.CodeOf(err), "a new key could not open these keysets")
	require.NoFileExists(t, cfg.KeyFile)

	require.NoError(t, os.WriteFile(cfg.KeyFile, key, 0o600))
	for _, s := range slots() {
		path := filepath.Join(cfg.Dir, s.file())
		content, err := os.ReadFile(path)
		require.NoError(t, err)
		require.NoError(t, os.Remove(path))
		opens("vault_keyset_missing")
		require.NoError(t, os.WriteFile(path, content[:len(content)/2], 0o600))
		opens("vault_keyset_damaged")
		require.NoError(t, os.WriteFile(path, nil, 0o600))
		opens("vault_keyset_damaged")
		require.NoError(t, os.WriteFile(path, content, 0o600))
	}
	_, err = Open(cfg)
	require.NoError(t, err)
}

func TestExchangedKeysetsAreRefused(t *testing.T) {
	_, cfg := newVault(t)
	for _, a := range slots() {
		for _, b := range slots() {
			if a == b {
				continue
			}
			pathA := filepath.Join(cfg.Dir, a.file())
			own, err := os.ReadFile(pathA)
			require.NoError(t, err)
			foreign, err := os.ReadFile(filepath.Join(cfg.Dir, b.file()))
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(pathA, foreign, 0o600))
			_, err = Open(cfg)
			require.Equal(t, "vault_keyset_damaged", errs.CodeOf(err), "%s in place of %s", b.file(), a.file())
			require.ErrorContains(t, err, a.file())
			require.NoError(t, os.WriteFile(pathA, own, 0o600))
		}
	}
}

func TestWrappedKeyBytesAreAuthenticated(t *testing.T) {
	_, cfg := newVault(t)
	v, err := Open(cfg)
	require.NoError(t, err)
	subject := id.New()
	want := v.Token("order", subject)
	path := filepath.Join(cfg.Dir, slot{tokenClass, usePRF}.file())
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	for i := range whole {
		damaged := bytes.Clone(whole)
		damaged[i] ^= 0x10
		require.NoError(t, os.WriteFile(path, damaged, 0o600))
		// The unauthenticated description beside the wrapped keys may change
		// without effect; the keys may not.
		if got, err := Open(cfg); err == nil {
			require.Equal(t, want, got.Token("order", subject), "byte %d", i)
		}
	}
}

func TestOpenOrCreateNeverCreatesOverData(t *testing.T) {
	cfg := DefaultConfig(t.TempDir() + "/data")
	_, err := OpenOrCreate(cfg, false)
	require.Equal(t, "vault_key_missing", errs.CodeOf(err))
	require.Empty(t, snapshot(t, cfg))
	require.NoDirExists(t, cfg.Dir)
}

// TestCreationResumes puts the disk into each state that a crash between two
// steps leaves: the first n of the files, and one under its temporary name,
// whole or cut.
func TestCreationResumes(t *testing.T) {
	_, model := newVault(t)
	names := []string{"key"}
	for _, s := range slots() {
		names = append(names, s.file())
	}
	place := func(cfg Config, name string) string {
		if name == "key" {
			return cfg.KeyFile
		}
		return filepath.Join(cfg.Dir, name)
	}
	for done := range len(names) + 1 {
		for _, half := range []string{"none", "empty", "cut", "whole", "linked"} {
			cfg := DefaultConfig(t.TempDir() + "/data")
			require.NoError(t, os.MkdirAll(cfg.Dir, 0o700))
			for i, name := range names {
				content, err := os.ReadFile(place(model, name))
				require.NoError(t, err)
				if i < done {
					require.NoError(t, os.WriteFile(place(cfg, name), content, 0o600))
				}
				tmp := place(cfg, name) + temporary
				switch {
				case half == "linked" && i == done-1:
					require.NoError(t, os.Link(place(cfg, name), tmp))
				case half != "linked" && half != "none" && i == done:
					size := map[string]int{"empty": 0, "cut": len(content) / 2, "whole": len(content)}[half]
					require.NoError(t, os.WriteFile(tmp, content[:size], 0o600))
				}
			}
			resumes(t, cfg, done, len(names), half)
		}
	}
}

func resumes(t *testing.T, cfg Config, done, all int, half string) {
	t.Helper()
	before := snapshot(t, cfg)
	if done < all {
		_, err := OpenOrCreate(cfg, false)
		require.Error(t, err, "%d %s", done, half)
		require.Equal(t, before, snapshot(t, cfg))
	}
	v, err := OpenOrCreate(cfg, true)
	require.NoError(t, err, "%d %s", done, half)
	after := snapshot(t, cfg)
	for path, content := range before {
		if filepath.Ext(path) != temporary {
			require.Equal(t, content, after[path], "what existed stays")
		} else if done < all {
			require.NotContains(t, after, path, "no second copy of a key stays")
		}
	}
	again, err := OpenOrCreate(cfg, false)
	require.NoError(t, err)
	subject := id.New()
	require.Equal(t, v.Token("order", subject), again.Token("order", subject))
}

func TestOneOfManyCreates(t *testing.T) {
	cfg := DefaultConfig(t.TempDir() + "/data")
	subject := id.New()
	tokens := make([]string, 8)
	var group sync.WaitGroup
	for i := range tokens {
		group.Go(func() {
			v, err := OpenOrCreate(cfg, true)
			if err != nil {
				t.Error(err)
				return
			}
			tokens[i] = v.Token("order", subject)
		})
	}
	group.Wait()
	for _, token := range tokens {
		require.Equal(t, tokens[0], token)
	}
}

func TestCreateFailsOnADiskThatRefuses(t *testing.T) {
	root := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(root, "data"), nil, 0o600)) // a file where a directory must be
	_, err := Create(DefaultConfig(filepath.Join(root, "data")))
	require.Equal(t, "vault_write_failed", errs.CodeOf(err))
}

// TestNoKeyInClear takes the raw keys out of the keysets and looks for them, in
// the spellings a leak would have, in every file but the key file.
func TestNoKeyInClear(t *testing.T) {
	_, cfg := newVault(t)
	kek, err := readKeyFile(cfg.KeyFile)
	require.NoError(t, err)
	content, err := os.ReadFile(cfg.KeyFile)
	require.NoError(t, err)
	raw, err := parseKeyFile(content)
	require.NoError(t, err)
	secrets := map[string][]byte{"key-encryption key": raw}
	handles, err := unwrap(kek, cfg.Dir, slots())
	require.NoError(t, err)
	for s, handle := range handles {
		secrets[s.file()] = rawKey(t, s, handle)
	}
	require.Len(t, secrets, 1+len(slots()))
	for path, content := range snapshot(t, cfg) {
		if path == cfg.KeyFile {
			continue
		}
		for name, secret := range secrets {
			require.Len(t, secret, 32)
			for _, form := range [][]byte{
				secret, []byte(hex.EncodeToString(secret)),
				[]byte(base64.RawStdEncoding.EncodeToString(secret)), []byte(base64.RawURLEncoding.EncodeToString(secret)),
			} {
				require.False(t, bytes.Contains(content, form), "%s holds the %s", path, name)
			}
		}
	}
}

func rawKey(t *testing.T, s slot, handle *keyset.Handle) []byte {
	t.Helper()
	entry, err := handle.Primary()
	require.NoError(t, err)
	if s.use == useAEAD {
		key, ok := entry.Key().(*aesgcm.Key)
		require.True(t, ok)
		return key.KeyBytes().Data(insecuresecretdataaccess.Token{})
	}
	if s.use == useStream {
		key, ok := entry.Key().(*aesgcmhkdf.Key)
		require.True(t, ok)
		return key.KeyBytes().Data(insecuresecretdataaccess.Token{})
	}
	key, ok := entry.Key().(*hmacprf.Key)
	require.True(t, ok)
	return key.KeyBytes().Data(insecuresecretdataaccess.Token{})
}

// A shop that was made before there were backups gets their key; keys that are
// missing otherwise are never made anew.
func TestExtendMakesTheKeyOfTheBackupAndNoOther(t *testing.T) {
	_, cfg := newVault(t)
	require.NoError(t, os.RemoveAll(cfg.Dir))
	require.NoError(t, os.Remove(cfg.KeyFile))
	require.NoError(t, Extend(cfg), "a shop without keys stays without")
	require.NoDirExists(t, cfg.Dir)
	_, err := Create(cfg)
	require.NoError(t, err)
	before := snapshot(t, cfg)
	require.NoError(t, Extend(cfg))
	require.Equal(t, before, snapshot(t, cfg))

	require.NoError(t, os.Remove(filepath.Join(cfg.Dir, backupSlot().file())))
	_, err = OpenOrCreate(cfg, false)
	require.Equal(t, "vault_keyset_missing", errs.CodeOf(err))
	require.NoError(t, Extend(cfg))
	v, err := Open(cfg)
	require.NoError(t, err)
	require.NotNil(t, v.Backup())

	require.NoError(t, os.Remove(filepath.Join(cfg.Dir, backupSlot().file())))
	require.NoError(t, os.Remove(filepath.Join(cfg.Dir, slot{Cards, useAEAD}.file())))
	require.NoError(t, Extend(cfg))
	_, err = Open(cfg)
	require.Equal(t, "vault_keyset_missing", errs.CodeOf(err), "keys of goods that are lost stay lost")
}
