package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/adminsock"
	"panshi/internal/app"
	"panshi/internal/backup/ship"
	"panshi/internal/imports"
	"panshi/internal/reconcile"
)

func TestProgressElsewhereIsLogLines(t *testing.T) {
	var out bytes.Buffer
	m := newMeter(t.Context(), &terminal{err: &out}, "import")
	now := time.Unix(1000, 0)
	m.told, m.clock = now, func() time.Time { return now }
	for i := range int64(1000) {
		now = now.Add(10 * time.Millisecond) // ten seconds in all
		m.step(i, 1000, "some line")
	}
	m.end()
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	require.Len(t, lines, 5, "a line every two seconds")
	require.Contains(t, lines[0], `"msg":"import: working","done":199,"total":1000,"at":"some line"`)
}

func TestProgressOnATerminalIsABar(t *testing.T) {
	var out bytes.Buffer
	m := newMeter(t.Context(), &terminal{err: &out, live: true}, "check")
	m.step(1, 4, "some.rule")
	m.step(4, 4, "")
	m.step(4, 4, "last")
	m.end()
	require.NotContains(t, out.String(), "{", "no log lines")
	idle := newMeter(t.Context(), &terminal{err: &out, live: true}, "demo")
	idle.say("one\ntwo")
	idle.end()
	require.Contains(t, out.String(), "demo: one two\n")
}

func TestCount(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1000: "-1,000", -999: "-999"} {
		require.Equal(t, want, count(n))
	}
}

func TestReportListsAFew(t *testing.T) {
	r := importReport{File: "f", Lines: 5000, Duplicates: 3000, Truncated: true}
	for i := range int64(1000) {
		r.Findings = append(r.Findings, imports.Finding{Line: i + 1, Code: imports.Duplicate, Text: "twice"})
	}
	var out bytes.Buffer
	r.text(&out)
	require.Equal(t, shownFindings, strings.Count(out.String(), "  line "))
	require.Contains(t, out.String(), "and 2,980 more")
}

func TestDoctorFiles(t *testing.T) {
	base := t.TempDir()
	data := filepath.Join(base, "d")
	cfg := app.Config{Data: data, Vault: app.VaultConfig{KeyFile: data + ".key"}}
	level := func(name string) string {
		worst := ""
		for _, f := range doctorFiles(cfg) {
			if f.Name == name && f.Level > worst && worst != levelBad { // "ok" < "warn"
				worst = f.Level
			}
			if f.Name == name && f.Level == levelBad {
				worst = levelBad
			}
		}
		return worst
	}
	require.Equal(t, levelOK, level("data"), "a shop that is not there yet is no fault")
	require.NoError(t, os.Mkdir(data, 0o700))
	require.Equal(t, levelOK, level("data"))
	require.NoError(t, os.Chmod(data, 0o750))
	require.Equal(t, levelBad, level("data"))
	require.NoError(t, os.Chmod(data, 0o700))

	db := writeFile(t, data, "panshi.db", "")
	require.Equal(t, levelOK, level("files"))
	require.Equal(t, levelBad, level("key"), "a shop without its key")
	require.NoError(t, os.Chmod(db, 0o640))
	require.Equal(t, levelBad, level("files"))

	require.NoError(t, os.WriteFile(cfg.Vault.KeyFile, nil, 0o600))
	require.Equal(t, levelWarn, level("key"), "the same disk")
	require.NoError(t, os.Chmod(cfg.Vault.KeyFile, 0o604))
	require.Equal(t, levelBad, level("key"))
	cfg.Vault.KeyFile = writeFile(t, data, "inside.key", "")
	require.Equal(t, levelBad, level("key"), "in the data directory")
	outside := filepath.Join(base, "link.key")
	require.NoError(t, os.Symlink(cfg.Vault.KeyFile, outside))
	cfg.Vault.KeyFile = outside
	require.Equal(t, levelBad, level("key"), "a link into the data directory")
	cfg.Data = cfg.Vault.KeyFile
	require.Equal(t, levelBad, level("data"), "a file")
}

// What the doctor says of accounts that fail and of days that stay open.
func TestDoctorJudgesMoney(t *testing.T) {
	now := time.Date(2026, 5, 6, 4, 0, 0, 0, time.UTC)
	serving := adminsock.Status{Since: now}
	require.Empty(t, doctorAccounts(adminsock.Status{}))
	require.Equal(t, levelOK, doctorAccounts(serving)[0].Level)
	serving.Failing = []adminsock.FailingAccount{
		{Merchant: "shop", Provider: "alipay", Method: "wap", Number: "2088", Breaker: "open", FailedAt: now, Since: now.Add(-time.Minute)},
		{Merchant: "shop", Provider: "wechatpay", Method: "native", Number: "1900", Breaker: "closed", Bills: true, FailedAt: now, Since: now},
		{Merchant: "shop", Provider: "wechatpay", Method: "native", Number: "1900", Breaker: "closed", FailedAt: now, Errors: 0.25},
	}
	got := doctorAccounts(serving)
	require.Equal(t, []string{levelBad, levelWarn, levelWarn}, []string{got[0].Level, got[1].Level, got[2].Level})
	require.Contains(t, got[0].Text, "shop alipay wap 2088 fails since 2026-05-06T03:59:00Z")
	require.Contains(t, got[1].Text, "(bills) has not answered since 2026-05-06T04:00:00Z")
	require.Contains(t, got[2].Text, "25% of its calls failed lately")

	require.Equal(t, levelOK, doctorReconcile(serving, now)[0].Level)
	serving.Unreconciled = reconcile.Late{Days: 1, Oldest: "2026-05-03", Cases: 2, Money: []reconcile.Money{{Currency: "CNY", Minor: 8988}}}
	late := doctorReconcile(serving, now)[0]
	require.Equal(t, levelWarn, late.Level)
	require.Contains(t, late.Text, "1 day not closed since 2026-05-03, with 2 open cases about CNY 89.88")
	require.Equal(t, levelBad, doctorReconcile(serving, now.Add(nobodyTries))[0].Level)
}

func TestDoctorJudges(t *testing.T) {
	for _, c := range []struct {
		byCallback, byQuery int64
		want                string
	}{{0, 0, levelOK}, {0, 1, levelBad}, {10, 0, levelOK}, {10, 10, levelOK}, {10, 11, levelWarn}} {
		require.Equal(t, c.want, doctorPayments(adminsock.Status{ByCallback: c.byCallback, ByQuery: c.byQuery})[0].Level, "%+v", c)
	}
	now := time.Now()
	shipping := ship.Status{Shipping: true, ShippedAt: now}
	for _, c := range []struct {
		status ship.Status
		want   string
	}{
		{ship.Status{}, levelOK},
		{ship.Status{Generations: []ship.Generation{{To: now}}}, levelOK},
		{shipping, levelOK},
		{ship.Status{Shipping: true}, levelWarn},
		{ship.Status{Shipping: true, ShippedAt: now, Lag: time.Minute}, levelBad},
		{ship.Status{Shipping: true, ShippedAt: now, Failure: "spool_full"}, levelBad},
	} {
		require.Equal(t, c.want, doctorBackup(app.Defaults(), c.status, now)[0].Level, "%+v", c.status)
	}
	unshipped := app.Defaults()
	unshipped.Backup.Spool = ship.Off
	require.Equal(t, levelWarn, doctorBackup(unshipped, shipping, now)[0].Level)
	require.Equal(t, levelBad, judgeDisk(100<<20, 0, 0).Level)
	require.Equal(t, levelWarn, judgeDisk(1<<30, 0, 0).Level)
	require.Equal(t, levelOK, judgeDisk(100<<30, 0, 0).Level, "no count of inodes")
	require.Equal(t, levelBad, judgeDisk(100<<30, 1000, 10).Level)
	require.Equal(t, levelBad, doctorClock(time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC))[0].Level)
	require.NotEqual(t, levelBad, doctorClock(time.Now())[0].Level)
	require.NotEqual(t, levelBad, doctorDisk(filepath.Join(t.TempDir(), "not", "there", "yet")).Level)

	cfg := app.Defaults()
	require.Len(t, doctorConfig(cfg), 1, "the defaults are sound")
	cfg.HTTP, cfg.Console, cfg.Sandbox.URL, cfg.Guard.Limits, cfg.Worker = ":8080", "0.0.0.0:8081", "http://x", "off", "off"
	require.Len(t, doctorConfig(cfg), 6)

	reached := func(http, publicURL string, proxies ...string) int {
		cfg := app.Defaults()
		cfg.HTTP, cfg.Shop.PublicURL, cfg.Web.TLS, cfg.Web.TrustedProxies = http, publicURL, true, proxies
		return len(doctorConfig(cfg)) - 1
	}
	require.Zero(t, reached("127.0.0.1:8080", "http://127.0.0.1:8080"), "a demo")
	require.Equal(t, 1, reached("0.0.0.0:8080", "http://127.0.0.1:8080"), "callbacks cannot come")
	require.Zero(t, reached("0.0.0.0:8080", "https://shop.example"))
	require.Equal(t, 1, reached("127.0.0.1:8080", "https://shop.example"), "all buyers are one")
	require.Zero(t, reached("127.0.0.1:8080", "https://shop.example", "127.0.0.1"))
}
