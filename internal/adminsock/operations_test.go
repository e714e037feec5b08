package adminsock

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/check"
	"panshi/internal/demo"
	"panshi/internal/errs"
	"panshi/internal/id"
	"panshi/internal/imports"
)

func TestCheck(t *testing.T) {
	want := check.Report{Violations: 2, Results: []check.Result{
		{Name: "stock.counters", About: "they fit"},
		{Name: "order.paid", Count: 2, Violations: []check.Violation{{Subject: "订单", Detail: "no <key> & \"none\""}}},
	}}
	c := serve(t, t.TempDir(), &fake{check: func(_ context.Context, tell func(string, int, int)) (check.Report, error) {
		for i := range 100 {
			tell(fmt.Sprintf("rule%d", i), i, 100)
		}
		return want, nil
	}}).dial(t)
	var heard []string
	got, err := c.Check(t.Context(), func(name string, done, total int) {
		require.Equal(t, 100, total)
		require.Equal(t, len(heard), done, "progress comes in order")
		heard = append(heard, name)
	})
	require.NoError(t, err)
	require.Equal(t, want, got)
	require.Len(t, heard, 100)
	require.Equal(t, "rule99", heard[99])
}

func TestImport(t *testing.T) {
	file := "卡密-1\r\n卡密-2\r\n\x00\xff"
	sum := sha256.Sum256([]byte(file))
	want := imports.Report{
		BatchID: id.New(), Lines: 3, Accepted: 2, Bad: 1, Resumed: true,
		Findings: []imports.Finding{{Line: 3, Code: imports.BadEncoding, Text: "no"}},
	}
	request := ImportRequest{
		Kind: Cards, Merchant: "m", SKU: "a&b=c #1 月卡", FileName: "卡 密.txt", Size: int64(len(file)), Digest: sum[:], DryRun: true,
	}
	c := serve(t, t.TempDir(), &fake{importFile: func(_ context.Context, r ImportRequest, f io.Reader, tell func(imports.Progress)) (imports.Report, error) {
		if fmt.Sprint(r) != fmt.Sprint(request) {
			return imports.Report{}, fmt.Errorf("request %v", r)
		}
		body, err := io.ReadAll(f)
		if string(body) != file || err != nil {
			return imports.Report{}, fmt.Errorf("file %q, %w", body, err)
		}
		tell(imports.Progress{Lines: 1, BytesRead: 9, BytesTotal: 20})
		tell(imports.Progress{Lines: 3, Done: true})
		return want, nil
	}}).dial(t)
	var heard []imports.Progress
	got, err := c.Import(t.Context(), request, iotest.OneByteReader(strings.NewReader(file)), func(p imports.Progress) { heard = append(heard, p) })
	require.NoError(t, err)
	require.Equal(t, want, got)
	require.Equal(t, []imports.Progress{{Lines: 1, BytesRead: 9, BytesTotal: 20}, {Lines: 3, Done: true}}, heard)
}

func TestDemoSetupLinkStatus(t *testing.T) {
	status := Status{
		Version: "v1", Engine: "SQLite 3.51.3", PID: 7, Since: time.UnixMilli(1_700_000_000_123).UTC(), Shop: "http://127.0.0.1:8080",
		ByCallback: 3, ByQuery: 4, Holds: 5,
	}
	c := serve(t, t.TempDir(), &fake{
		demo: func(_ context.Context, tell func(string)) (demo.Summary, error) {
			tell("one")
			tell("two")
			return demo.Summary{}, nil
		},
		setupLink: func(_ context.Context, slug string) (string, error) { return "http://127.0.0.1/setup/" + slug, nil },
		status:    func(context.Context) (Status, error) { return status, nil },
	}).dial(t)
	var heard []string
	_, err := c.Demo(t.Context(), func(text string) { heard = append(heard, text) })
	require.NoError(t, err)
	require.Equal(t, []string{"one", "two"}, heard)
	link, err := c.SetupLink(t.Context(), "demo")
	require.NoError(t, err)
	require.Equal(t, "http://127.0.0.1/setup/demo", link)
	got, err := c.Status(t.Context())
	require.NoError(t, err)
	require.Equal(t, status, got)
}

func TestErrorsKeepWhatTheyAre(t *testing.T) {
	refused := errs.Field("sku", "sku_not_cards", "no cards").With("sku", "x")
	report := imports.Report{Lines: 7, Accepted: 7}
	for name, want := range map[string]error{
		"field":     refused,
		"integrity": errs.Wrap(errors.New("page 4"), errs.Integrity, "database_corrupt", "damaged"),
		"wrapped":   fmt.Errorf("while importing: %w", refused),
		"joined":    errors.Join(refused, errs.New(errs.Unavailable, "busy", "busy")),
	} {
		t.Run(name, func(t *testing.T) {
			c := serve(t, t.TempDir(), &fake{importFile: func(context.Context, ImportRequest, io.Reader, func(imports.Progress)) (imports.Report, error) {
				return report, want
			}}).dial(t)
			got, err := c.Import(t.Context(), ImportRequest{}, strings.NewReader("x"), silent)
			require.Equal(t, report, got, "a report comes with an error too")
			require.Equal(t, errs.KindOf(want), errs.KindOf(err))
			require.Equal(t, errs.CodeOf(want), errs.CodeOf(err))
			have, _ := errors.AsType[*errs.Error](err)
			sent, _ := errors.AsType[*errs.Error](want)
			require.Equal(t, []any{sent.Field, sent.Msg, sent.Params}, []any{have.Field, have.Msg, have.Params})
			if name == "joined" {
				require.ErrorIs(t, err, errs.New(errs.Unavailable, "busy", ""))
			}
			if name == "integrity" {
				require.ErrorContains(t, err, "page 4")
			}
		})
	}
}

func TestForeignErrorsAreInternal(t *testing.T) {
	c := serve(t, t.TempDir(), &fake{status: func(context.Context) (Status, error) { return Status{}, errors.New("disk on fire") }}).dial(t)
	_, err := c.Status(t.Context())
	require.Equal(t, errs.Internal, errs.KindOf(err))
	require.ErrorContains(t, err, "disk on fire", "the operator at the terminal is told the cause")
}

func TestPanicIsAnErrorAndALogLine(t *testing.T) {
	shop := serve(t, t.TempDir(), &fake{}) // every operation panics
	c := shop.dial(t)
	_, err := c.Status(t.Context())
	require.Equal(t, errs.Internal, errs.KindOf(err))
	require.NotContains(t, err.Error(), "goroutine")
	require.Contains(t, shop.log.text(), "goroutine")
	_, err = c.Status(t.Context())
	require.Equal(t, "internal", errs.CodeOf(err), "the shop answers on")
}

func TestUnknownRequestIsRefused(t *testing.T) {
	c := serve(t, t.TempDir(), &fake{}).dial(t)
	for _, a := range []ask{
		{method: "POST", path: "/v1/import", request: map[string]any{"kind": Cards, "limit": 5}, body: strings.NewReader("x")},
		{method: "POST", path: "/v1/import", request: []int{1}, body: strings.NewReader("x")},
		{method: "POST", path: "/v1/setup_link"},
	} {
		err := c.do(t.Context(), a, &struct{}{})
		require.Equal(t, "request_malformed", errs.CodeOf(err), "%v", a)
	}
	require.Equal(t, "operation_unknown", errs.CodeOf(c.do(t.Context(), ask{method: "POST", path: "/v1/nothing"}, &struct{}{})))
	require.Equal(t, "operation_unknown", errs.CodeOf(c.do(t.Context(), ask{method: "GET", path: "/v1/check"}, &struct{}{})))
}

func TestTwoClientsAtOnce(t *testing.T) {
	var both sync.WaitGroup
	both.Add(2)
	shop := serve(t, t.TempDir(), &fake{
		importFile: func(_ context.Context, r ImportRequest, f io.Reader, _ func(imports.Progress)) (imports.Report, error) {
			both.Done()
			both.Wait() // each waits for the other: one after the other would hang
			n, err := io.Copy(io.Discard, f)
			return imports.Report{Lines: n}, err
		},
	})
	var clients sync.WaitGroup
	for i := range 2 {
		c := shop.dial(t)
		clients.Go(func() {
			text := strings.Repeat("k", 1000*(i+1))
			r, err := c.Import(t.Context(), ImportRequest{}, strings.NewReader(text), silent)
			if err != nil || r.Lines != int64(len(text)) {
				t.Errorf("client %d: %v %v", i, r, err)
			}
		})
	}
	clients.Wait()
}
