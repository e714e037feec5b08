package app_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"panshi/internal/app"
)

// TestTheChannelsOfTheHandbookLoad takes the sample out of the handbook; a
// setting that it misspells, or that nobody knows, is refused.
func TestTheChannelsOfTheHandbookLoad(t *testing.T) {
	page, err := os.ReadFile("../../docs/operations/alerts.md")
	require.NoError(t, err)
	_, rest, _ := strings.Cut(string(page), "```yaml\n")
	sample, _, found := strings.Cut(rest, "```")
	require.True(t, found)
	load := func(text string) (app.Config, error) {
		file := filepath.Join(t.TempDir(), "panshi.yaml")
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		return app.Load(app.Flags{Data: "x", File: file})
	}
	cfg, err := load(sample)
	require.NoError(t, err)
	var names []string
	for _, c := range cfg.Notify.Channels {
		names = append(names, c.Name)
	}
	require.Equal(t, []string{"wecom", "mail", "hook"}, names)
	require.Equal(t, 3, cfg.Notify.Attempts, "what nobody sets is the default")
	for _, change := range []struct{ from, to, names string }{
		{"secret_file: /etc/panshi/mail.password", "password: x", "password"},
		{"port: 465", "port: 0", "notify.channels[1].port"},
		{"kind: wecom", "kind: wechat", "notify.channels[0].kind"},
	} {
		_, err := load(strings.Replace(sample, change.from, change.to, 1))
		require.ErrorContains(t, err, change.names)
	}
}
