package feed_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"panshi/internal/backup"
	"panshi/internal/backup/backuptest"
	"panshi/internal/backup/feed"
	"panshi/internal/backup/spool"
)

// A destination's name tells everything of a spool's file, and sorts as it does.
func TestNamesGoThereAndBack(t *testing.T) {
	draw := func(r *rapid.T) spool.File {
		first := rapid.Uint64Range(1, 1<<50).Draw(r, "first")
		return spool.Named(spool.File{
			Generation: fmt.Sprintf("%08d-%08x", rapid.IntRange(1, 99_999_999).Draw(r, "number"), rapid.Uint32().Draw(r, "tail")),
			Level:      rapid.IntRange(0, spool.SnapshotLevel).Draw(r, "level"),
			First:      first, Last: first + rapid.Uint64Range(0, 1<<20).Draw(r, "more"),
			Time: time.UnixMilli(rapid.Int64Range(1, 9_999_999_999_999).Draw(r, "time")).UTC(), Size: 7,
		})
	}
	rapid.Check(t, func(r *rapid.T) {
		one := draw(r)
		name, ok := feed.Object(one)
		require.True(r, ok)
		back, ok := feed.File(name, 7)
		require.True(r, ok, name)
		require.Equal(r, one.Name, back.Name)
		require.True(r, one.Time.Equal(back.Time))
		require.Equal(r, one.Size, back.Size)
	})
	for _, name := range []string{"", "box/keys/1-1", "seg/1", "manifest/a/1"} {
		_, ok := feed.File(name, 1)
		require.False(t, ok, name)
	}
}

func newFeed(t *testing.T) (*spool.Spool, *feed.Feed, string) {
	t.Helper()
	dir := t.TempDir()
	s, err := spool.Create(filepath.Join(dir, "spool"), backuptest.Cipher(t))
	require.NoError(t, err)
	f, err := feed.Open(t.Context(), s, filepath.Join(dir, "mirror"))
	require.NoError(t, err)
	return s, f, filepath.Join(dir, "mirror")
}

func put(t *testing.T, s *spool.Spool, n uint64) (spool.File, string) {
	t.Helper()
	file, err := s.Write(t.Context(), spool.File{Generation: "00000001-0123abcd", First: n, Last: n, Time: time.UnixMilli(1764179912345)}, bytes.NewReader([]byte("x")))
	require.NoError(t, err)
	name, ok := feed.Object(file)
	require.True(t, ok)
	return file, name
}

func shown(t *testing.T, f *feed.Feed) (names []string) {
	t.Helper()
	files, err := f.List(t.Context(), "")
	require.NoError(t, err)
	for _, file := range files {
		names = append(names, file.Name)
	}
	return names
}

// What every destination has is not shown again, also after a restart; the spool
// keeps it until it lets it go by itself, and then the list forgets it.
func TestWhatLeftIsRememberedAndStaysInTheSpool(t *testing.T) {
	s, f, dir := newFeed(t)
	first, one := put(t, s, 1)
	second, two := put(t, s, 2)
	require.Equal(t, []string{one, two}, shown(t, f))
	require.NoError(t, f.Remove(t.Context(), one))
	require.NoError(t, f.Remove(t.Context(), one), "again")
	require.Equal(t, []string{two}, shown(t, f))
	require.NoError(t, f.Close())

	again, err := feed.Open(t.Context(), s, dir)
	require.NoError(t, err)
	require.Equal(t, []string{two}, shown(t, again))
	require.True(t, again.Left(first))
	require.False(t, again.Left(second))
	r, err := again.Open(t.Context(), one)
	require.NoError(t, err, "the spool has it")
	require.NoError(t, r.Close())
	require.NoError(t, again.Close())

	require.NoError(t, s.Remove(t.Context(), first.Name))
	last, err := feed.Open(t.Context(), s, dir)
	require.NoError(t, err)
	require.False(t, last.Left(first))
	_, err = last.Open(t.Context(), one)
	require.True(t, backup.Is(err, "backup_object_missing"), "%v", err)
	require.NoError(t, last.Close())
}

func TestABoxIsShownWhenItIsWhole(t *testing.T) {
	_, f, _ := newFeed(t)
	const name = "box/keys/0000000000000001-0000000000001"
	failed := errors.New("no")
	require.ErrorIs(t, f.PutBox(name, func(w io.Writer) error {
		_, err := w.Write([]byte("half"))
		require.NoError(t, err)
		require.Empty(t, shown(t, f), "while it is written")
		return failed
	}), failed)
	require.Empty(t, shown(t, f))
	require.NoError(t, f.PutBox(name, func(w io.Writer) error {
		_, err := w.Write([]byte("whole"))
		return err
	}))
	require.Equal(t, []string{name}, shown(t, f))
	r, err := f.Open(t.Context(), name)
	require.NoError(t, err)
	content, err := io.ReadAll(r)
	require.NoError(t, errors.Join(err, r.Close()))
	require.Equal(t, "whole", string(content))
	require.NoError(t, f.Remove(t.Context(), name))
	require.NoError(t, f.Remove(t.Context(), name), "again")
	require.Empty(t, shown(t, f))
	_, err = f.Open(t.Context(), name)
	require.True(t, backup.Is(err, "backup_object_missing"), "%v", err)
	require.NoError(t, f.Close())
}
