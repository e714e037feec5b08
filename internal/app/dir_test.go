package app_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"panshi/internal/app"
	"panshi/internal/errs"
)

// Somebody else's directory may hold links that lead our writing elsewhere.
func TestDirectoriesOfOthersAreRefused(t *testing.T) {
	precious := filepath.Join(t.TempDir(), "precious")
	require.NoError(t, os.WriteFile(precious, []byte("precious"), 0o600))
	open := func(change func(dir string)) error {
		dir := filepath.Join(t.TempDir(), "shop")
		require.NoError(t, os.Mkdir(dir, 0o700))
		require.NoError(t, os.Symlink(precious, filepath.Join(dir, "lock")))
		change(dir)
		cfg, err := app.Load(app.Flags{Data: dir})
		require.NoError(t, err)
		shop, err := app.OpenLocal(t.Context(), cfg, slog.New(slog.DiscardHandler))
		if err == nil {
			require.NoError(t, shop.Close())
		}
		return err
	}
	err := open(func(dir string) { require.NoError(t, os.Chmod(dir, 0o777)) })
	require.Equal(t, "data_dir_unsafe", errs.CodeOf(err))
	require.Equal(t, errs.Forbidden, errs.KindOf(err))
	if os.Geteuid() == 0 {
		err = open(func(dir string) { require.NoError(t, os.Chown(dir, 4711, -1)) })
		require.Equal(t, "data_dir_unsafe", errs.CodeOf(err))
	}
	content, err := os.ReadFile(precious)
	require.NoError(t, err)
	require.Equal(t, "precious", string(content))
}
