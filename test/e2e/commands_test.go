package e2e

import (
	"cmp"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"panshi/test/kit"
)

// TestCommandsRefuseBadInput: whatever is wrong about a command line is told in
// one line, with the exit code of wrong usage, or of a failure where the line is
// well-formed and names what does not exist.
func TestCommandsRefuseBadInput(t *testing.T) {
	t.Parallel()
	shop := kit.Stopped(t, nil)
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty")
	require.NoError(t, os.WriteFile(empty, nil, 0o600))
	cards := kit.CardsFile(t, dir, kit.Keys("CMD", 3))
	badConfig := filepath.Join(dir, "bad.yaml")
	require.NoError(t, os.WriteFile(badConfig, []byte("http: [unclosed\n"), 0o600))
	unknownKey := filepath.Join(dir, "unknown.yaml")
	require.NoError(t, os.WriteFile(unknownKey, []byte("htttp: 127.0.0.1:1\n"), 0o600))
	for name, c := range map[string]struct {
		args  []string
		names string // what the line must mention
		code  int    // 0: that of usage, 2
	}{
		"unknown command":   {[]string{"sell"}, "sell", 0},
		"unknown flag":      {[]string{"serve", "--nope"}, "nope", 0},
		"extra argument":    {[]string{"check", "now"}, "now", 0},
		"set without value": {[]string{"serve", "--set", "worker"}, "key=value", 0},
		"set unknown key":   {[]string{"serve", "--set", "worke=off"}, "worke", 0},
		"set wrong choice":  {[]string{"serve", "--set", "worker=maybe"}, "worker", 0},
		"set wrong time":    {[]string{"serve", "--set", "shop.order_ttl=soon"}, "order_ttl", 0},
		"set out of range":  {[]string{"serve", "--set", "shop.order_ttl=1ms"}, "order_ttl", 0},
		"address":           {[]string{"serve", "--http", "localhost"}, "localhost", 0},
		"roles":             {[]string{"serve", "--roles", "order"}, "roles", 0},
		"both sandboxes":    {[]string{"serve", "--sandbox", "127.0.0.1:0", "--set", "sandbox.url=http://127.0.0.1:1"}, "sandbox", 0},
		"config missing":    {[]string{"check", "--config", filepath.Join(dir, "none.yaml")}, "none.yaml", 0},
		"config broken":     {[]string{"check", "--config", badConfig}, "bad.yaml", 0},
		"config unknown":    {[]string{"check", "--config", unknownKey}, "htttp", 0},
		"no SKU":            {[]string{"import", "cards", cards}, "sku", 0},
		"unknown SKU":       {[]string{"import", "cards", "--sku", "NOPE", cards}, "--sku", 1},
		"no file":           {[]string{"import", "cards", "--sku", "DEMO-CARD"}, "file", 0},
		"file missing":      {[]string{"import", "catalog", filepath.Join(dir, "none.csv")}, "none.csv", 0},
		"file empty":        {[]string{"import", "cards", "--sku", "DEMO-CARD", empty}, "empty", 0},
		"file a directory":  {[]string{"import", "cards", "--sku", "DEMO-CARD", dir}, "", 0},
		"not a catalogue":   {[]string{"import", "catalog", cards}, "", 0},
		"unknown import":    {[]string{"import", "everything", cards}, "everything", 0},
		"merchant unknown":  {[]string{"import", "catalog", "--merchant", "nobody", cards}, "--merchant", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			requireUsage(t, shop.RunEnv(nil, withOwnData(t, c.args)...), c.names, cmp.Or(c.code, 2))
		})
	}
}

// withOwnData adds --data: a copy of the demo for imports, which look into it,
// and an empty one for what must fail before that.
func withOwnData(t *testing.T, args []string) []string {
	t.Helper()
	if args[0] == "import" {
		return append(args, kit.Stopped(t, nil).Flags()...)
	}
	return append(args, "--data", filepath.Join(t.TempDir(), "data"))
}

func requireUsage(t *testing.T, r kit.Result, names string, code int) {
	t.Helper()
	require.Equal(t, code, r.Code, "%s%s", r.Out, r.Err)
	require.NotContains(t, r.Err, "goroutine ", "a panic is no answer")
	line := strings.TrimSpace(r.Err)
	require.NotEmpty(t, line)
	require.NotContains(t, line, "\n", "one line")
	require.Contains(t, strings.ToLower(line), strings.ToLower(names))
}
