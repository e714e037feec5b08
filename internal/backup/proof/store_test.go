package proof

import (
	"bytes"
	"crypto/ed25519"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

type key ed25519.PrivateKey

func (k key) Sign(message []byte) []byte { return ed25519.Sign(ed25519.PrivateKey(k), message) }

func drawn(t *testing.T) (ed25519.PublicKey, key) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	return public, key(private)
}

// The newest record counts, good or not; one of another destination, of another
// shop, of another kind, or with another bit counts as absent.
func TestOnlyOurOwnRecordsCount(t *testing.T) {
	t.Parallel()
	public, private := drawn(t)
	dir := t.TempDir()
	s := NewStore(dir, public)
	none, err := s.Last("nas")
	require.NoError(t, err)
	require.Nil(t, none)

	first := Record{Destination: "nas", At: now(), Invariants: 3}
	require.NoError(t, s.Keep(first, private))
	failed := Record{Destination: "nas", At: now().Add(time.Hour), Failure: "restore_gap"}
	require.NoError(t, s.Keep(failed, private))
	last := func() Record {
		t.Helper()
		r, err := s.Last("nas")
		require.NoError(t, err)
		require.NotNil(t, r)
		return *r
	}
	require.Equal(t, failed, last())
	require.False(t, last().Good())

	_, stranger := drawn(t)
	require.NoError(t, s.Keep(Record{Destination: "nas", At: now().Add(2 * time.Hour), Invariants: 3}, stranger))
	require.Equal(t, failed, last(), "of another shop")
	names, err := recordsIn(filepath.Join(dir, "nas"))
	require.NoError(t, err)
	content, err := os.ReadFile(filepath.Join(dir, "nas", names[0]))
	require.NoError(t, err)
	forged := bytes.Replace(content, []byte(`"invariants":3`), []byte(`"invariants":4`), 1)
	require.NotEqual(t, content, forged)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "nas", "9000000000000.json"), forged, 0o600))
	require.Equal(t, failed, last(), "altered")
	require.NoError(t, os.Mkdir(filepath.Join(dir, "oss"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "oss", names[0]), content, 0o600))
	other, err := s.Last("oss")
	require.NoError(t, err)
	require.Nil(t, other, "of another destination")

	require.NoError(t, os.WriteFile(filepath.Join(dir, cardsFile), content, 0o600))
	cards, err := s.Cards()
	require.NoError(t, err)
	require.Nil(t, cards, "of another kind")
	want := CardsRecord{At: now(), Digest: "d"}
	require.NoError(t, s.KeepCards(want, private))
	cards, err = s.Cards()
	require.NoError(t, err)
	require.Equal(t, &want, cards)
}

// The newest of all offline disks counts, and each disk's own is found.
func TestOfflineDisksAndTheStandbyAreRemembered(t *testing.T) {
	t.Parallel()
	public, private := drawn(t)
	dir := t.TempDir()
	s := NewStore(dir, public)
	none, err := s.Offline()
	require.NoError(t, err)
	require.Nil(t, none)
	blue := Offline{Disk: "b", Label: "blue", At: now()}
	red := Offline{Disk: "r", Label: "red", At: now().Add(time.Hour)}
	require.NoError(t, s.KeepOffline(red, private))
	require.NoError(t, s.KeepOffline(blue, private))
	newest, err := s.Offline()
	require.NoError(t, err)
	require.Equal(t, &red, newest)
	_, stranger := drawn(t)
	require.NoError(t, s.KeepOffline(Offline{Disk: "x", At: now().Add(2 * time.Hour)}, stranger))
	newest, err = s.Offline()
	require.NoError(t, err)
	require.Equal(t, &red, newest, "of another shop")
	one, err := s.OfflineOf("b")
	require.NoError(t, err)
	require.Equal(t, &blue, one)
	require.NoError(t, os.Rename(filepath.Join(dir, offlineDir, "b.json"), filepath.Join(dir, offlineDir, "c.json")))
	one, err = s.OfflineOf("c")
	require.NoError(t, err)
	require.Nil(t, one, "of another disk")

	standby := Standby{Seen: now(), Behind: time.Second}
	require.NoError(t, s.KeepStandby(standby, private))
	seen, err := s.Standby()
	require.NoError(t, err)
	require.Equal(t, &standby, seen)
}

// A year of daily proofs stays, and not for ever.
func TestOldRecordsGo(t *testing.T) {
	t.Parallel()
	public, private := drawn(t)
	dir := t.TempDir()
	for i := range kept + 3 {
		require.NoError(t, keep(filepath.Join(dir, "nas"), time.Unix(int64(i), 0).UTC().Format("20060102150405")+ending, nil))
	}
	s := NewStore(dir, public)
	require.NoError(t, s.Keep(Record{Destination: "nas", At: now()}, private))
	names, err := recordsIn(filepath.Join(dir, "nas"))
	require.NoError(t, err)
	require.Len(t, names, kept)
}
