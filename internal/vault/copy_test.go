package vault_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"panshi/internal/errs"
	"panshi/internal/id"
	"panshi/internal/vault"
)

func TestCopiedKeysOpenWhatTheFirstSealed(t *testing.T) {
	dir := t.TempDir()
	from, to := vault.DefaultConfig(filepath.Join(dir, "a")), vault.DefaultConfig(filepath.Join(dir, "b"))
	first, err := vault.Create(from)
	require.NoError(t, err)
	cell := vault.Cell{Table: "cards", Column: "content_sealed", Row: id.New()}
	sealed, err := first.Seal(vault.Cards, cell, []byte("KEY"))
	require.NoError(t, err)

	require.NoError(t, vault.Copy(from, to))
	require.NoError(t, vault.Copy(from, to), "repeatable")
	second, err := vault.Open(to)
	require.NoError(t, err)
	text, err := second.Unseal(vault.Cards, cell, sealed)
	require.NoError(t, err)
	require.Equal(t, "KEY", string(text))
	info, err := os.Stat(to.KeyFile)
	require.NoError(t, err)
	require.EqualValues(t, 0o600, info.Mode().Perm())

	require.NoError(t, os.Remove(filepath.Join(to.Dir, "card.aead.keyset")))
	require.NoError(t, vault.Copy(from, to), "goes on")
	_, err = vault.Open(to)
	require.NoError(t, err)

	other := vault.DefaultConfig(filepath.Join(dir, "c"))
	_, err = vault.Create(other)
	require.NoError(t, err)
	require.Equal(t, "vault_exists", errs.CodeOf(vault.Copy(from, other)))
	require.Equal(t, "vault_key_missing", errs.CodeOf(vault.Copy(vault.DefaultConfig(filepath.Join(dir, "d")), to)))
}
