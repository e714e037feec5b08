package bundle_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"panshi/internal/backup/bundle"
	"panshi/internal/errs"
)

func write(t *testing.T, path, content string) string {
	t.Helper()
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	return path
}

func TestABundleComesBack(t *testing.T) {
	dir := t.TempDir()
	a, b := write(t, filepath.Join(dir, "a"), "one"), write(t, filepath.Join(dir, "b"), "two")
	made, err := bundle.Of(map[string]string{a: "key", b: "keys/b", filepath.Join(dir, "missing"): "c"})
	require.NoError(t, err)
	require.Len(t, made.Files, 2)
	var out bytes.Buffer
	require.NoError(t, made.Write(&out))
	read, err := bundle.Read(&out)
	require.NoError(t, err)
	require.Equal(t, made, read)

	to := filepath.Join(dir, "to")
	require.NoError(t, read.Unpack(to))
	content, err := os.ReadFile(filepath.Join(to, "keys", "b"))
	require.NoError(t, err)
	require.Equal(t, "two", string(content))
	info, err := os.Stat(filepath.Join(to, "key"))
	require.NoError(t, err)
	require.EqualValues(t, 0o600, info.Mode().Perm())

	write(t, filepath.Join(to, "key"), "newer")
	require.Equal(t, "restore_target_exists", errs.CodeOf(read.Unpack(to)))
	content, err = os.ReadFile(filepath.Join(to, "key"))
	require.NoError(t, err)
	require.Equal(t, "newer", string(content), "nothing is written over")
}

// The digest changes with any content, name or file, and with nothing else.
func TestTheDigestTellsWhetherABundleChanged(t *testing.T) {
	dir := t.TempDir()
	a, b := write(t, filepath.Join(dir, "a"), "one"), write(t, filepath.Join(dir, "b"), "two")
	digest := func(paths map[string]string) string {
		made, err := bundle.Of(paths)
		require.NoError(t, err)
		return made.Digest()
	}
	first := digest(map[string]string{a: "a", b: "b"})
	require.Equal(t, first, digest(map[string]string{b: "b", a: "a"}))
	require.NotEqual(t, first, digest(map[string]string{a: "a", b: "c"}))
	require.NotEqual(t, first, digest(map[string]string{a: "a"}))
	write(t, b, "twp")
	require.NotEqual(t, first, digest(map[string]string{a: "a", b: "b"}))
}

func TestABundleThatReachesOutsideIsRefused(t *testing.T) {
	for _, name := range []string{"../key", "/etc/passwd", "a/../../b", ""} {
		content, err := json.Marshal(bundle.Bundle{Version: 1, Files: []bundle.File{{Name: name, Mode: 0o600}}})
		require.NoError(t, err)
		_, err = bundle.Read(bytes.NewReader(content))
		require.Equal(t, "backup_bundle_malformed", errs.CodeOf(err), name)
	}
	for _, text := range []string{"", "[]", "{}", `{"version":2,"files":[]}`, `{"version":1,"files":[],"more":1}`} {
		_, err := bundle.Read(strings.NewReader(text))
		require.Equal(t, "backup_bundle_malformed", errs.CodeOf(err), text)
	}
}
