package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every bad input of every command and flag: exit code 2, exactly one line on
// stderr that names what is wrong, nothing on stdout, and nothing was made.
func TestBadInput(t *testing.T) {
	dir := t.TempDir()
	cards := writeFile(t, dir, "cards.txt", "CARD-1\n")
	empty := writeFile(t, dir, "empty.txt", "")
	broken := writeFile(t, dir, "broken.yaml", "http: [\n\tx")
	unknown := writeFile(t, dir, "unknown.yaml", "shop:\n  order_ttll: 5m\n")
	noKeys := writeFile(t, dir, "account.json", `{"mch_id":"1900000109","apiv3_key":"too-short-secret"}`)
	noJSON := writeFile(t, dir, "nojson.json", `{"apiv3_key":"too-short-secret`)
	other := writeFile(t, dir, "other.json", `{"secret_key":"x"}`)
	big := writeFile(t, dir, "big.json", strings.Repeat(" ", 70_000))
	pipe := filepath.Join(dir, "pipe")
	require.NoError(t, syscall.Mkfifo(pipe, 0o600))
	long := strings.Repeat("x", 5000)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = taken.Close() }) // after the parallel cases

	cases := []struct {
		args string // separated by spaces; ␣ is a space, ∅ is empty
		name string // what the line must name
	}{
		{"sell", "sell"},
		{"serv", "serv"},
		{"∅", ""},
		{"--", "expected"},
		{"--bogus", "--bogus"},
		{"-x", "-x"},
		{"import", "catalog"},
		{"import pictures", "pictures"},
		{"import orders x", "orders"},
		{"--json=maybe version", "--json"},
		{"--data", "--data"},
		{"version --data", "--data"},
		{"version --config", "--config"},
		{"check --set", "--set"},

		{"check --data=", "--data"},
		{"check --data " + long, "--data"},
		{"check --data a\nb", "--data"},
		{"check --data a\xff", "--data"},
		{"check --data nowhere", "--data"},
		{"check --data " + cards, "--data"},
		{"check --config=", "--config"},
		{"check --config none.yaml", "none.yaml"},
		{"check --config " + dir, dir},
		{"check --config " + broken, broken},
		{"check --config " + unknown, "order_ttll"},
		{"check --set http", "--set"},
		{"check --set =x", "--set"},
		{"check --set no.such=1", "no"},
		{"check --set shop.order_ttl=soon", "order_ttl"},
		{"check --set shop.order_ttl=-5m", "order_ttl"},
		{"check --set db.read_conns=-1", "db.read_conns"},
		{"check --set db.read_conns=many", "read_conns"},
		{"check --set worker=maybe", "worker"},
		{"check --set web.max_body_bytes=1", "max_body_bytes"},
		{"check --set shop.public_url=shop", "shop.public_url"},
		{"check --set sandbox.url=ftp://x", "sandbox.url"},
		{"check --set vault=x", "vault"},

		{"backup", "status"},
		{"backup now", "--data"},
		{"backup now --wait=0s", "--wait"},
		{"backup now x", "x"},
		{"backup list", "--data"},
		{"backup list ∅", "<label>"},
		{"backup list --limit=0", "--limit"},
		{"backup list --before=yesterday", "--before"},
		{"backup verify", "--data"},
		{"backup verify ∅", "<label>"},
		{"backup verify " + strings.Repeat("l", 33), "<label>"},
		{"backup prove", "--data"},
		{"backup prove a\nb", "<label>"},
		{"backup prove --scratch=", "--scratch"},
		{"backup prove --scratch", "--scratch"},
		{"backup offline", "--to"},
		{"backup offline --to=", "--to"},
		{"backup offline --to x", "--data"},
		{"backup offline --to x --init=", "--init"},
		{"backup offline --to x --keep-weekly few", "--keep-weekly"},
		{"backup offline --to x --from a\nb", "--from"},
		{"backup offline list", "--to"},
		{"backup offline list --to=", "--to"},
		{"backup offline verify", "--to"},
		{"backup offline verify --to x y", "y"},
		{"backup checklist", "--data"},
		{"backup checklist x", "x"},

		{"promote", "--from"},
		{"promote --from=", "--follow"},
		{"promote --from nowhere", "--data"},
		{"promote x", "x"},
		{"serve --follow=", "--follow"},
		{"serve --follow nowhere", "--sheet"},
		{"serve --follow nowhere --sheet " + cards, "sheet"},
		{"serve --cards " + cards, "--follow"},

		{"drill", "list"},
		{"drill list x", "x"},
		{"drill list", "--data"},
		{"drill run", "name"},
		{"drill run flood", "name"},
		{"drill run disk-lost", "--data"},
		{"drill run disk-lost --at yesterday", "--at"},
		{"drill run disk-lost --seed x", "--seed"},
		{"drill run disk-lost --scratch=", "--scratch"},
		{"drill run ransomware --offline=", "--offline"},
		{"drill run disk-lost --destination=", "--destination"},
		{"drill run disk-lost --destination " + strings.Repeat("l", 33), "--destination"},
		{"drill run disk-lost --cards nowhere", "--cards"},
		{"drill run disk-lost --sheet " + cards, "recovery"},
		{"drill all x", "x"},
		{"drill all", "--data"},
		{"drill reports flood", "name"},
		{"drill show", "report"},
		{"drill show ∅", "<report>"},
		{"drill show runbook", "--data"},

		{"serve --http", "--http"},
		{"serve --http=", "--http"},
		{"serve --http 8080", "--http"},
		{"serve --http 127.0.0.1:99999", "--http"},
		{"serve --http 127.0.0.1:x", "--http"},
		{"serve --http a:b:c", "--http"},
		{"serve --http " + taken.Addr().String(), "--http"},
		{"serve --http 192.0.2.1:0", "--http"},
		{"serve --http 127.0.0.1:0 --console=", "--console"},
		{"serve --http 127.0.0.1:0 --console nowhere", "--console"},
		{"serve --http 127.0.0.1:0 --console " + taken.Addr().String(), "--console"},
		{"serve --http 127.0.0.1:0 --console 127.0.0.1:0 --sandbox " + taken.Addr().String(), "--sandbox"},
		{"serve --roles order", "--roles"},
		{"serve --roles=", "--roles"},
		{"serve --sandbox=", "--sandbox"},
		{"serve --sandbox nowhere", "--sandbox"},
		{"serve --sandbox 127.0.0.1:0 --set sandbox.url=http://127.0.0.1:1", "sandbox.url"},
		{"serve --https 127.0.0.1:0", "--https"},
		{"serve now", "now"},
		{"serve --bogus", "--bogus"},

		{"sandbox --http=", "--http"},
		{"sandbox --http 8090", "--http"},
		{"sandbox --http " + taken.Addr().String(), "--http"},
		{"sandbox --http 127.0.0.1:0 --state=", "--state"},
		{"sandbox --state a\tb", "--state"},
		{"sandbox --bogus", "--bogus"},
		{"sandbox x", "x"},

		{"migrate", "--from"},
		{"migrate --from", "--from"},
		{"migrate --from= --to b", "--from"},
		{"migrate --from a\nb --to b", "--from"},
		{"migrate --from a", "--to"},
		{"migrate --from a --to=", "--to"},
		{"migrate --from a --to b", "--from"},
		{"migrate --from a --to mysql://x", "--to"},
		{"migrate --from postgres://u:hush@x:y/z --to b", "--from"},
		{"migrate --from a --reopen", "--from"},
		{"migrate --from a --to b --reopen", "--to"},
		{"migrate --from a --reopen --dry-run", "--to"},
		{"migrate --from a --to b --copy-keys=maybe", "--copy-keys"},
		{"migrate --from a --to b c", "c"},
		{"migrate --bogus", "--bogus"},

		{"demo --bogus", "--bogus"},
		{"demo x", "x"},
		{"demo --data=", "--data"},
		{"check --bogus", "--bogus"},
		{"check x", "x"},
		{"doctor --bogus", "--bogus"},
		{"doctor x", "x"},
		{"doctor --set no.such=1", "no"},
		{"key recovery new x", "x"},
		{"key recovery new --bogus", "--bogus"},
		{"key cards", "file"},
		{"key cards a b", "b"},
		{"key cards a --place", "--sheet"},
		{"key destination put", "label"},
		{"key destination put cloud", "file"},
		{"restore --from a --to b --cards c", "--cards"},
		{"restore --from a --to b --credential c", "--credential"},
		{"restore --from a --to b --sheet missing", "missing"},
		{"version x", "x"},
		{"version --bogus", "--bogus"},
		{"setup-link --bogus", "--bogus"},
		{"setup-link x", "x"},
		{"setup-link --merchant", "--merchant"},
		{"setup-link --merchant=", "--merchant"},
		{"setup-link --merchant " + strings.Repeat("m", 41), "--merchant"},
		{"setup-link --merchant a\nb", "--merchant"},

		{"bench --bogus", "--bogus"},
		{"bench x", "x"},
		{"bench --data somewhere", "--data"},
		{"bench --dir=", "--dir"},
		{"bench --dir nowhere", "--dir"},
		{"bench --set shop.order_ttl=5m", "--set"},
		{"bench --engine oracle", "--engine"},
		{"bench --scenarios sell", "sell"},
		{"bench --sizes x", "--sizes"},
		{"bench --seconds -1", "--seconds"},
		{"bench --rounds x", "--rounds"},
		{"bench --clients 0", "--clients"},
		{"bench --compare none.json", "--compare"},
		{"bench --fail-over 10%", "--fail-over"},
		{"bench-part http", "panshi bench"},

		{"merchant", "put"},
		{"merchant sell", "sell"},
		{"merchant list x", "x"},
		{"merchant list", "--data"},
		{"merchant put", "--slug"},
		{"merchant put --slug", "--slug"},
		{"merchant put --slug=", "--slug"},
		{"merchant put --slug Big", "--slug"},
		{"merchant put --slug " + strings.Repeat("s", 41) + " --name x", "--slug"},
		{"merchant put --slug a\nb --name x", "--slug"},
		{"merchant put --slug a", "--data"},
		{"merchant put --slug a --name=", "--name"},
		{"merchant put --slug a --name a\xff", "--name"},
		{"merchant put --slug a --name " + strings.Repeat("n", 121), "--name"},
		{"merchant put --slug a --name x --name-en " + strings.Repeat("n", 121), "--name-en"},
		{"merchant put --slug a --name x --host https://shop.example", "--host"},
		{"merchant put --slug a --name x --host shop.example:443", "--host"},
		{"merchant put --slug a --name x --host a..b", "--host"},
		{"merchant put --slug a --name x --tagline a\x01b", "--tagline"},
		{"merchant put --slug a --name x --tagline-en " + long, "--tagline-en"},
		{"merchant put --slug a --name x --notice " + long, "--notice"},
		{"merchant put --slug a --name x --notice-en " + long[:1001], "--notice-en"},
		{"merchant put --slug a --name x --currency yuan", "--currency"},
		{"merchant put --slug a --name x --currency cny", "--currency"},
		{"merchant put --slug a --name x --currency=", "--currency"},
		{"merchant put --slug a --name x --closed=maybe", "--closed"},
		{"merchant put --slug a --name x --bogus", "--bogus"},
		{"merchant put --slug a --name x y", "y"},

		{"account", "put"},
		{"account put", "wechatpay"},
		{"account put paypal " + noKeys, "paypal"},
		{"account list x", "x"},
		{"account list", "--data"},
		{"account put wechatpay", "<file>"},
		{"account put wechatpay none.json", "FILE"},
		{"account put wechatpay ∅", "FILE"},
		{"account put wechatpay -", "FILE"},
		{"account put wechatpay " + dir, "FILE"},
		{"account put wechatpay " + empty, "FILE"},
		{"account put wechatpay " + pipe, "FILE"},
		{"account put wechatpay " + big, "FILE"},
		{"account put wechatpay " + noJSON, "FILE"},
		{"account put wechatpay " + other, "FILE"},
		{"account put wechatpay " + noKeys, "app_id"},
		{"account put wechatpay " + noKeys, "merchant_serial"},
		{"account put wechatpay " + noKeys, "merchant_key_pem"},
		{"account put wechatpay " + noKeys, "apiv3_key"},
		{"account put wechatpay " + noKeys, "platform_keys"},
		{"account put wechatpay " + noKeys + " --merchant=", "--merchant"},
		{"account put wechatpay " + noKeys + " --name=", "--name"},
		{"account put wechatpay " + noKeys + " --name-en " + strings.Repeat("n", 121), "--name-en"},
		{"account put wechatpay " + noKeys + " --off=maybe", "--off"},
		{"account put wechatpay " + noKeys + " --bogus", "--bogus"},

		{"import catalog", "<file>"},
		{"import catalog none.csv", "FILE"},
		{"import catalog " + dir, "FILE"},
		{"import catalog " + empty, "FILE"},
		{"import catalog ∅", "FILE"},
		{"import catalog " + pipe, "FILE"},
		{"import catalog " + cards + " --merchant=", "--merchant"},
		{"import catalog " + cards + " " + cards, "cards.txt"},
		{"import catalog " + cards + " --sku x", "--sku"},
		{"import catalog " + cards + " --dry-run=maybe", "--dry-run"},
		{"import catalog " + cards + " --bogus", "--bogus"},
		{"import cards " + cards, "--sku"},
		{"import cards --sku x", "<file>"},
		{"import cards " + cards + " --sku", "--sku"},
		{"import cards " + cards + " --sku=", "--sku"},
		{"import cards " + cards + " --sku a\x01b", "--sku"},
		{"import cards " + cards + " --sku a\xff", "--sku"},
		{"import cards " + cards + " --sku " + strings.Repeat("s", 65), "--sku"},
		{"import cards --sku x none.txt", "FILE"},
		{"import cards --sku x " + dir, "FILE"},
		{"import cards --sku x " + empty, "FILE"},
		{"import cards --sku x " + pipe, "FILE"},
		{"import cards --sku x a\nb", "FILE"},
		{"import cards --sku x " + cards + " --merchant " + strings.Repeat("m", 41), "--merchant"},
		{"import cards --sku x " + cards, "--data"},
	}
	for _, c := range cases {
		label := c.args
		if len(label) > 60 {
			label = label[:60]
		}
		t.Run(strings.ToValidUTF8(label, "?"), func(t *testing.T) {
			t.Parallel()
			var args []string
			for arg := range strings.SplitSeq(c.args, " ") {
				args = append(args, strings.ReplaceAll(arg, "∅", ""))
			}
			home := t.TempDir()
			got := panshi(t, home, args...)
			require.Equal(t, exitUsage, got.code, "%+v", got)
			requireOneLine(t, got)
			require.Contains(t, got.errOut, c.name)
			require.NotContains(t, got.errOut, "too-short-secret")
			entries, err := os.ReadDir(home)
			require.NoError(t, err)
			require.Empty(t, entries, "nothing was made")
		})
	}
}

// What may not be read is "not permitted", not "wrong".
func TestUnreadableFiles(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may read everything")
	}
	dir := t.TempDir()
	secret := writeFile(t, dir, "cards.txt", "CARD-1\n")
	require.NoError(t, os.Chmod(secret, 0))
	got := panshi(t, dir, "import", "cards", "--sku", "x", secret)
	require.Equal(t, exitForbidden, got.code, "%+v", got)
	requireOneLine(t, got)
}

func TestHelp(t *testing.T) {
	dir := t.TempDir()
	bare, asked := panshi(t, dir), panshi(t, dir, "--help")
	require.Equal(t, asked, bare, "no command is a question")
	require.Equal(t, exitDone, bare.code)
	require.Empty(t, bare.errOut)
	for _, command := range []string{
		"serve", "demo", "sandbox", "import catalog", "import cards", "check", "reconcile", "doctor", "setup-link",
		"merchant put", "merchant list", "account put wechatpay", "account list", "bench", "version",
		"backup status", "backup now", "backup list", "backup verify", "backup prove", "backup checklist", "restore",
		"drill list", "drill run", "drill all", "drill reports", "drill show", "key recovery new", "key shares new", "key cards", "key destination put",
		"config history", "config diff", "config rollback", "promote",
	} {
		require.Contains(t, bare.out, "\n  "+command+" ")
		got := panshi(t, dir, append(strings.Fields(command), "--help")...)
		require.Equal(t, exitDone, got.code, command)
		if command != "version" {
			require.Contains(t, got.out, "    panshi "+command, "help has examples")
		}
		require.Contains(t, got.out, "--data=DIR")
	}
	for _, later := range []string{"audit", "bench-part"} {
		require.NotContains(t, bare.out, "\n  "+later)
	}
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, entries)
}
