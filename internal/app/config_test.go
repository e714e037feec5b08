package app_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/app"
)

func TestConfigComesFromFileEnvironmentAndFlagsInThatOrder(t *testing.T) {
	file := filepath.Join(t.TempDir(), "panshi.yaml")
	require.NoError(t, os.WriteFile(file, []byte("shop:\n  order_ttl: 1m\n  close_grace: 1m\nguard:\n  limits: \"off\"\nhttp: 127.0.0.1:1\n"), 0o600))
	t.Setenv("PANSHI_SHOP__ORDER_TTL", "2m")
	t.Setenv("PANSHI_HTTP", "127.0.0.1:2")
	t.Setenv("PANSHI_SANDBOX", "for the script that starts us")
	cfg, err := app.Load(app.Flags{
		Data: filepath.Join(t.TempDir(), "shop"), File: file,
		Set: []string{"shop.order_ttl=3m"}, More: map[string]string{"http": "127.0.0.1:4"},
	})
	require.NoError(t, err)
	require.Equal(t, 3*time.Minute, cfg.Shop.OrderTTL)
	require.Equal(t, time.Minute, cfg.Shop.CloseGrace)
	require.Equal(t, 7*24*time.Hour, cfg.Shop.CompleteAfter, "what nobody sets is the default")
	require.Equal(t, "127.0.0.1:4", cfg.HTTP)
	require.Equal(t, "http://127.0.0.1:4", cfg.Shop.PublicURL)
	require.Equal(t, "off", cfg.Guard.Limits)
	require.Equal(t, cfg.Data+".key", cfg.Vault.KeyFile)
}

func TestConfigRefusesAndNamesEverything(t *testing.T) {
	for _, set := range []string{
		"shop.order_tl=1m", "nonsense", "shop.order_ttl=soon", "shop.order_ttl=-1s", "http=8080", "roles=console",
		"sandbox.url=ftp://x", "guard.limits=maybe", "worker=later", "shop.public_url=http://a/", "web.trusted_proxies=nobody",
		"backup.interval=1ms", "backup.spool=x/spool", "backup.spool_max=5", "backup.keep_fine=1000h",
	} {
		_, err := app.Load(app.Flags{Data: "x", Set: []string{set}})
		require.Error(t, err, set)
	}
	_, err := app.Load(app.Flags{Data: "x", Set: []string{"http=8080", "roles=console", "worker=later"}})
	for _, name := range []string{"http", "roles", "worker"} {
		require.ErrorContains(t, err, name)
	}
	_, err = app.Load(app.Flags{Data: "x", File: filepath.Join(t.TempDir(), "missing.yaml")})
	require.ErrorContains(t, err, "missing.yaml")
}

func TestWhatListensEverywhereIsReachedOnLoopback(t *testing.T) {
	for addr, want := range map[string]string{
		"0.0.0.0:8080": "http://127.0.0.1:8080", "[::]:8080": "http://127.0.0.1:8080", ":8080": "http://127.0.0.1:8080",
		"192.0.2.1:80": "http://192.0.2.1:80", "[::1]:80": "http://[::1]:80", "localhost:80": "http://localhost:80",
	} {
		cfg, err := app.Load(app.Flags{Data: "x", More: map[string]string{"http": addr}})
		require.NoError(t, err)
		require.Equal(t, want, cfg.Shop.PublicURL, addr)
	}
}

func TestTheSimulatorLiesBesideTheData(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "shop")
	require.NoError(t, os.Mkdir(dir, 0o700))
	t.Chdir(dir)
	for _, data := range []string{".", dir, dir + "/", "./", "../shop"} {
		require.Equal(t, dir+".sandbox", app.SandboxState(data), data)
	}
}

// The URL of a database may hold its password: no print of the configuration
// and no complaint about it shows that.
func TestTheDatabaseURLIsNeverShown(t *testing.T) {
	load := func(url string) (app.Config, error) {
		return app.Load(app.Flags{Data: "x", Set: []string{"db.url=" + url}})
	}
	cfg, err := load("postgres://shop:hunter2@db.example:5432/shop")
	require.NoError(t, err)
	require.Equal(t, "postgres://shop:hunter2@db.example:5432/shop", string(cfg.DB.URL))
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		require.NotContains(t, fmt.Sprintf(verb, cfg), "hunter2", verb)
	}
	for _, url := range []string{"ftp://shop:hunter2@db.example", "postgres://shop:hunter2@db.example:port/shop"} {
		_, err = load(url)
		require.ErrorContains(t, err, "db.url")
		require.NotContains(t, err.Error(), "hunter2")
	}
}
