package seal_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/stretchr/testify/require"

	"panshi/internal/backup"
	"panshi/internal/backup/desttest"
	"panshi/internal/backup/seal"
	"panshi/internal/errs"
	"panshi/internal/vault"
)

func keys(t *testing.T, strict bool) (*seal.Keys, seal.Sheet) {
	t.Helper()
	k, sheet, err := seal.New(seal.Options{Shop: "tea", Strict: strict, Now: time.Unix(1_800_000_000, 0)})
	require.NoError(t, err)
	return k, sheet
}

func sealed(t *testing.T, k *seal.Keys, name string, content []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	s, err := k.Seal(t.Context(), name, bytes.NewReader(content), &out)
	require.NoError(t, err)
	require.Equal(t, int64(out.Len()), s.Size)
	require.Equal(t, backup.Bytes(out.Bytes()).SHA256, s.SHA256)
	require.Equal(t, backup.Bytes(content).SHA256, s.Content)
	return out.Bytes()
}

func opened(r seal.Reader, name string, object []byte) ([]byte, error) {
	content, err := r.Open(bytes.NewReader(object), name)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(content)
}

func TestSheetAndVerifyIdentityOpenWhatIsSealed(t *testing.T) {
	k, sheet := keys(t, false)
	for _, size := range []int64{0, 1, 64 << 10, 1_000_003} {
		content := desttest.Content(t, size)
		object := sealed(t, k, "seg/a", content)
		for _, r := range []seal.Reader{k.Reader(), sheet.Reader()} {
			got, err := opened(r, "seg/a", object)
			require.NoError(t, err)
			require.True(t, bytes.Equal(content, got))
		}
	}
}

func TestAStrictShopCannotReadItsOwnBackups(t *testing.T) {
	k, sheet := keys(t, true)
	object := sealed(t, k, "seg/a", []byte("goods"))
	_, err := k.Reader().Check(bytes.NewReader(object), "seg/a")
	require.NoError(t, err, "it can check them")
	_, err = opened(k.Reader(), "seg/a", object)
	require.True(t, backup.Is(err, "backup_unseal_failed"), "%v", err)
	_, err = opened(sheet.Reader(), "seg/a", object)
	require.NoError(t, err)
}

// TestEveryBitOfAnObjectCounts flips each byte, cuts and extends.
func TestEveryBitOfAnObjectCounts(t *testing.T) {
	k, _ := keys(t, false)
	object := sealed(t, k, "seg/a", desttest.Content(t, 300))
	bad := map[string][]byte{"empty": nil, "longer": append(bytes.Clone(object), 0), "trailer": object[len(object)-112:]}
	for i := range object {
		flipped := bytes.Clone(object)
		flipped[i] ^= 1 << (i % 8)
		bad[fmt.Sprint("flip ", i)] = flipped
		bad[fmt.Sprint("cut ", i)] = object[:i]
	}
	for what, object := range bad {
		_, err := k.Reader().Check(bytes.NewReader(object), "seg/a")
		require.True(t, backup.Is(err, "backup_object_damaged"), "%s: %v", what, err)
	}
}

func TestAnObjectIsBoundToNameAndShop(t *testing.T) {
	k, _ := keys(t, false)
	other, _ := keys(t, false)
	object := sealed(t, k, "seg/a", []byte("goods"))
	_, err := opened(k.Reader(), "seg/b", object)
	require.True(t, backup.Is(err, "backup_object_damaged"), "another name")
	_, err = opened(other.Reader(), "seg/a", object)
	require.True(t, backup.Is(err, "backup_object_damaged"), "another shop")
	_, err = opened(k.Reader(), "seg/a~2", object)
	require.NoError(t, err, "a spare copy is the same object")
}

// TestAStrangerWhoKnowsTheRecipientsMakesNothing: recipients are no secret.
func TestAStrangerWhoKnowsTheRecipientsMakesNothing(t *testing.T) {
	k, sheet := keys(t, false)
	honest := sealed(t, k, "seg/a", []byte("goods"))
	var forged bytes.Buffer
	enc, err := age.Encrypt(&forged, sheet.Identity.Recipient())
	require.NoError(t, err)
	_, err = enc.Write([]byte("other goods"))
	require.NoError(t, errors.Join(err, enc.Close()))
	forged.Write(honest[len(honest)-112:])
	_, err = opened(sheet.Reader(), "seg/a", forged.Bytes())
	require.True(t, backup.Is(err, "backup_object_damaged"), "%v", err)
}

func TestAnObjectOpensWithAgeAlone(t *testing.T) {
	k, sheet := keys(t, false)
	object := sealed(t, k, "seg/a", []byte("goods"))
	r, err := age.Decrypt(bytes.NewReader(object[:len(object)-112]), sheet.Identity)
	require.NoError(t, err)
	content, err := io.ReadAll(r)
	require.NoError(t, err)
	require.Equal(t, "goods", string(content))
}

func TestTheSheetIsTypedBack(t *testing.T) {
	_, sheet := keys(t, false)
	text := sheet.Text()
	got, err := seal.ParseSheet(text)
	require.NoError(t, err)
	require.Equal(t, sheet.Identity.String(), got.Identity.String())
	require.Equal(t, sheet.Signer, got.Signer)
	require.Equal(t, "tea", got.Shop)
	_, err = seal.ParseSheet(strings.ToLower(text))
	require.NoError(t, err, "case does not matter")

	for _, label := range []string{"recovery-key ", "signing-key  "} {
		at := strings.Index(text, label) + len(label) + 20
		for _, slip := range []byte("qz05") {
			typo := []byte(text)
			if strings.EqualFold(string(typo[at]), string(slip)) {
				continue
			}
			typo[at] = slip
			_, err := seal.ParseSheet(string(typo))
			require.True(t, backup.Is(err, "backup_sheet_invalid"), "%s %c: %v", label, slip, err)
			require.NotContains(t, err.Error(), sheet.Identity.String()[20:40])
		}
	}
	_, err = seal.ParseSheet("signing-key")
	require.True(t, backup.Is(err, "backup_sheet_invalid"))
}

func TestKeysStayUnderTheKeyFile(t *testing.T) {
	cfg := vault.DefaultConfig(filepath.Join(t.TempDir(), "shop"))
	_, err := vault.Create(cfg)
	require.NoError(t, err)
	keeper := vault.NewSecrets(cfg)
	_, err = seal.Load(keeper)
	require.Equal(t, "vault_secret_missing", errs.CodeOf(err))

	k, first := keys(t, false)
	require.NoError(t, k.Save(keeper, false))
	require.Equal(t, "vault_exists", errs.CodeOf(k.Save(keeper, false)))
	loaded, err := seal.Load(keeper)
	require.NoError(t, err)
	old := sealed(t, loaded, "seg/a", []byte("goods"))

	renewed, second, err := loaded.Renew(seal.Options{Shop: "tea"})
	require.NoError(t, err)
	require.NoError(t, renewed.Save(keeper, true))
	require.Equal(t, first.Signer, second.Signer, "what was signed before stays good")
	_, err = opened(first.Reader(), "seg/a", old)
	require.NoError(t, err)
	_, err = opened(second.Reader(), "seg/a", old)
	require.True(t, backup.Is(err, "backup_unseal_failed"))
	require.Equal(t, "[backup keys] [backup keys] [recovery sheet]", fmt.Sprintf("%v %#v %v", k, k, first))
}
