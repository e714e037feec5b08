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
	"panshi/internal/sftpdest/sftptest"
)

func settings(s *sftptest.Server, dir string) sftpdest.Config {
	return sftpdest.Config{
		Address: s.Address, User: "backup", Dir: dir, HostKey: s.HostKey, PrivateKey: s.Private, NoSync: !s.Real,
	}
}

func open(t *testing.T, cfg sftpdest.Config) *sftpdest.Dest {
	t.Helper()
	d, err := sftpdest.New(cfg, clock.System{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	return d
}

func TestAServerKeepsThePromises(t *testing.T) {
	s := sftptest.Start(t)
	t.Log("OpenSSH's sftp-server:", s.Real)
	desttest.Run(t, func(t *testing.T) backup.Destination { return open(t, settings(s, t.TempDir())) },
		desttest.Options{Big: 9 << 20, Many: 200})
}

// In the wrapper in which a shop uses it a call that is over does not end the
// connection of the others.
func TestAServerKeepsThePromisesWithRetry(t *testing.T) {
	s := sftptest.Start(t)
	desttest.Run(t, func(t *testing.T) backup.Destination {
		return backup.Retry(open(t, settings(s, t.TempDir())), backup.DefaultRetry())
	}, desttest.Options{Big: 9 << 20, Many: 200})
	require.Less(t, s.Connections(), 60, "one a destination, and not one a call")
}

func TestAnotherHostKeyIsRefused(t *testing.T) {
	s := sftptest.Start(t)
	cfg := settings(s, t.TempDir())
	cfg.HostKey = sftptest.Start(t).HostKey
	err := open(t, cfg).Put(t.Context(), "a", backup.Bytes([]byte("x")))
	require.True(t, backup.Is(err, "backup_refused"), "%v", err)
}

func TestAnotherKeyOfOursIsRefused(t *testing.T) {
	s := sftptest.Start(t)
	cfg := settings(s, t.TempDir())
	cfg.PrivateKey = sftptest.Start(t).Private
	err := open(t, cfg).Put(t.Context(), "a", backup.Bytes([]byte("x")))
	require.True(t, backup.Is(err, "backup_refused"), "%v", err)
}

func TestAConnectionThatBreaksIsMadeAgain(t *testing.T) {
	s := sftptest.Start(t)
	d := backup.Retry(open(t, settings(s, t.TempDir())), backup.RetryConfig{Attempts: 4, First: 10 * time.Millisecond, Most: time.Second, Timeout: time.Minute, Slowest: 1 << 10})
	for i := range 5 {
		name := string(rune('a' + i))
		require.NoError(t, d.Put(t.Context(), name, backup.Bytes([]byte(name))))
		s.Cut()
	}
	require.Len(t, desttest.Names(t, d, ""), 5)
}

func TestAServerThatHangsEndsWithTheContext(t *testing.T) {
	s := sftptest.Start(t)
	d := open(t, settings(s, t.TempDir()))
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
	s := sftptest.Start(t)
	d := open(t, settings(s, t.TempDir()))
	s.Stop()
	err := d.Put(t.Context(), "a", backup.Bytes([]byte("x")))
	require.True(t, backup.Is(err, "backup_unavailable"), "%v", err)
}

func TestAServerThatCannotSyncIsRefused(t *testing.T) {
	s := sftptest.Start(t)
	s.Real = false
	cfg := settings(s, t.TempDir())
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
	err := open(t, settings(sftptest.Start(t), dir)).Put(t.Context(), "a", backup.Bytes([]byte("x")))
	require.True(t, backup.Is(err, "backup_refused"), "%v", err)
}

func TestAbandonedWritesAreCleared(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, ".tmp"), 0o700))
	dead, fresh := filepath.Join(dir, ".tmp", "put-aabbccddeeff-1000000000000"), filepath.Join(dir, ".tmp", "put-aabbccddeeff-9000000000000")
	for _, path := range []string{dead, fresh} {
		require.NoError(t, os.WriteFile(path, []byte("half"), 0o600))
	}
	require.NoError(t, open(t, settings(sftptest.Start(t), dir)).Put(t.Context(), "a", backup.Bytes([]byte("x"))))
	require.NoFileExists(t, dead)
	require.FileExists(t, fresh)
}

func TestSettingsAreChecked(t *testing.T) {
	s := sftptest.Start(t)
	good := settings(s, "/srv/panshi")
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
