package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/adminsock"
	"panshi/internal/check"
	"panshi/internal/errs"
	"panshi/internal/imports"
)

func TestCheckReportsViolations(t *testing.T) {
	report := check.Report{Violations: 25, Results: []check.Result{
		{Name: "a.sound", About: "fine"},
		{Name: "b.broken", About: "what holds", Count: 25, Violations: []check.Violation{{Subject: "order 1", Detail: "lost\x1b[31m"}}},
	}}
	data := fakeShop(t, &fake{check: func(_ context.Context, tell func(string, int, int)) (check.Report, error) {
		tell("a.sound", 0, 2)
		return report, nil
	}})
	got := panshi(t, "", "check", "--data", data)
	require.Equal(t, exitFailure, got.code)
	require.Empty(t, got.errOut, "the result said it")
	require.Contains(t, got.out, "VIOLATED b.broken (what holds): 25 violations\n  order 1: lost\uFFFD[31m\n  and 24 more\n")
	require.Regexp(t, `\nchecked 2 invariants in .*: 25 violations\n$`, got.out)
	require.NotContains(t, got.out, "a.sound")

	got = panshi(t, "", "check", "--data", data, "--json")
	require.Equal(t, exitFailure, got.code)
	var back check.Report
	require.NoError(t, json.Unmarshal([]byte(got.out), &back), "stdout is one JSON document")
	require.Equal(t, report, back)
}

// The errors of a shop become exit codes on the other side of the socket.
func TestExitCodesThroughTheSocket(t *testing.T) {
	var failure error
	data := fakeShop(t, &fake{
		check: func(context.Context, func(string, int, int)) (check.Report, error) { return check.Report{}, failure },
	})
	for kind, want := range map[errs.Kind]int{errs.Integrity: 4, errs.Forbidden: 3, errs.Invalid: 2, errs.Unavailable: 1, errs.Internal: 1} {
		failure = errs.New(kind, "some_code", "the reason")
		got := panshi(t, "", "check", "--data", data)
		require.Equal(t, want, got.code)
		requireOneLine(t, got)
		require.Equal(t, "panshi: the reason\n", got.errOut)
	}
}

func TestImportThroughTheSocket(t *testing.T) {
	dir := t.TempDir()
	text := strings.Repeat("CARD-密\r\n", 50_000)
	file := writeFile(t, dir, "卡 密.txt", text)
	var asked adminsock.ImportRequest
	var answer imports.Report
	var failure error
	data := fakeShop(t, &fake{importFile: func(_ context.Context, r adminsock.ImportRequest, f io.Reader, tell func(imports.Progress)) (imports.Report, error) {
		asked = r
		body, err := io.ReadAll(f)
		if string(body) != text || err != nil {
			return imports.Report{}, fmt.Errorf("%d bytes, %w", len(body), err)
		}
		tell(imports.Progress{Lines: 1, BytesTotal: int64(len(text))})
		return answer, failure
	}})
	run := func(args ...string) outcome {
		return panshi(t, dir, append([]string{"import", "cards", "--sku", "S-1", filepath.Base(file), "--data", data}, args...)...)
	}

	answer = imports.Report{Lines: 1234, Accepted: 1230, Duplicates: 4, Findings: []imports.Finding{{Line: 9, Code: imports.Duplicate, Text: "twice"}}}
	got := run("--merchant", "demo")
	require.Equal(t, exitDone, got.code, "duplicates are no failure: %+v", got)
	require.Equal(t, "read 1,234 lines of 卡 密.txt: 1,230 accepted, 4 duplicates, 0 bad\n  line 9: twice\n", got.out)
	require.Empty(t, got.errOut)
	require.Equal(t, "demo", asked.Merchant)
	require.Equal(t, "S-1", asked.SKU)
	require.Equal(t, adminsock.Cards, asked.Kind)
	require.EqualValues(t, len(text), asked.Size)
	require.Len(t, asked.Digest, 32)
	require.False(t, asked.DryRun)

	answer = imports.Report{Lines: 3, Accepted: 1, Duplicates: 1, Bad: 1, Resumed: true, Findings: []imports.Finding{
		{Line: 1, Code: imports.Duplicate, Text: "twice"}, {Line: 2000, Column: "price", Code: imports.TooLong, Text: "long"},
	}}
	got = run("--dry-run")
	require.Equal(t, exitFailure, got.code, "bad lines are findings")
	require.Contains(t, got.out, "dry run")
	require.Contains(t, got.out, "  line 2,000, column price: long\n  line 1: twice\n", "what must be mended comes first")
	require.Empty(t, got.errOut)
	require.True(t, asked.DryRun)

	got = run("--json")
	require.Equal(t, exitFailure, got.code)
	var told importReport
	require.NoError(t, json.Unmarshal([]byte(got.out), &told))
	require.Equal(t, importReport{
		Kind: "cards", File: "卡 密.txt", Resumed: true, Lines: 3, Accepted: 1, Duplicates: 1, Bad: 1, Findings: answer.Findings,
	}, told)

	failure = errs.New(errs.Conflict, "file_changed", "the file changed")
	got = run()
	require.Equal(t, exitFailure, got.code)
	require.Contains(t, got.out, "1 accepted", "what was stored is told with the error")
	require.Equal(t, "panshi: the file changed\n", got.errOut)

	answer, failure = imports.Report{}, errs.New(errs.NotFound, "sku_not_found", "there is no such SKU")
	got = run()
	require.Equal(t, exitFailure, got.code)
	require.Equal(t, "panshi: --sku: there is no such SKU\n", got.errOut)
	require.Empty(t, got.out)

	answer = imports.Report{Lines: 2, Bad: 1}
	failure = errs.Field("file", "catalog_bad_rows", "some rows are bad")
	got = panshi(t, dir, "import", "catalog", filepath.Base(file), "--data", data)
	require.Equal(t, exitFailure, got.code, "bad rows are findings, not usage")
	require.Contains(t, got.out, "nothing was imported")
	require.Empty(t, got.errOut)
}

func TestSetupLinkAndDemoThroughTheSocket(t *testing.T) {
	data := fakeShop(t, &fake{setupLink: func(_ context.Context, slug string) (string, error) {
		if slug == "none" {
			return "", errs.New(errs.NotFound, "merchant_not_found", "there is no such shop")
		}
		return "http://127.0.0.1:1/setup#" + slug, nil
	}})
	require.Equal(t, outcome{0, "http://127.0.0.1:1/setup#\n", ""}, panshi(t, "", "setup-link", "--data", data))
	require.Equal(t, outcome{0, "{\n  \"url\": \"http://127.0.0.1:1/setup#m\"\n}\n", ""}, panshi(t, "", "setup-link", "--merchant", "m", "--data", data, "--json"))
	require.Equal(t, outcome{1, "", "panshi: --merchant: there is no such shop\n"}, panshi(t, "", "setup-link", "--merchant", "none", "--data", data))
	got := panshi(t, "", "demo", "--data", data, "--json")
	require.JSONEq(t, `{"merchants":2,"skus":31,"cards":3440,"unchanged":false}`, got.out)
	require.Contains(t, got.errOut, `"msg":"demo: filling"`, "elsewhere than on a terminal progress is log lines")
}

// A signal cancels the work in the shop and ends the command.
func TestInterrupt(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		begun, ended := make(chan struct{}), make(chan error, 1)
		data := fakeShop(t, &fake{check: func(ctx context.Context, tell func(string, int, int)) (check.Report, error) {
			tell("long", 0, 1)
			close(begun)
			<-ctx.Done()
			ended <- ctx.Err()
			return check.Report{}, ctx.Err()
		}})
		cmd := command(t, "", "check", "--data", data)
		var errOut strings.Builder
		cmd.Stderr = &errOut
		require.NoError(t, cmd.Start())
		<-begun
		require.NoError(t, cmd.Process.Signal(sig))
		require.Error(t, cmd.Wait())
		require.Equal(t, exitFailure, cmd.ProcessState.ExitCode())
		require.Equal(t, "panshi: interrupted\n", errOut.String())
		require.ErrorIs(t, <-ended, context.Canceled)
	}
}

// The second signal does not wait for anybody.
func TestSecondSignal(t *testing.T) {
	dir := t.TempDir()
	begun, release := make(chan struct{}), make(chan struct{})
	data := fakeShop(t, &fake{importFile: func(_ context.Context, _ adminsock.ImportRequest, _ io.Reader, _ func(imports.Progress)) (imports.Report, error) {
		close(begun)
		<-release
		return imports.Report{}, nil
	}})
	defer close(release)
	cmd := command(t, dir, "import", "cards", "--sku", "s", writeFile(t, dir, "c", "CARD\n"), "--data", data)
	require.NoError(t, cmd.Start())
	<-begun
	require.NoError(t, cmd.Process.Signal(syscall.SIGSTOP)) // so that it gets both at once
	require.NoError(t, cmd.Process.Signal(syscall.SIGINT))
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(t, cmd.Process.Signal(syscall.SIGCONT))
	require.Error(t, cmd.Wait())
	require.Equal(t, exitFailure, cmd.ProcessState.ExitCode())
}

func TestDoctorThroughTheSocket(t *testing.T) {
	data := fakeShop(t, &fake{status: adminsock.Status{
		Version: "v0.0.1-other", Engine: "SQLite 3.99.0", PID: 4711, Since: time.Now(), Shop: "http://shop", ByQuery: 3, Holds: 2,
	}})
	writeFile(t, data, "panshi.db", "")
	require.NoError(t, os.WriteFile(data+".key", nil, 0o600))
	got := panshi(t, "", "doctor", "--data", data, "--json")
	require.Equal(t, exitFailure, got.code)
	var told struct{ Findings []finding }
	require.NoError(t, json.Unmarshal([]byte(got.out), &told))
	levels := map[string]string{}
	for _, f := range told.Findings {
		levels[f.Name] += f.Level
		require.NotEmpty(t, f.Text)
	}
	require.Equal(t, "bad", levels["callbacks"])
	require.Equal(t, "warn", levels["holds"])
	require.Equal(t, "warn", levels["version"])
	require.Equal(t, "ok", levels["engine"])
	require.Equal(t, "ok", levels["shop"])
	require.Equal(t, "okwarn", levels["key"])
	text := panshi(t, "", "doctor", "--data", data)
	require.Equal(t, len(told.Findings), strings.Count(text.out, "\n"), "one line a finding")
	require.Regexp(t, `(?m)^bad   callbacks   none arrived`, text.out)
}
