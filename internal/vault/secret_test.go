package vault_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"panshi/internal/errs"
	"panshi/internal/vault"
)

func TestSecretsOpenOnlyInTheirPlace(t *testing.T) {
	cfg := vault.DefaultConfig(filepath.Join(t.TempDir(), "shop"))
	_, err := vault.Create(cfg)
	require.NoError(t, err)
	s := vault.NewSecrets(cfg)
	_, err = s.Load("backup")
	require.Equal(t, "vault_secret_missing", errs.CodeOf(err))

	require.NoError(t, s.Store("backup", []byte("first")))
	require.Equal(t, "vault_exists", errs.CodeOf(s.Store("backup", []byte("second"))))
	require.NoError(t, s.Replace("backup", []byte("third")))
	got, err := s.Load("backup")
	require.NoError(t, err)
	require.Equal(t, "third", string(got))

	path := filepath.Join(cfg.Dir, "backup.secret")
	raw, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NotContains(t, string(raw), "third")
	require.NoError(t, os.Rename(path, filepath.Join(cfg.Dir, "other.secret")))
	_, err = s.Load("other")
	require.Equal(t, "vault_secret_damaged", errs.CodeOf(err))
}

func TestACopyOfTheKeysTakesTheSecretsAlong(t *testing.T) {
	from := vault.DefaultConfig(filepath.Join(t.TempDir(), "from"))
	to := vault.DefaultConfig(filepath.Join(t.TempDir(), "to"))
	_, err := vault.Create(from)
	require.NoError(t, err)
	require.NoError(t, vault.NewSecrets(from).Store("backup", []byte("keys of backups")))
	require.NoError(t, vault.Copy(from, to))
	got, err := vault.NewSecrets(to).Load("backup")
	require.NoError(t, err)
	require.Equal(t, "keys of backups", string(got))
}
