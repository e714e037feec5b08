package wechatpay_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log/slog"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"panshi/internal/clock"
	"panshi/internal/errs"
	"panshi/internal/wechatpay"
)

func TestConfigGood(t *testing.T) {
	require.NoError(t, config().Validate())
	pkcs1 := config()
	pkcs1.MerchantKeyPEM = string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(keys().merchant)}))
	pkcs1.PlatformKeys = map[string]string{pubSerial: string(pem.EncodeToMemory(
		&pem.Block{Type: "RSA PUBLIC KEY", Bytes: x509.MarshalPKCS1PublicKey(&keys().public.PublicKey)}))}
	require.NoError(t, pkcs1.Validate())
}

func curvePEM(t *testing.T) string {
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(curve)
	require.NoError(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func TestConfigRefused(t *testing.T) {
	small := newKey(1024)
	ecPEM := curvePEM(t)
	for name, c := range map[string]struct {
		spoil func(*wechatpay.Config)
		field string
	}{
		"no address":          {func(c *wechatpay.Config) { c.BaseURL = "" }, "base_url"},
		"relative address":    {func(c *wechatpay.Config) { c.BaseURL = "/v3" }, "base_url"},
		"other scheme":        {func(c *wechatpay.Config) { c.BaseURL = "ftp://example.com" }, "base_url"},
		"password in address": {func(c *wechatpay.Config) { c.BaseURL = "https://a:b@example.com" }, "base_url"},
		"query in address":    {func(c *wechatpay.Config) { c.BaseURL = "https://example.com?x=1" }, "base_url"},
		"platform in clear":   {func(c *wechatpay.Config) { c.BaseURL = "http://api.mch.weixin.qq.com" }, "base_url"},
		"no mchid":            {func(c *wechatpay.Config) { c.MchID = "" }, "mch_id"},
		"quote in mchid":      {func(c *wechatpay.Config) { c.MchID = `1"2` }, "mch_id"},
		"no appid":            {func(c *wechatpay.Config) { c.AppID = "" }, "app_id"},
		"line in serial":      {func(c *wechatpay.Config) { c.MerchantSerial = "A\nB" }, "merchant_serial"},
		"no key":              {func(c *wechatpay.Config) { c.MerchantKeyPEM = "" }, "merchant_key_pem"},
		"public as private":   {func(c *wechatpay.Config) { c.MerchantKeyPEM = publicPEM(keys().public) }, "merchant_key_pem"},
		"key twice":           {func(c *wechatpay.Config) { c.MerchantKeyPEM += c.MerchantKeyPEM }, "merchant_key_pem"},
		"RSA-1024":            {func(c *wechatpay.Config) { c.MerchantKeyPEM = privatePEM(small) }, "merchant_key_pem"},
		"not RSA":             {func(c *wechatpay.Config) { c.MerchantKeyPEM = ecPEM }, "merchant_key_pem"},
		"API v3 key of 16":    {func(c *wechatpay.Config) { c.APIv3Key = apiKey[:16] }, "apiv3_key"},
		"API v3 key of 33":    {func(c *wechatpay.Config) { c.APIv3Key += "x" }, "apiv3_key"},
		"no platform keys":    {func(c *wechatpay.Config) { c.PlatformKeys = nil }, "platform_keys"},
		"platform RSA-1024":   {func(c *wechatpay.Config) { c.PlatformKeys[pubSerial] = publicPEM(small) }, "platform_keys"},
		"private as platform": {func(c *wechatpay.Config) { c.PlatformKeys[pubSerial] = c.MerchantKeyPEM }, "platform_keys"},
		"cert as public key":  {func(c *wechatpay.Config) { c.PlatformKeys[pubSerial] = keys().certPEM }, "platform_keys"},
		"cert of other":       {func(c *wechatpay.Config) { c.PlatformKeys["ABC"] = keys().certPEM }, "platform_keys"},
		"blank serial":        {func(c *wechatpay.Config) { c.PlatformKeys[" "] = keys().certPEM }, "platform_keys"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := config()
			c.spoil(&cfg)
			_, err := wechatpay.New(cfg, &http.Client{}, clock.System{})
			var e *errs.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, c.field, e.Field)
			require.Equal(t, errs.Invalid, e.Kind)
			wantNoSecret(t, err, cfg.APIv3Key, "a:b@")
		})
	}
}

func TestConfigReportsAllAtOnce(t *testing.T) {
	err := wechatpay.Config{}.Validate()
	for _, field := range []string{"base_url", "mch_id", "app_id", "merchant_serial", "merchant_key_pem", "apiv3_key", "platform_keys"} {
		require.ErrorContains(t, err, "("+field+")")
	}
}

func TestNewNeedsItsArguments(t *testing.T) {
	_, err := wechatpay.New(config(), nil, clock.System{})
	require.Error(t, err)
	_, err = wechatpay.New(config(), &http.Client{}, nil)
	require.Error(t, err)
}

func TestConfigJSON(t *testing.T) {
	b, err := json.Marshal(config())
	require.NoError(t, err)
	var back wechatpay.Config
	require.NoError(t, json.Unmarshal(b, &back))
	require.Equal(t, config(), back)
	require.NoError(t, back.Validate())
	for _, bad := range []string{`{"apiv3_key":123456789012345}`, `{"secret_thing":1}`, `[]`} {
		err := json.Unmarshal([]byte(bad), &back)
		require.Equal(t, "wechatpay_config_invalid", errs.CodeOf(err))
		require.NotContains(t, err.Error(), "123456789012345")
		require.NotContains(t, err.Error(), "secret_thing")
	}
}

func TestNothingPrintsSecrets(t *testing.T) {
	cfg := config()
	a := account(t, cfg, &http.Client{}, now)
	const want = "[wechatpay account 1900000109]"
	for _, v := range []any{cfg, &cfg, a} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
			require.Equal(t, want, fmt.Sprintf(verb, v), verb)
		}
		var buf bytes.Buffer
		slog.New(slog.NewJSONHandler(&buf, nil)).Info("x", "account", v)
		require.Contains(t, buf.String(), `"account":"`+want+`"`)
	}
	nested := fmt.Sprintf("%+v", struct{ Cfg wechatpay.Config }{cfg})
	require.NotContains(t, nested, apiKey)
}
