package dirdest_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"panshi/internal/backup"
	"panshi/internal/dirdest"
)

// What is filled is there in full or not at all, and never in the place of
// something else; reads past the cache give the same bytes.
func TestAFilledObjectIsWholeOrAbsent(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "d")
	d, err := dirdest.New(dirdest.Config{Dir: dir, SameDevice: true, Uncached: true})
	require.NoError(t, err)
	content := make([]byte, 3<<20+17)
	for i := range content {
		content[i] = byte(i * 7)
	}
	whole := func(w io.Writer) error { _, err := w.Write(content); return err }
	require.NoError(t, d.Fill(t.Context(), "a/b", whole))
	require.NoError(t, backup.ReadBack(t.Context(), d, "a/b", int64(len(content)), backup.Bytes(content).SHA256))
	part, err := d.Get(t.Context(), "a/b", 4, 3)
	require.NoError(t, err)
	got, err := io.ReadAll(part)
	require.NoError(t, errors.Join(err, part.Close()))
	require.Equal(t, content[4:7], got)
	require.True(t, backup.Is(d.Fill(t.Context(), "a/b", whole), "backup_object_exists"))

	broken := errors.New("the source broke")
	err = d.Fill(t.Context(), "a/c", func(w io.Writer) error { return errors.Join(whole(w), broken) })
	require.ErrorIs(t, err, broken)
	ctx, cancel := context.WithCancel(t.Context())
	err = d.Fill(ctx, "a/c", func(w io.Writer) error { cancel(); return whole(w) })
	require.ErrorIs(t, err, context.Canceled)
	_, err = d.Get(t.Context(), "a/c", 0, -1)
	require.True(t, backup.Is(err, "backup_object_missing"), "%v", err)
	left, err := os.ReadDir(filepath.Join(dir, ".tmp"))
	require.NoError(t, err)
	require.Empty(t, left)
	free, err := d.Free()
	require.NoError(t, err)
	require.Positive(t, free)
}
