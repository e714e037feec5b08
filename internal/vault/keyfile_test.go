package vault

import (
	"bytes"
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"panshi/internal/errs"
)

func TestParseKeyFile(t *testing.T) {
	key := bytes.Repeat([]byte{0xa5}, keySize)
	text := base64.RawURLEncoding.EncodeToString(key)
	line := keyLabel + text + "\n"
	for _, good := range []string{string(formatKeyFile(key)), line, "# a\n" + line + "# b\n"} {
		got, err := parseKeyFile([]byte(good))
		require.NoError(t, err, good)
		require.Equal(t, key, got)
	}
	bad := map[string]string{
		"empty": "", "newline": "\n", "comments only": "# a\n", "no line feed": strings.TrimSuffix(line, "\n"),
		"two keys": line + line, "empty line": line + "\n", "carriage return": keyLabel + text + "\r\n",
		"leading blank": " " + line, "trailing blank": keyLabel + text + " \n", "padding": keyLabel + text + "=\n",
		"other version": "panshi-key-2 " + text + "\n", "no label": text + "\n", "short": keyLabel + text[:42] + "\n",
		"standard alphabet": keyLabel + "+" + text[1:] + "\n", "loose last bits": keyLabel + text[:42] + "V\n",
		"NULs": strings.Repeat("\x00", 60), "mark": "\ufeff" + line, "line break in key": keyLabel + text[:42] + "\r\n",
		"tail": line + "x\n",
	}
	for name, content := range bad {
		got, err := parseKeyFile([]byte(content))
		require.Nil(t, got, name)
		require.ErrorIs(t, err, errKeyFormat, name)
		require.NotContains(t, err.Error(), text[:12], name)
	}
}

func FuzzParseKeyFile(f *testing.F) {
	f.Add([]byte(""))
	f.Add(formatKeyFile(make([]byte, keySize)))
	f.Add([]byte(keyLabel + strings.Repeat("A", 42) + "B\n"))
	f.Fuzz(func(t *testing.T, content []byte) {
		key, err := parseKeyFile(content)
		if err != nil {
			require.Nil(t, key)
			return
		}
		require.Len(t, key, keySize)
		line := keyLabel + base64.RawURLEncoding.EncodeToString(key) + "\n"
		require.Equal(t, 1, bytes.Count(append([]byte("\n"), content...), []byte("\n"+line)), "one spelling a key")
		again, err := parseKeyFile(formatKeyFile(key))
		require.NoError(t, err)
		require.Equal(t, key, again)
	})
}

func TestKeyFileModes(t *testing.T) {
	_, cfg := newVault(t)
	for _, mode := range []os.FileMode{0o640, 0o604, 0o644, 0o660, 0o601, 0o700, 0o666, 0o777} {
		require.NoError(t, os.Chmod(cfg.KeyFile, mode))
		_, err := Open(cfg)
		require.Equal(t, "vault_key_permissions", errs.CodeOf(err), "%04o", mode)
		require.Equal(t, errs.Forbidden, errs.KindOf(err))
		_, err = OpenOrCreate(cfg, true)
		require.Equal(t, "vault_key_permissions", errs.CodeOf(err), "%04o", mode)
	}
	for _, mode := range []os.FileMode{0o400, 0o600} {
		require.NoError(t, os.Chmod(cfg.KeyFile, mode))
		_, err := Open(cfg)
		require.NoError(t, err)
	}
}

func TestKeyFileOwnerAndType(t *testing.T) {
	_, cfg := newVault(t)
	info, err := os.Stat(cfg.KeyFile)
	require.NoError(t, err)
	require.NoError(t, checkGuarded(info, os.Geteuid()))
	require.ErrorContains(t, checkGuarded(info, os.Geteuid()+1), "another user")

	require.NoError(t, os.Remove(cfg.KeyFile))
	require.NoError(t, syscall.Mkfifo(cfg.KeyFile, 0o600)) // must not hang
	_, err = Open(cfg)
	require.Equal(t, "vault_key_permissions", errs.CodeOf(err))
	require.NoError(t, os.Remove(cfg.KeyFile))
	require.NoError(t, os.Mkdir(cfg.KeyFile, 0o700))
	_, err = Open(cfg)
	require.Equal(t, "vault_key_permissions", errs.CodeOf(err))
}

func TestKeyFileContentFaults(t *testing.T) {
	_, cfg := newVault(t)
	whole, err := os.ReadFile(cfg.KeyFile)
	require.NoError(t, err)
	for name, content := range map[string][]byte{
		"empty": {}, "cut": whole[:len(whole)-5], "large": bytes.Repeat([]byte("#\n"), keyFileMax),
	} {
		require.NoError(t, os.WriteFile(cfg.KeyFile, content, 0o600))
		_, err := Open(cfg)
		require.Equal(t, "vault_key_malformed", errs.CodeOf(err), name)
		_, err = OpenOrCreate(cfg, true)
		require.Equal(t, "vault_key_malformed", errs.CodeOf(err), name)
		kept, err := os.ReadFile(cfg.KeyFile)
		require.NoError(t, err)
		require.Equal(t, content, kept, "a key file is never replaced")
	}
}

func TestConfigValidate(t *testing.T) {
	require.NoError(t, DefaultConfig("data").Validate())
	require.NoError(t, DefaultConfig(".").Validate())
	require.NoError(t, Config{KeyFile: "/srv/keys.key", Dir: "/srv/keys"}.Validate())
	require.NoError(t, Config{KeyFile: "/srv/..data.key", Dir: "/srv/keys"}.Validate())
	for _, bad := range []Config{
		{},
		{KeyFile: "k"},
		{Dir: "d"},
		{KeyFile: "/srv/keys/k", Dir: "/srv/keys"},
		{KeyFile: "/srv/keys/sub/../k", Dir: "/srv/keys/"},
		{KeyFile: "/srv/keys/..k", Dir: "/srv/keys"},
	} {
		require.Equal(t, errs.Invalid, errs.KindOf(bad.Validate()), "%+v", bad)
		_, err := Open(bad)
		require.Error(t, err)
		_, err = Create(bad)
		require.Error(t, err)
		_, err = OpenOrCreate(bad, true)
		require.Error(t, err)
	}
	both := Config{}.Validate().Error()
	require.Contains(t, both, "vault.key_file")
	require.Contains(t, both, "vault.dir")

	abs, err := filepath.Abs("data")
	require.NoError(t, err)
	require.Equal(t, Config{KeyFile: abs + ".key", Dir: filepath.Join(abs, "keys")}, DefaultConfig("data/"))
}
