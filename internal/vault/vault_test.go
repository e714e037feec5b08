package vault

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"panshi/internal/errs"
	"panshi/internal/id"
)

func newVault(t testing.TB) (*Vault, Config) {
	t.Helper()
	cfg := DefaultConfig(t.TempDir() + "/data")
	v, err := Create(cfg)
	require.NoError(t, err)
	return v, cfg
}

func allClasses() []Class { return []Class{Cards, PII, Payment, Staff} }

func refused(t testing.TB, v *Vault, class Class, cell Cell, sealed []byte) {
	t.Helper()
	text, err := v.Unseal(class, cell, sealed)
	require.Nil(t, text)
	require.Equal(t, "vault_unseal_failed", errs.CodeOf(err))
	require.Equal(t, errs.Integrity, errs.KindOf(err))
}

func TestSealRoundTrip(t *testing.T) {
	v, cfg := newVault(t)
	again, err := Open(cfg)
	require.NoError(t, err)
	rapid.Check(t, func(t *rapid.T) {
		class := rapid.SampledFrom(allClasses()).Draw(t, "class")
		cell := Cell{
			Table:  rapid.StringN(1, 60, 255).Draw(t, "table"),
			Column: rapid.StringN(1, 60, 255).Draw(t, "column"), Row: id.New(),
		}
		text := rapid.SliceOfN(rapid.Byte(), 0, 4096).Draw(t, "text")
		sealed, err := v.Seal(class, cell, text)
		require.NoError(t, err)
		require.Len(t, sealed, len(text)+33)
		if len(text) >= 8 {
			require.False(t, bytes.Contains(sealed, text))
		}
		got, err := again.Unseal(class, cell, sealed)
		require.NoError(t, err)
		require.True(t, bytes.Equal(text, got))
	})
}

func TestSealsOfOneTextDiffer(t *testing.T) {
	v, _ := newVault(t)
	cell := Cell{"cards", "secret", id.New()}
	a, err := v.Seal(Cards, cell, []byte("same"))
	require.NoError(t, err)
	b, err := v.Seal(Cards, cell, []byte("same"))
	require.NoError(t, err)
	require.NotEqual(t, a, b)
}

func TestUnsealRefusesEveryOtherPlace(t *testing.T) {
	v, _ := newVault(t)
	other, _ := newVault(t)
	row := id.New()
	home := Cell{"cards", "secret", row}
	for _, class := range allClasses() {
		sealed, err := v.Seal(class, home, []byte("text"))
		require.NoError(t, err)
		for _, cell := range []Cell{
			{"cards", "secret", id.New()},
			{"cards", "note", row},
			{"orders", "secret", row},
			{"card", "ssecret", row},
			{"cardss", "ecret", row},
			{"secret", "cards", row},
			{"cards", "", row},
			{"", "secret", row},
			{"cards", "secret", id.ID{}},
			{},
			{strings.Repeat("x", 256), "secret", row},
		} {
			refused(t, v, class, cell, sealed)
		}
		for _, wrong := range append(allClasses(), "token", "", "none") {
			if wrong != class {
				refused(t, v, wrong, home, sealed)
			}
		}
		refused(t, other, class, home, sealed)
	}
}

func TestUnsealRefusesEveryDamage(t *testing.T) {
	v, _ := newVault(t)
	cell := Cell{"orders", "contact", id.New()}
	sealed, err := v.Seal(PII, cell, []byte("buyer@example.com"))
	require.NoError(t, err)
	for i := range sealed {
		refused(t, v, PII, cell, sealed[:i])
		refused(t, v, PII, cell, sealed[i+1:])
		for bit := range 8 {
			damaged := bytes.Clone(sealed)
			damaged[i] ^= 1 << bit
			refused(t, v, PII, cell, damaged)
		}
	}
	refused(t, v, PII, cell, append(bytes.Clone(sealed), 0))
	refused(t, v, PII, cell, nil)
	refused(t, v, PII, cell, []byte("buyer@example.com"))
}

func TestSealRefusesWhatCannotBeBound(t *testing.T) {
	v, _ := newVault(t)
	for _, bad := range []struct {
		class Class
		cell  Cell
	}{
		{"goods", Cell{"t", "c", id.New()}},
		{tokenClass, Cell{"t", "c", id.New()}},
		{PII, Cell{"t", "c", id.ID{}}},
		{PII, Cell{"", "c", id.New()}},
		{PII, Cell{"t", "", id.New()}},
		{PII, Cell{"t", strings.Repeat("c", 256), id.New()}},
	} {
		sealed, err := v.Seal(bad.class, bad.cell, []byte("sesame-text"))
		require.Nil(t, sealed)
		require.Equal(t, "vault_seal_failed", errs.CodeOf(err))
		require.NotContains(t, err.Error(), "sesame-text")
	}
}

func TestCellEncodingIsUnambiguous(t *testing.T) {
	name := rapid.StringOfN(rapid.RuneFrom([]rune("ab|\x01\x02")), 1, 4, -1)
	rows := []id.ID{{1}, {1, 1}, {'a'}}
	rapid.Check(t, func(t *rapid.T) {
		draw := func() Cell {
			return Cell{name.Draw(t, "table"), name.Draw(t, "column"), rapid.SampledFrom(rows).Draw(t, "row")}
		}
		a, b := draw(), draw()
		aBytes, err := a.associated()
		require.NoError(t, err)
		bBytes, err := b.associated()
		require.NoError(t, err)
		require.Equal(t, a == b, bytes.Equal(aBytes, bBytes))
	})
}

func TestFingerprint(t *testing.T) {
	v, cfg := newVault(t)
	other, _ := newVault(t)
	m1, m2 := id.New(), id.New()
	base := v.Fingerprint(PII, m1, "contact", []byte("13800001234"))
	require.Len(t, base, fingerprintSize)

	again, err := Open(cfg)
	require.NoError(t, err)
	require.Equal(t, base, again.Fingerprint(PII, m1, "contact", []byte("13800001234")))

	seen := map[string]string{string(base): "base"}
	differs := func(name string, got []byte) {
		require.NotContains(t, seen, string(got), name)
		seen[string(got)] = name
	}
	differs("merchant", v.Fingerprint(PII, m2, "contact", []byte("13800001234")))
	differs("purpose", v.Fingerprint(PII, m1, "limit", []byte("13800001234")))
	differs("text", v.Fingerprint(PII, m1, "contact", []byte("13800001235")))
	differs("empty", v.Fingerprint(PII, m1, "contact", nil))
	differs("shop", other.Fingerprint(PII, m1, "contact", []byte("13800001234")))
	differs("border", v.Fingerprint(PII, m1, "contac", []byte("t13800001234")))
	for _, c := range []Class{Cards, Payment, Staff} {
		differs(string(c), v.Fingerprint(c, m1, "contact", []byte("13800001234")))
	}
	// The same bytes in a row, cut elsewhere.
	differs("cut late", v.Fingerprint(PII, m1, "contact", append(m2[:], "text"...)))
	differs("cut early", v.Fingerprint(PII, m2, "contact"+string(m1[:]), []byte("text")))
	require.Panics(t, func() { v.Fingerprint("none", m1, "contact", nil) })
	require.Panics(t, func() { v.Fingerprint(tokenClass, m1, "contact", nil) })
}

func TestFingerprintLeavesTheTextAlone(t *testing.T) {
	v, _ := newVault(t)
	text := []byte("13800001234")
	v.Fingerprint(PII, id.New(), "contact", text)
	require.Equal(t, "13800001234", string(text))
}

func TestToken(t *testing.T) {
	v, cfg := newVault(t)
	subject := id.New()
	token := v.Token("order", subject)
	require.Regexp(t, `^[A-Za-z0-9_-]{43}$`, token)

	again, err := Open(cfg)
	require.NoError(t, err)
	require.Equal(t, token, again.Token("order", subject))
	require.True(t, again.CheckToken("order", subject, token))

	require.NotEqual(t, token, v.Token("reveal", subject))
	require.NotEqual(t, token, v.Token("order", id.New()))
	require.False(t, v.CheckToken("reveal", subject, token))
	require.False(t, v.CheckToken("order", id.New(), token))
	require.False(t, v.CheckToken("order", id.ID{}, v.Token("order", id.ID{})))
	for i := range token {
		changed := []byte(token)
		changed[i] ^= 1
		require.False(t, v.CheckToken("order", subject, string(changed)))
		require.False(t, v.CheckToken("order", subject, token[:i]))
	}
	require.False(t, v.CheckToken("order", subject, token+"="))

	other, _ := newVault(t)
	require.False(t, other.CheckToken("order", subject, token))
}

func TestConcurrentUse(t *testing.T) {
	v, _ := newVault(t)
	merchant := id.New()
	want := v.Fingerprint(Cards, merchant, "card", []byte("text"))
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 100 {
				cell := Cell{"cards", "secret", id.New()}
				sealed, err := v.Seal(Cards, cell, []byte("text"))
				if err != nil {
					t.Error(err)
					return
				}
				text, err := v.Unseal(Cards, cell, sealed)
				if err != nil || string(text) != "text" {
					t.Error("lost", err)
				}
				if !bytes.Equal(want, v.Fingerprint(Cards, merchant, "card", []byte("text"))) {
					t.Error("fingerprint changed")
				}
				if !v.CheckToken("order", cell.Row, v.Token("order", cell.Row)) {
					t.Error("token refused")
				}
			}
		})
	}
	group.Wait()
}

func TestVaultPrintsNothing(t *testing.T) {
	v, _ := newVault(t)
	type holder struct{ Inner *Vault }
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%o", "%c", "%U", "%e", "%t"} {
		require.Equal(t, "[vault]", fmt.Sprintf(verb, v), verb)
		require.Equal(t, "[vault]", fmt.Sprintf(verb, *v), verb)
		require.Equal(t, "[vault]", fmt.Sprintf(verb, v.classes[Cards]), verb)
	}
	require.Equal(t, "[vault]", v.String())
	require.Equal(t, "[vault]", v.GoString())
	encoded, err := json.Marshal(holder{v})
	require.NoError(t, err)
	require.JSONEq(t, `{"Inner":"[vault]"}`, string(encoded))

	var out bytes.Buffer
	slog.New(slog.NewJSONHandler(&out, nil)).Info("start", "vault", v, "by_value", *v)
	slog.New(slog.NewTextHandler(&out, nil)).Info("start", "vault", v, "held", holder{v})
	require.Contains(t, out.String(), `"vault":"[vault]","by_value":"[vault]"`)
	require.Contains(t, out.String(), "vault=[vault]")
}

func FuzzUnseal(f *testing.F) {
	v, _ := newVault(f)
	cell := Cell{"cards", "secret", id.ID{1}}
	sealed, err := v.Seal(Cards, cell, []byte("AAAA-BBBB"))
	require.NoError(f, err)
	f.Add([]byte(nil))
	f.Add(sealed)
	f.Add(sealed[:5])
	f.Add(append([]byte{1}, make([]byte, 40)...))
	f.Fuzz(func(t *testing.T, data []byte) {
		if !bytes.Equal(data, sealed) {
			refused(t, v, Cards, cell, data)
		}
	})
}
