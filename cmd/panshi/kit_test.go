package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/adminsock"
	"panshi/internal/backup/ship"
	"panshi/internal/check"
	"panshi/internal/demo"
	"panshi/internal/imports"
	"panshi/internal/reconcile"
)

// binary is the program under test, built once.
var binary string

func TestMain(m *testing.M) { os.Exit(buildAndRun(m)) }

func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("", "panshi-cmd-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "panshi")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building panshi: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// outcome is how a run of the program ended.
type outcome struct {
	code        int
	out, errOut string
}

// command prepares a run in an own folder, free of the environment's settings.
func command(t *testing.T, dir string, args ...string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Dir = dir
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "PANSHI_") {
			cmd.Env = append(cmd.Env, e)
		}
	}
	return cmd
}

// panshi runs the program to its end.
func panshi(t *testing.T, dir string, args ...string) outcome {
	t.Helper()
	cmd := command(t, dir, args...)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	err := cmd.Run()
	if _, exited := errors.AsType[*exec.ExitError](err); !exited {
		require.NoError(t, err)
	}
	return outcome{cmd.ProcessState.ExitCode(), out.String(), errOut.String()}
}

// requireOneLine holds an error to the form of all errors.
func requireOneLine(t *testing.T, got outcome) {
	t.Helper()
	require.Equal(t, 1, strings.Count(got.errOut, "\n"), "stderr is one line: %q", got.errOut)
	require.True(t, strings.HasPrefix(got.errOut, "panshi: ") && strings.HasSuffix(got.errOut, "\n"), "%q", got.errOut)
	require.NotContains(t, got.errOut, "goroutine ")
	require.Empty(t, got.out)
}

// fake is a running shop of functions.
type fake struct {
	check      func(context.Context, func(string, int, int)) (check.Report, error)
	importFile func(context.Context, adminsock.ImportRequest, io.Reader, func(imports.Progress)) (imports.Report, error)
	setupLink  func(context.Context, string) (string, error)
	status     adminsock.Status
	backup     ship.Status
	reconciled reconcile.Report
}

func (f *fake) Check(ctx context.Context, p func(string, int, int)) (check.Report, error) {
	return f.check(ctx, p)
}

func (f *fake) Import(ctx context.Context, r adminsock.ImportRequest, file io.Reader, p func(imports.Progress)) (imports.Report, error) {
	return f.importFile(ctx, r, file, p)
}

func (f *fake) Demo(_ context.Context, p func(string)) (demo.Summary, error) {
	p("filling")
	return demo.Summary{Merchants: 2, SKUs: 31, Cards: 3440}, nil
}

func (f *fake) SetupLink(ctx context.Context, slug string) (string, error) {
	return f.setupLink(ctx, slug)
}

func (f *fake) Reconcile(_ context.Context, _ adminsock.ReconcileRequest, p func(adminsock.ReconcileProgress)) (reconcile.Report, error) {
	p(adminsock.ReconcileProgress{Step: "match", Done: 1, Total: 2})
	return f.reconciled, nil
}

func (f *fake) Status(context.Context) (adminsock.Status, error) { return f.status, nil }

func (f *fake) BackupStatus(context.Context) (ship.Status, error) { return f.backup, nil }

// fakeShop lets f answer as the running shop of a new data directory.
func fakeShop(t *testing.T, f *fake) (data string) {
	t.Helper()
	data = filepath.Join(t.TempDir(), "d")
	require.NoError(t, os.Mkdir(data, 0o700))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- adminsock.Serve(ctx, data, adminsock.Shop{Operations: f}, slog.New(slog.DiscardHandler))
	}()
	t.Cleanup(func() { cancel(); require.NoError(t, <-ended) })
	require.Eventually(t, func() bool {
		_, err := os.Stat(filepath.Join(data, "admin.sock"))
		return err == nil
	}, 30*time.Second, time.Millisecond)
	return data
}

func writeFile(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}
