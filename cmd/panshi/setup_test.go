package main

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/adminsock"
)

const testAPIv3Key = "0123456789abcdefTHISISASECRETKEY"

// accountFile writes the settings of a WeChat Pay account, and gives what of
// them is secret.
func accountFile(t *testing.T, dir, mchID string) (path string, secrets []string) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	require.NoError(t, err)
	keyPEM := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))
	raw, err := json.Marshal(map[string]any{
		"mch_id": mchID, "app_id": "wx0123456789abcdef", "merchant_serial": "5157F09EFDC096DE15EBE81A47057A72",
		"merchant_key_pem": keyPEM, "apiv3_key": testAPIv3Key,
		"platform_keys": map[string]string{"PUB_KEY_ID_0114232134912410000000000000": string(
			pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}))},
	})
	require.NoError(t, err)
	return writeFile(t, dir, mchID+".json", string(raw)), []string{testAPIv3Key, strings.Split(keyPEM, "\n")[5]}
}

func requireNoSecrets(t *testing.T, got outcome, secrets []string) {
	t.Helper()
	for _, secret := range secrets {
		require.NotContains(t, got.out+got.errOut, secret)
	}
}

func merchants(t *testing.T, dir string) []adminsock.Merchant {
	t.Helper()
	got := panshi(t, dir, "merchant", "list", "--json")
	require.Equal(t, exitDone, got.code, "%+v", got)
	var told struct{ Merchants []adminsock.Merchant }
	require.NoError(t, json.Unmarshal([]byte(got.out), &told))
	return told.Merchants
}

func accounts(t *testing.T, dir string) []adminsock.Account {
	t.Helper()
	got := panshi(t, dir, "account", "list", "--json")
	require.Equal(t, exitDone, got.code, "%+v", got)
	var told struct{ Accounts []adminsock.Account }
	require.NoError(t, json.Unmarshal([]byte(got.out), &told))
	return told.Accounts
}

func TestMerchantPutAlone(t *testing.T) {
	dir := t.TempDir()
	got := panshi(t, dir, "merchant", "put", "--slug", "shop", "--name", "我的小店", "--host", "Shop.Example.com", "--tagline", "好")
	require.Equal(t, outcome{0, "The shop shop (我的小店) is stored. 店铺已保存。\n", ""}, got)
	got = panshi(t, dir, "merchant", "put", "--slug", "shop", "--name-en", "My shop", "--tagline=", "--closed", "--json")
	require.Equal(t, exitDone, got.code, "%+v", got)
	all := merchants(t, dir)
	require.Len(t, all, 1)
	require.NotEmpty(t, all[0].ID)
	all[0].ID = ""
	want := adminsock.Merchant{
		Slug: "shop", Name: "我的小店", NameEN: "My shop", Host: "shop.example.com", Currency: "CNY", Default: true,
	}
	require.Equal(t, want, all[0], "what was not given stayed")
	got = panshi(t, dir, "merchant", "put", "--slug", "shop", "--closed=false")
	require.Equal(t, exitDone, got.code, "%+v", got)
	require.True(t, merchants(t, dir)[0].Open)

	for flag, args := range map[string][]string{
		"--currency": {"--slug", "shop", "--currency", "USD"},
		"--host":     {"--slug", "two", "--name", "x", "--host", "shop.example.com"},
		"--name":     {"--slug", "two"},
	} {
		got = panshi(t, dir, append([]string{"merchant", "put"}, args...)...)
		require.Equal(t, exitUsage, got.code, "%+v", got)
		requireOneLine(t, got)
		require.Contains(t, got.errOut, flag)
	}
	got = panshi(t, dir, "merchant", "list")
	require.Equal(t, outcome{0, "SLUG  STATE  CURRENCY  HOST              NAME\nshop  open   CNY       shop.example.com  我的小店\n", ""}, got)
	require.Regexp(t, `: 0 violations\n$`, panshi(t, dir, "check").out)
}

func TestAccountPutAlone(t *testing.T) {
	dir := t.TempDir()
	file, secrets := accountFile(t, t.TempDir(), "1900000109")
	got := panshi(t, dir, "account", "put", "wechatpay", file)
	require.Equal(t, exitUsage, got.code, "there is no shop yet")
	require.Contains(t, got.errOut, "merchant put")
	require.Equal(t, exitDone, panshi(t, dir, "merchant", "put", "--slug", "shop", "--name", "x").code)
	got = panshi(t, dir, "account", "put", "wechatpay", file)
	require.Equal(t, outcome{0, "The account 1900000109 of shop is stored and on. 收款账户已保存。\n", ""}, got)
	first := accounts(t, dir)
	require.Len(t, first, 1)
	want := adminsock.Account{
		ID: first[0].ID, Merchant: "shop", Provider: "wechatpay", Method: "native", MchID: "1900000109",
		AppID: "wx0123456789abcdef", Name: "微信支付", NameEN: "WeChat Pay", On: true,
		Limits: adminsock.Limits{Weight: 1},
	}
	require.Equal(t, want, first[0])

	got = panshi(t, dir, "account", "set", want.ID, "--max-amount", "500", "--hours", "mon-fri 09:00-18:00", "--weight", "2")
	require.Equal(t, outcome{0, "The account 1900000109 is on; its rules are stored. 收款账户规则已保存。\n", ""}, got)
	want.Limits = adminsock.Limits{Weight: 2, MaxAmount: 500, Hours: "mon-fri 09:00-18:00"}
	require.Equal(t, want, accounts(t, dir)[0], "and replacing the account keeps them")
	got = panshi(t, dir, "account", "set", want.ID, "--hours", "always")
	require.Equal(t, exitUsage, got.code)
	require.Contains(t, got.errOut, "--hours")
	require.Equal(t, exitUsage, panshi(t, dir, "account", "set", want.ID).code)

	require.NoError(t, os.Chmod(file, 0o644))
	got = panshi(t, dir, "account", "put", "wechatpay", file, "--name", "微信", "--off", "--json")
	require.Equal(t, exitDone, got.code)
	require.Contains(t, got.errOut, `"level":"WARN"`, "others can read the file")
	requireNoSecrets(t, got, secrets)
	want.Name, want.On = "微信", false
	require.Equal(t, []adminsock.Account{want}, accounts(t, dir), "the same account was replaced")
	got = panshi(t, dir, "account", "list")
	require.Regexp(t, `^ID .*MCH_ID +STATE +MONEY\n`+want.ID+` +shop +wechatpay +native +1900000109 +off +real\n$`, got.out)
	got = panshi(t, dir, "account", "put", "wechatpay", file, "--merchant", "nobody")
	require.Equal(t, exitFailure, got.code)
	requireOneLine(t, got)
	require.Contains(t, got.errOut, "--merchant")
	requireNothingInClear(t, dir, secrets...)
}

// An application at Alipay is stored once a way to pay, in the platform's own
// spelling of keys; what is wrong in it is told at once, by field.
func TestAlipayPutAlone(t *testing.T) {
	dir, files := t.TempDir(), t.TempDir()
	require.Equal(t, exitDone, panshi(t, dir, "merchant", "put", "--slug", "shop", "--name", "x").code)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	require.NoError(t, err)
	private := base64.StdEncoding.EncodeToString(x509.MarshalPKCS1PrivateKey(key))
	raw, err := json.Marshal(map[string]string{
		"app_id": "2021000000000001", "seller_id": "2088000000000001", "app_key_pem": private,
		"alipay_public_key": base64.StdEncoding.EncodeToString(public),
	})
	require.NoError(t, err)
	file := writeFile(t, files, "alipay.json", string(raw))
	for _, args := range [][]string{{}, {"--method", "wap", "--name", "手机支付宝"}} {
		got := panshi(t, dir, append([]string{"account", "put", "alipay", file}, args...)...)
		require.Equal(t, outcome{0, "The account 2088000000000001 of shop is stored and on. 收款账户已保存。\n", ""}, got)
	}
	var told []string
	for _, a := range accounts(t, dir) {
		told = append(told, a.Provider+" "+a.Method+" "+a.MchID+" "+a.AppID+" "+a.Name+" "+a.NameEN)
	}
	require.ElementsMatch(t, []string{
		"alipay precreate 2088000000000001 2021000000000001 支付宝 Alipay",
		"alipay wap 2088000000000001 2021000000000001 手机支付宝 Alipay (phone browser)",
	}, told)

	got := panshi(t, dir, "account", "put", "alipay", file, "--method", "native")
	require.Equal(t, exitUsage, got.code, "%+v", got)
	require.Contains(t, got.errOut, "precreate")
	faulty := writeFile(t, files, "faulty.json", `{"app_id":"a b","app_key_pem":"`+private[:40]+`","app_cert":"x"}`)
	got = panshi(t, dir, "account", "put", "alipay", faulty)
	require.Equal(t, exitUsage, got.code, "%+v", got)
	for _, field := range []string{"app_id", "seller_id", "app_key_pem", "app_cert", "alipay_cert", "alipay_root_cert"} {
		require.Contains(t, got.errOut, field)
	}
	requireNoSecrets(t, got, []string{private[:40]})
	requireNothingInClear(t, dir, private[100:160])
}

// A shop is set up while it runs; its log and its files tell no secret.
func TestSetupThroughTheSocket(t *testing.T) {
	dir := t.TempDir()
	require.Equal(t, exitDone, panshi(t, dir, "merchant", "put", "--slug", "one", "--name", "一").code)
	file, secrets := accountFile(t, t.TempDir(), "1900000110")
	cmd := command(t, dir, "serve", "--http", "127.0.0.1:0", "--console", "127.0.0.1:0", "--json")
	var log bytes.Buffer
	cmd.Stderr = &log
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	_, err = out.Read(make([]byte, 4096))
	require.NoError(t, err)
	socket := filepath.Join(dir, "panshi-data", "admin.sock")
	require.Eventually(t, func() bool { _, err := os.Stat(socket); return err == nil }, 30*time.Second, time.Millisecond)

	got := panshi(t, dir, "merchant", "put", "--slug", "two", "--name", "二", "--notice", strings.Repeat("休", 333))
	require.Equal(t, exitDone, got.code, "%+v", got)
	put := command(t, dir, "account", "put", "wechatpay", "-", "--merchant", "two", "--json")
	put.Stdin, err = os.Open(file)
	require.NoError(t, err)
	told, err := put.CombinedOutput()
	require.NoError(t, err, "%s", told)
	requireNoSecrets(t, outcome{out: string(told)}, secrets)
	require.Equal(t, exitDone, panshi(t, dir, "setup-link", "--merchant", "two").code, "it is found at once")
	got = panshi(t, dir, "merchant", "put", "--slug", "two", "--currency", "USD")
	require.Equal(t, exitUsage, got.code, "%+v", got)
	require.Contains(t, got.errOut, "--currency")
	running := accounts(t, dir)
	require.Len(t, running, 1)
	require.Equal(t, "two", running[0].Merchant)
	require.Len(t, merchants(t, dir), 2)

	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	require.NoError(t, cmd.Wait())
	requireNoSecrets(t, outcome{errOut: log.String()}, secrets)
	require.Equal(t, running, accounts(t, dir), "a real account stays on sale without a simulator")
	require.Regexp(t, `: 0 violations\n$`, panshi(t, dir, "check").out)
	requireNothingInClear(t, dir, secrets...)
}
