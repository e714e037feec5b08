package standby

import (
	"bytes"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/superfly/ltx"
	"github.com/tink-crypto/tink-go/v2/tink"

	"panshi/internal/backup"
	"panshi/internal/backup/backuptest"
	"panshi/internal/backup/faultdest"
	"panshi/internal/backup/feed"
	"panshi/internal/backup/manifest"
	"panshi/internal/backup/seal"
	"panshi/internal/backup/spool"
	"panshi/internal/clock"
	"panshi/internal/dirdest"
	"panshi/internal/errs"
)

const (
	firstGeneration  = "00000001-0123abcd"
	secondGeneration = "00000002-89abcdef"
)

// origin is a shop that brings segments of one page to a destination by hand.
type origin struct {
	t      *testing.T
	dest   *faultdest.Dest
	keys   *seal.Keys
	cipher tink.StreamingAEAD
	listed manifest.Manifest
}

func newOrigin(t *testing.T) *origin {
	t.Helper()
	dir, err := dirdest.New(dirdest.Config{Dir: filepath.Join(t.TempDir(), "nas"), SameDevice: true})
	require.NoError(t, err)
	keys, _, err := seal.New(seal.Options{Shop: "tea", Now: time.Unix(1_800_000_000, 0)})
	require.NoError(t, err)
	return &origin{
		t: t, dest: faultdest.New(dir), keys: keys, cipher: backuptest.Cipher(t),
		listed: manifest.Manifest{Chain: manifest.NewChain(), Label: "nas", Oldest: 1},
	}
}

// bring stores a segment of one transaction, which fills the one page.
func (o *origin) bring(generation string, number uint64) {
	o.t.Helper()
	s, err := spool.Create(o.t.TempDir(), o.cipher)
	require.NoError(o.t, err)
	f, err := s.Write(o.t.Context(), spool.File{Generation: generation, First: number, Last: number, Time: at(number)}, bytes.NewReader(page(o.t, number)))
	require.NoError(o.t, err)
	raw, err := s.Open(o.t.Context(), f.Name)
	require.NoError(o.t, err)
	name, ok := feed.Object(f)
	require.True(o.t, ok)
	var out bytes.Buffer
	sealed, err := o.keys.Seal(o.t.Context(), name, raw, &out)
	require.NoError(o.t, err)
	require.NoError(o.t, raw.Close())
	require.NoError(o.t, o.dest.Put(o.t.Context(), name, backup.Bytes(out.Bytes())))
	o.listed.Added = append(o.listed.Added, manifest.Entry{Name: name, Size: sealed.Size, SHA256: sealed.SHA256})
}

// list signs a manifest of all that was brought.
func (o *origin) list() {
	o.t.Helper()
	m := o.listed
	m.Number, m.Base = m.Number+1, true
	m.Oldest = m.Number
	content, err := manifest.Encode(m, o.keys)
	require.NoError(o.t, err)
	require.NoError(o.t, o.dest.Put(o.t.Context(), m.Name(), backup.Bytes(content)))
	o.listed.Number, o.listed.Previous = m.Number, manifest.HeadOf(m, content).SHA256
}

func at(number uint64) time.Time {
	return time.UnixMilli(1764179912345).Add(time.Duration(number) * time.Second)
}

// page is the segment of a transaction.
func page(t *testing.T, number uint64) []byte {
	t.Helper()
	var out bytes.Buffer
	e, err := ltx.NewEncoder(&out)
	require.NoError(t, err)
	require.NoError(t, e.EncodeHeader(ltx.Header{
		Version: ltx.Version, Flags: ltx.HeaderFlagNoChecksum, PageSize: pageSize, Commit: 1,
		MinTXID: ltx.TXID(number), MaxTXID: ltx.TXID(number), Timestamp: at(number).UnixMilli(),
	}))
	require.NoError(t, e.EncodePage(ltx.PageHeader{Pgno: 1}, bytes.Repeat([]byte{byte(number)}, pageSize)))
	require.NoError(t, e.Close())
	return out.Bytes()
}

func (o *origin) standby(data string) *Standby {
	o.t.Helper()
	if !Is(data) {
		require.NoError(o.t, Create(data, "n"))
	}
	s, err := Open(Config{
		Data: data, From: o.dest, Reader: o.keys.Reader(), Cipher: o.cipher, Clock: clock.System{}, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	require.NoError(o.t, err)
	return s
}

func requireState(t *testing.T, s *Standby, generation string, number uint64) {
	t.Helper()
	require.Equal(t, generation, s.Status().Generation)
	require.Equal(t, number, s.Status().Transaction)
	content, err := os.ReadFile(s.files.path(databaseName))
	require.NoError(t, err)
	require.Equal(t, bytes.Repeat([]byte{byte(number)}, pageSize), content)
}

// What arrives is applied one after the other, without a look at everything, and
// a start in between changes nothing.
func TestItFollows(t *testing.T) {
	o, data := newOrigin(t), t.TempDir()
	o.bring(firstGeneration, 1)
	o.list()
	s := o.standby(data)
	require.NoError(t, s.look(t.Context()))
	requireState(t, s, firstGeneration, 1)
	lists := o.dest.Calls(faultdest.List)
	for number := uint64(2); number < 5; number++ {
		o.bring(firstGeneration, number)
		require.NoError(t, s.look(t.Context()))
		requireState(t, s, firstGeneration, number)
	}
	require.Equal(t, lists+6, o.dest.Calls(faultdest.List), "two small listings a segment")
	s = o.standby(data)
	requireState(t, s, firstGeneration, 4)
	o.bring(secondGeneration, 1)
	require.NoError(t, s.CatchUp(t.Context()))
	requireState(t, s, secondGeneration, 1)
}

// A destination that was set back, a gap, and a damaged or a failing object stop
// it where it is, and say so.
func TestWhatStopsIt(t *testing.T) {
	t.Run("set back", func(t *testing.T) {
		o, data := newOrigin(t), t.TempDir()
		o.bring(secondGeneration, 1)
		o.list()
		require.NoError(t, o.standby(data).CatchUp(t.Context()))
		old := newOrigin(t)
		old.keys, old.cipher = o.keys, o.cipher
		old.bring(firstGeneration, 1)
		old.list()
		s := old.standby(data)
		require.Equal(t, "standby_set_back", errs.CodeOf(s.CatchUp(t.Context())))
		requireState(t, s, secondGeneration, 1)
	})
	t.Run("gap", func(t *testing.T) {
		o := newOrigin(t)
		o.bring(firstGeneration, 1)
		o.list()
		s := o.standby(t.TempDir())
		require.NoError(t, s.CatchUp(t.Context()))
		o.bring(firstGeneration, 2)
		o.bring(firstGeneration, 4)
		require.Equal(t, "restore_gap", errs.CodeOf(s.CatchUp(t.Context())))
		requireState(t, s, firstGeneration, 2)
		require.NoError(t, s.next(t.Context()))
		requireState(t, s, firstGeneration, 2)
		o.bring(firstGeneration, 3)
		require.NoError(t, s.CatchUp(t.Context()))
		requireState(t, s, firstGeneration, 4)
	})
	for what, fault := range map[string]faultdest.Rule{
		"damaged": {Op: faultdest.Put, Fault: faultdest.Flipped, Times: 1}, "cut": {Op: faultdest.Get, Fault: faultdest.ShortAnswer},
		"broken off": {Op: faultdest.Get, Fault: faultdest.ShortRead}, "down": {Op: faultdest.Get, Fault: faultdest.Down},
	} {
		t.Run(what, func(t *testing.T) {
			o := newOrigin(t)
			o.bring(firstGeneration, 1)
			o.list()
			s := o.standby(t.TempDir())
			require.NoError(t, s.look(t.Context()))
			require.NoError(t, o.dest.Set(t.Context(), fault))
			o.bring(firstGeneration, 2)
			require.Error(t, s.look(t.Context()))
			require.NotEmpty(t, s.Status().Failure)
			requireState(t, s, firstGeneration, 1)
			o.dest.Heal()
			if fault.Op == faultdest.Put {
				return // it stays damaged
			}
			require.NoError(t, s.look(t.Context()))
			requireState(t, s, firstGeneration, 2)
		})
	}
}
