package sftpdest_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/backup"
	"panshi/internal/backup/desttest"
	"panshi/internal/clock"
	"panshi/internal/sftpdest"
)

func open(t *testing.T, cfg sftpdest.Config) *sftpdest.Dest {
	t.Helper()
	d, err := sftpdest.New(cfg, clock.System{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	return d
}

func TestAServerKeepsThePromises(t *testing.T) {
	s := start(t)
	t.Log("OpenSSH's sftp-server:", s.real)
	desttest.Run(t, func(t *testing.T) backup.Destination { return open(t, s.settings(t.TempDir())) },
		desttest.Options{Big: 9 << 20, Many: 200})
}

func TestAnotherHostKeyIsRefused(t *testing.T) {
	s := start(t)
	cfg := s.settings(t.TempDir())
	cfg.HostKey = start(t).hostKey
	err := open(t, cfg).Put(t.Context(), "a", backup.Bytes([]byte("x")))
	require.True(t, backup.Is(err, "backup_refused"), "%v", err)
}

func TestAnotherKeyOfOursIsRefused(t *testing.T) {
	s := start(t)
	cfg := s.settings(t.TempDir())
	cfg.PrivateKey = start(t).private
	err := open(t, cfg).Put(t.Context(), "a", backup.Bytes([]byte("x")))
	require.True(t, backup.Is(err, "backup_refused"), "%v", err)
}

func TestAConnectionThatBreaksIsMadeAgain(t *testing.T) {
	s := start(t)
	d := backup.Retry(open(t, s.settings(t.TempDir())), backup.RetryConfig{Attempts: 4, First: 10 * time.Millisecond, Most: time.Second, Timeout: time.Minute, Slowest: 1 << 10})
	for i := range 5 {
		name := string(rune('a' + i))
		require.NoError(t, d.Put(t.Context(), name, backup.Bytes([]byte(name))))
		s.cut()
	}
	require.Len(t, desttest.Names(t, d, ""), 5)
}

func TestAServerThatHangsEndsWithTheContext(t *testing.T) {
	s := start(t)
	d := open(t, s.settings(t.TempDir()))
	require.NoError(t, d.Put(t.Context(), "a", backup.Bytes(desttest.Content(t, 3<<20))))
	ctx, cancel := context.WithCancel(t.Context())
	r, err := d.Get(ctx, "a", 0, -1)
	require.NoError(t, err)
	cancel()
	require.Eventually(t, func() bool {
		_, err := r.Read(make([]byte, 1<<20))
		return err != nil
	}, 10*time.Second, time.Millisecond)
	_ = r.Close()
	require.NoError(t, d.Put(t.Context(), "b", backup.Bytes([]byte("x"))), "the next call connects anew")
}

func TestNobodyThereIsUnavailable(t *testing.T) {
	s := start(t)
	d := open(t, s.settings(t.TempDir()))
	s.stop()
	err := d.Put(t.Context(), "a", backup.Bytes([]byte("x")))
	require.True(t, backup.Is(err, "backup_unavailable"), "%v", err)
}

func TestAServerThatCannotSyncIsRefused(t *testing.T) {
	s := start(t)
	s.real = false
	cfg := s.settings(t.TempDir())
	cfg.NoSync = false
	err := open(t, cfg).Put(t.Context(), "a", backup.Bytes([]byte("x")))
	require.True(t, backup.Is(err, "backup_refused"), "%v", err)
	cfg.NoSync = true
	desttest.Run(t, func(t *testing.T) backup.Destination {
		own := cfg
		own.Dir = t.TempDir()
		return open(t, own)
	}, desttest.Options{Big: 100_000, Many: 20})
}

func TestDirectoriesThatForbid(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may do everything")
	}
	dir := t.TempDir()
	require.NoError(t, os.Chmod(dir, 0o500))
	err := open(t, start(t).settings(dir)).Put(t.Context(), "a", backup.Bytes([]byte("x")))
	require.True(t, backup.Is(err, "backup_refused"), "%v", err)
}

func TestAbandonedWritesAreCleared(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, ".tmp"), 0o700))
	dead, fresh := filepath.Join(dir, ".tmp", "put-aabbccddeeff-1000000000000"), filepath.Join(dir, ".tmp", "put-aabbccddeeff-9000000000000")
	for _, path := range []string{dead, fresh} {
		require.NoError(t, os.WriteFile(path, []byte("half"), 0o600))
	}
	require.NoError(t, open(t, start(t).settings(dir)).Put(t.Context(), "a", backup.Bytes([]byte("x"))))
	require.NoFileExists(t, dead)
	require.FileExists(t, fresh)
}

func TestSettingsAreChecked(t *testing.T) {
	s := start(t)
	good := s.settings("/srv/panshi")
	require.NoError(t, good.Validate())
	for what, spoil := range map[string]func(*sftpdest.Config){
		"no user":          func(c *sftpdest.Config) { c.User = "" },
		"no port":          func(c *sftpdest.Config) { c.Address = "host" },
		"a relative path":  func(c *sftpdest.Config) { c.Dir = "panshi" },
		"no host key":      func(c *sftpdest.Config) { c.HostKey = "" },
		"no key":           func(c *sftpdest.Config) { c.PrivateKey = "secret" },
		"a path that goes": func(c *sftpdest.Config) { c.Dir = "/srv/../etc" },
	} {
		cfg := good
		spoil(&cfg)
		require.Error(t, cfg.Validate(), what)
	}
}
