package app_test

import (
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/app"
	"panshi/internal/backup"
	"panshi/internal/clock"
	"panshi/internal/vault"
)

func TestDestinationsBecomeTargets(t *testing.T) {
	dir := t.TempDir()
	cfg := app.Defaults()
	cfg.Data = filepath.Join(dir, "d")
	cfg.Vault = app.VaultConfig(vault.DefaultConfig(cfg.Data))
	_, err := vault.Create(vault.Config(cfg.Vault))
	require.NoError(t, err)
	secrets := vault.NewSecrets(vault.Config(cfg.Vault))
	list := []app.DestinationConfig{
		{Label: "disk", Kind: "directory", Region: "here", Dir: filepath.Join(dir, "later", "disk"), SameDevice: true, Limit: 1 << 20},
		{Label: "hangzhou", Kind: "oss", Region: "hangzhou", Endpoint: "https://oss-cn-hangzhou.aliyuncs.com", S3Region: "oss-cn-hangzhou", Bucket: "b"},
	}
	var calls atomic.Int64
	observe := func(string, backup.Call) { calls.Add(1) }
	_, err = app.Targets(list, cfg.Data, secrets, clock.System{}, observe)
	require.True(t, backup.Is(err, "vault_secret_missing"), "%v", err)

	secret := []byte(`{"access_key":"AKID","secret_key":"only-for-the-vault"}`)
	require.NoError(t, app.PutDestinationSecret(cfg, "hangzhou", secret))
	kept, err := os.ReadFile(filepath.Join(cfg.Vault.Dir, "destination-hangzhou.secret"))
	require.NoError(t, err)
	require.NotContains(t, string(kept), "only-for-the-vault")

	targets, err := app.Targets(list, cfg.Data, secrets, clock.System{}, observe)
	require.NoError(t, err, "a disk that is not there yet keeps no shop from starting")
	require.Len(t, targets, 2)
	require.Equal(t, 15*time.Minute, targets[0].LagAlarm)
	require.NoError(t, targets[0].Retention.Validate())
	require.NoError(t, os.Mkdir(filepath.Join(dir, "later"), 0o700))
	require.NoError(t, targets[0].Dest.Put(t.Context(), "a", backup.Bytes([]byte("x"))))
	require.Positive(t, calls.Load())
}

func TestDestinationsThatCannotWorkAreToldAtOnce(t *testing.T) {
	cfg := app.Defaults()
	cfg.Data = filepath.Join(t.TempDir(), "d")
	secrets := vault.NewSecrets(vault.DefaultConfig(cfg.Data))
	_, err := app.Targets([]app.DestinationConfig{
		{Label: "Big Letters", Kind: "directory"}, {Label: "tape", Kind: "tape"},
	}, cfg.Data, secrets, clock.System{}, func(string, backup.Call) {})
	require.ErrorContains(t, err, "backup.destinations[0]")
	require.ErrorContains(t, err, "backup.destinations[1]: backup_kind_unknown")
	for _, content := range []string{"", "[]", `{}`, "AKID secret"} {
		require.True(t, backup.Is(app.PutDestinationSecret(cfg, "x", []byte(content)), "backup_credential_invalid"), content)
	}
}

// The same list from a file, the environment and --set; one that nothing can be
// copied to from is refused.
func TestDestinationsAreAList(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "panshi.yaml")
	require.NoError(t, os.WriteFile(file, []byte("backup:\n  destinations:\n  - {label: disk, kind: directory, dir: /mnt/a, lag_alarm: 5m}\n"), 0o600))
	inline := `[{label: disk, kind: directory, dir: /mnt/a, lag_alarm: 5m}]`
	want := []app.DestinationConfig{{Label: "disk", Kind: "directory", Dir: "/mnt/a", LagAlarm: 5 * time.Minute}}
	for _, flags := range []app.Flags{{File: file}, {Set: []string{"backup.destinations=" + inline}}} {
		flags.Data = filepath.Join(dir, "d")
		cfg, err := app.Load(flags)
		require.NoError(t, err)
		require.Equal(t, want, cfg.Backup.Destinations)
	}
	for _, set := range [][]string{
		{"backup.destinations=[{label: disk, bogus: 1}]"},
		{"backup.destinations=[{"},
		{"backup.destinations=" + inline, "backup.spool=off"},
		{"backup.destinations=" + inline, "db.url=postgres://u@h/n", "backup.spool=off"},
		{"backup.postgres.slot=Not A Slot"},
		{"backup.postgres.slot_max=1000"},
	} {
		_, err := app.Load(app.Flags{Data: filepath.Join(dir, "d"), Set: set})
		require.Error(t, err, "%v", set)
	}
	both, err := app.Load(app.Flags{Data: filepath.Join(dir, "d"), Set: []string{"backup.destinations=" + inline, "db.url=postgres://u@h/n"}})
	require.NoError(t, err)
	require.True(t, both.Ships())
	alone, err := app.Load(app.Flags{Data: filepath.Join(dir, "d"), Set: []string{"db.url=postgres://u@h/n"}})
	require.NoError(t, err)
	require.False(t, alone.Ships(), "another machine may back the server up")
}
