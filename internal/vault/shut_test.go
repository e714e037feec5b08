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

var cardFiles = []string{"card.aead.keyset", "card.prf.keyset"}

// shut makes a vault and takes its keysets of card keys away, on purpose.
func shut(t *testing.T, cfg vault.Config) (whole *vault.Vault, taken map[string][]byte) {
	t.Helper()
	whole, err := vault.Create(cfg)
	require.NoError(t, err)
	require.NoError(t, whole.Ready(vault.Cards))
	require.Equal(t, "vault_exists", errs.CodeOf(vault.MarkCardsElsewhere(cfg.Dir)), "they are here")
	taken = map[string][]byte{}
	for _, name := range cardFiles {
		require.True(t, vault.OfCards(name))
		taken[name], err = os.ReadFile(filepath.Join(cfg.Dir, name))
		require.NoError(t, err)
		require.NoError(t, os.Remove(filepath.Join(cfg.Dir, name)))
	}
	_, err = vault.Open(cfg)
	require.Error(t, err, "keysets that were lost are not taken for ones that are elsewhere")
	require.NoError(t, vault.MarkCardsElsewhere(cfg.Dir))
	return whole, taken
}

func TestShutCardsOpenWithTheirOwnKeysets(t *testing.T) {
	dir := t.TempDir()
	cfg := vault.DefaultConfig(filepath.Join(dir, "a"))
	whole, taken := shut(t, cfg)
	card := vault.Cell{Table: "cards", Column: "content_sealed", Row: id.New()}
	secret, err := whole.Seal(vault.Cards, card, []byte("KEY"))
	require.NoError(t, err)
	contact := vault.Cell{Table: "orders", Column: "contact_sealed", Row: id.New()}
	sealed, err := whole.Seal(vault.PII, contact, []byte("13800000001"))
	require.NoError(t, err)

	half, err := vault.Open(cfg)
	require.NoError(t, err)
	require.Equal(t, "vault_cards_shut", errs.CodeOf(half.Ready(vault.Cards)))
	require.NoError(t, half.Ready(vault.PII))
	_, err = half.Unseal(vault.Cards, card, secret)
	require.Equal(t, "vault_cards_shut", errs.CodeOf(err))
	_, err = half.Seal(vault.Cards, card, []byte("KEY"))
	require.Equal(t, "vault_cards_shut", errs.CodeOf(err))
	text, err := half.Unseal(vault.PII, contact, sealed)
	require.NoError(t, err)
	require.Equal(t, "13800000001", string(text))

	copied := vault.DefaultConfig(filepath.Join(dir, "copy"))
	require.NoError(t, vault.Copy(cfg, copied))
	again, err := vault.Open(copied)
	require.NoError(t, err, "the mark is copied too")
	require.Equal(t, "vault_cards_shut", errs.CodeOf(again.Ready(vault.Cards)))

	require.NoError(t, vault.PlaceCards(copied, taken))
	opened, err := vault.Open(copied)
	require.NoError(t, err)
	text, err = opened.Unseal(vault.Cards, card, secret)
	require.NoError(t, err)
	require.Equal(t, "KEY", string(text))
	require.NoError(t, vault.PlaceCards(copied, taken), "repeatable")
}

// A keyset of another shop, or half of one's own, changes nothing: the right one
// can still be placed.
func TestForeignCardsAreNotPlaced(t *testing.T) {
	dir := t.TempDir()
	cfg := vault.DefaultConfig(filepath.Join(dir, "a"))
	_, taken := shut(t, cfg)
	_, foreign := shut(t, vault.DefaultConfig(filepath.Join(dir, "b")))
	require.Error(t, vault.PlaceCards(cfg, foreign))
	require.Equal(t, "vault_keyset_missing", errs.CodeOf(vault.PlaceCards(cfg, map[string][]byte{cardFiles[0]: taken[cardFiles[0]]})))
	half, err := vault.Open(cfg)
	require.NoError(t, err)
	require.Equal(t, "vault_cards_shut", errs.CodeOf(half.Ready(vault.Cards)))
	require.NoError(t, vault.PlaceCards(cfg, taken))
}
