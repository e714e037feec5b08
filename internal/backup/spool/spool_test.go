package spool_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tink-crypto/tink-go/v2/tink"

	"panshi/internal/backup/backuptest"
	"panshi/internal/backup/spool"
	"panshi/internal/errs"
)

const generation = "00000001-0123abcd"

func newSpool(t testing.TB) (*spool.Spool, tink.StreamingAEAD) {
	t.Helper()
	cipher := backuptest.Cipher(t)
	s, err := spool.Create(filepath.Join(t.TempDir(), "spool"), cipher)
	require.NoError(t, err)
	return s, cipher
}

func file(level int, first, last uint64) spool.File {
	return spool.File{Generation: generation, Level: level, First: first, Last: last, Time: time.UnixMilli(1764179912345 + int64(last))}
}

func write(t testing.TB, s *spool.Spool, f spool.File, content []byte) spool.File {
	t.Helper()
	f, err := s.Write(t.Context(), f, bytes.NewReader(content))
	require.NoError(t, err)
	return f
}

func read(t testing.TB, s *spool.Spool, name spool.Name) ([]byte, error) {
	t.Helper()
	r, err := s.Read(t.Context(), name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }()
	return io.ReadAll(r)
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	s, cipher := newSpool(t)
	for i, size := range []int{1, 100, 4095, 4096, 4097, 300_000} {
		content := bytes.Repeat([]byte{byte(i + 1)}, size)
		f := write(t, s, file(0, uint64(i+1), uint64(i+1)), content)
		got, err := read(t, s, f.Name)
		require.NoError(t, err)
		require.Equal(t, content, got)
		raw, err := os.ReadFile(filepath.Join(s.Dir(), string(f.Name)))
		require.NoError(t, err)
		require.Len(t, raw, int(f.Size))
		require.NotContains(t, string(raw), string(bytes.Repeat([]byte{byte(i + 1)}, 16)))
	}
	again, err := spool.Open(s.Dir(), cipher)
	require.NoError(t, err)
	want, err := s.List(t.Context(), "")
	require.NoError(t, err)
	got, err := again.List(t.Context(), "")
	require.NoError(t, err)
	require.Equal(t, want, got, "the index is what lies in the directory")
	require.Equal(t, s.Size(), again.Size())
}

func TestAFileNeverChanges(t *testing.T) {
	s, _ := newSpool(t)
	f := write(t, s, file(0, 1, 1), []byte("first"))
	same := write(t, s, file(0, 1, 1), []byte("second"))
	require.Equal(t, f, same)
	got, err := read(t, s, f.Name)
	require.NoError(t, err)
	require.Equal(t, "first", string(got))
}

// Whatever happens to a file on its way, reading it does not end well.
func TestNoDamageIsReadAsContent(t *testing.T) {
	r := backuptest.NewDice(t)
	s, _ := newSpool(t)
	content := make([]byte, 10_000)
	for i := range content {
		content[i] = byte(r.IntN(256))
	}
	f := write(t, s, file(0, 1, 1), content)
	other := write(t, s, file(0, 2, 2), content[:9_000])
	path := filepath.Join(s.Dir(), string(f.Name))
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	otherRaw, err := os.ReadFile(filepath.Join(s.Dir(), string(other.Name)))
	require.NoError(t, err)
	damages := map[string][]byte{
		"empty": {}, "longer": append(bytes.Clone(whole), 0), "another's": otherRaw,
		"segments exchanged": slicesOf(whole, 4096),
	}
	for range 40 {
		at := r.IntN(len(whole))
		flipped := bytes.Clone(whole)
		flipped[at] ^= 1 << r.IntN(8)
		damages[fmt.Sprint("flipped at ", at)] = flipped
		damages[fmt.Sprint("cut at ", at)] = whole[:at]
	}
	for what, raw := range damages {
		require.NoError(t, os.WriteFile(path, raw, 0o600))
		_, err := read(t, s, f.Name)
		require.Equal(t, "spool_file_damaged", errs.CodeOf(err), what)
		require.Equal(t, errs.Integrity, errs.KindOf(err))
		require.ErrorContains(t, err, string(f.Name))
	}
	require.NoError(t, os.Remove(path))
	_, err = read(t, s, f.Name)
	require.Equal(t, "spool_file_missing", errs.CodeOf(err))
	require.ErrorContains(t, err, string(f.Name))
}

// slicesOf exchanges the second and third segment of n bytes.
func slicesOf(raw []byte, n int) []byte {
	out := bytes.Clone(raw)
	copy(out[n:2*n], raw[2*n:])
	return out
}

// A content that ends in an error leaves nothing under the name.
func TestAnInterruptedWriteLeavesNothing(t *testing.T) {
	s, cipher := newSpool(t)
	broken := io.MultiReader(strings.NewReader(strings.Repeat("x", 10_000)), failing{})
	_, err := s.Write(t.Context(), file(0, 1, 1), broken)
	require.ErrorIs(t, err, errBroken)
	files, err := s.List(t.Context(), "")
	require.NoError(t, err)
	require.Empty(t, files)
	left := filepath.Join(s.Dir(), generation, "0", "x.ltx.partial")
	require.NoError(t, os.WriteFile(left, []byte("half"), 0o600))
	_, err = spool.Create(s.Dir(), cipher)
	require.NoError(t, err)
	require.NoFileExists(t, left, "what a crash left goes at the next start")
}

var errBroken = errors.New("broken")

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errBroken }

func TestListGoesOnAfterAName(t *testing.T) {
	s, _ := newSpool(t)
	ctx := context.Background()
	for _, f := range []spool.File{file(1, 1, 3), file(0, 3, 3), file(0, 1, 1), file(9, 1, 3), file(0, 2, 2)} {
		write(t, s, f, []byte("x"))
	}
	all, err := s.List(ctx, "")
	require.NoError(t, err)
	require.Len(t, all, 5)
	for i, f := range all {
		rest, err := s.List(ctx, f.Name)
		require.NoError(t, err)
		require.Equal(t, all[i+1:], rest)
		parsed, ok := spool.Parse(f.Name)
		require.True(t, ok)
		parsed.Size = f.Size
		require.Equal(t, f, parsed)
	}
	require.Len(t, s.Level(generation, 0, 1), 3)
	require.Len(t, s.Level(generation, 0, 3), 1)
	require.NoError(t, s.Remove(ctx, all[0].Name))
	require.NoError(t, s.Remove(ctx, all[0].Name), "gone is gone")
	rest, err := s.List(ctx, "")
	require.NoError(t, err)
	require.Equal(t, all[1:], rest)
}

func TestNamesHaveOneSpelling(t *testing.T) {
	for _, name := range []spool.Name{
		"", "x", "../../etc/passwd", generation + "/0/x.ltx", generation + "/10/" + "0000000000000001-0000000000000001-0001764179912345.ltx",
		generation + "/0/0000000000000002-0000000000000001-0001764179912345.ltx", generation + "/0/1-1-1.ltx",
		generation + "/0/0000000000000001-0000000000000001-0001764179912345.ltx.partial",
		generation + "/0/000000000000000A-000000000000000B-0001764179912345.ltx", "1-2/0/0000000000000001-0000000000000001-0001764179912345.ltx",
		generation + "/0/0000000000000000-0000000000000001-0001764179912345.ltx",
	} {
		_, ok := spool.Parse(name)
		require.False(t, ok, name)
	}
	require.Less(t, spool.NextGeneration(), spool.NextGeneration("00000009-aaaaaaaa", "nonsense"))
	require.True(t, strings.HasPrefix(spool.NextGeneration("00000009-aaaaaaaa"), "00000010-"))
}

func FuzzParse(f *testing.F) {
	f.Add(generation + "/0/0000000000000001-0000000000000002-0001764179912345.ltx")
	f.Fuzz(func(t *testing.T, name string) {
		if file, ok := spool.Parse(spool.Name(name)); ok && (string(file.Name) != name || strings.Contains(name, "..")) {
			t.Fatal(file)
		}
	})
}
