package main

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// start runs a command that stays, and gives the line that it says when it is
// ready, and a function that stops it and gives its exit code.
func start(t *testing.T, dir string, args ...string) (ready map[string]string, stop func() int) {
	t.Helper()
	cmd := command(t, dir, append(args, "--json")...)
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	require.NoError(t, err)
	cmd.Stderr = log
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		said, _ := os.ReadFile(log.Name())
		t.Fatalf("%v did not get ready: %v\n%s", args, err, said)
	}
	require.NoError(t, json.Unmarshal([]byte(line), &ready))
	return ready, func() int {
		require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
		_, _ = io.Copy(io.Discard, out)
		_ = cmd.Wait()
		return cmd.ProcessState.ExitCode()
	}
}

// The commands on a real shop: alone, then through the socket of a running
// one, then alone again.
func TestShopFromDemoToDoctor(t *testing.T) {
	dir := t.TempDir()
	require.Equal(t, exitDone, panshi(t, dir, "demo").code)
	got := panshi(t, dir, "demo", "--json")
	require.Equal(t, exitDone, got.code)
	require.Contains(t, got.out, `"unchanged": true`)
	cards := writeFile(t, dir, "cards.txt", "ALONE-0001\nALONE-0002\nALONE-0001\n")
	got = panshi(t, dir, "import", "cards", "--sku", "DEMO-CARD", cards)
	require.Equal(t, outcome{0, "read 3 lines of cards.txt: 2 accepted, 1 duplicate, 0 bad\n  line 3: this card is in the shop already, or stood earlier in the file\n", ""}, got)
	require.Regexp(t, `: 0 violations\n$`, panshi(t, dir, "check").out)

	ready, stop := start(t, dir, "serve", "--http", "127.0.0.1:0", "--console", "127.0.0.1:0", "--sandbox", "127.0.0.1:0")
	require.Equal(t, "ready", ready["event"])
	for _, name := range []string{"shop", "console", "sandbox"} {
		require.Regexp(t, `^http://127\.0\.0\.1:\d+$`, ready[name], name)
	}
	requireHealthy(t, ready["shop"])
	requireHealthy(t, ready["sandbox"])
	info, err := os.Stat(filepath.Join(dir, "panshi-data", "admin.sock"))
	require.NoError(t, err)
	require.Equal(t, os.ModeSocket|0o600, info.Mode())

	cards = writeFile(t, dir, "more.txt", "ALONE-0001\nSOCKET-0001\nbad\x01line\n")
	got = panshi(t, dir, "import", "cards", "--sku", "DEMO-CARD", cards)
	require.Equal(t, exitFailure, got.code)
	require.Contains(t, got.out, "1 accepted, 1 duplicate, 1 bad")
	got = panshi(t, dir, "check", "--json")
	require.Equal(t, exitDone, got.code, "%+v", got)
	require.Contains(t, got.out, `"violations": 0`)
	link := panshi(t, dir, "setup-link")
	require.True(t, strings.HasPrefix(link.out, ready["console"]+"/"), link.out)
	got = panshi(t, dir, "doctor")
	require.Regexp(t, `(?m)^ok    shop        runs since`, got.out)
	second := panshi(t, dir, "serve", "--http", "127.0.0.1:0", "--console", "127.0.0.1:0")
	require.Equal(t, exitFailure, second.code, "one shop a data directory")
	requireOneLine(t, second)
	require.Equal(t, exitDone, stop(), "a signal is the orderly end")
	require.NoFileExists(t, filepath.Join(dir, "panshi-data", "admin.sock"))

	require.Regexp(t, `: 0 violations\n$`, panshi(t, dir, "check").out)
	got = panshi(t, dir, "doctor")
	require.Contains(t, got.out, "opens; it is not running")
	require.Equal(t, exitDone, got.code, got.out)
	requireNothingInClear(t, dir, "ALONE-0001", "SOCKET-0001")
}

func requireHealthy(t *testing.T, url string) {
	t.Helper()
	client := &http.Client{Timeout: 5 * time.Second}
	resp, err := client.Get(url + "/healthz")
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusOK, resp.StatusCode)
}

// requireNothingInClear scans the data directory for cards.
func requireNothingInClear(t *testing.T, dir string, cards ...string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(filepath.Join(dir, "panshi-data"), func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		raw, err := os.ReadFile(path)
		for _, card := range cards {
			require.NotContains(t, string(raw), card, path)
		}
		return err
	}))
}

// A shop that was killed leaves its socket; the next command and the next shop
// find their way.
func TestKilledShop(t *testing.T) {
	dir := t.TempDir()
	require.Equal(t, exitDone, panshi(t, dir, "demo").code)
	cmd := command(t, dir, "serve", "--http", "127.0.0.1:0", "--console", "127.0.0.1:0", "--json")
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	_, err = bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	socket := filepath.Join(dir, "panshi-data", "admin.sock")
	require.Eventually(t, func() bool { _, err := os.Stat(socket); return err == nil }, 30*time.Second, time.Millisecond)
	require.NoError(t, cmd.Process.Kill())
	_ = cmd.Wait()
	require.FileExists(t, socket)
	require.Equal(t, exitDone, panshi(t, dir, "check").code)
	_, stop := start(t, dir, "serve", "--http", "127.0.0.1:0", "--console", "127.0.0.1:0")
	require.Equal(t, exitDone, panshi(t, dir, "check").code)
	require.Equal(t, exitDone, stop())
}

// Commands that come at once wait for each other's lock.
func TestCommandsQueue(t *testing.T) {
	dir := t.TempDir()
	require.Equal(t, exitDone, panshi(t, dir, "demo").code)
	results := make(chan outcome, 4)
	for range 4 {
		go func() { results <- panshi(t, dir, "check") }()
	}
	for range 4 {
		got := <-results
		require.Equal(t, exitDone, got.code, "%+v", got)
	}
}

func TestSandboxAlone(t *testing.T) {
	dir := t.TempDir()
	ready, stop := start(t, dir, "sandbox", "--http", "127.0.0.1:0", "--state", "pay.state")
	requireHealthy(t, ready["sandbox"])
	require.FileExists(t, filepath.Join(dir, "pay.state"))
	second := panshi(t, dir, "sandbox", "--http", "127.0.0.1:0", "--state", "pay.state")
	require.Equal(t, exitFailure, second.code)
	requireOneLine(t, second)
	require.Equal(t, exitDone, stop())
}

func TestVersion(t *testing.T) {
	require.Regexp(t, `^panshi \S+ \(go1\.\S+, \w+/\w+\)\n$`, panshi(t, "", "version").out)
	var v map[string]string
	require.NoError(t, json.Unmarshal([]byte(panshi(t, "", "version", "--json").out), &v))
	require.NotEmpty(t, v["version"])
}
