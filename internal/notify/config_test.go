package notify

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/errs"
)

// goodChannels is one of each kind.
func goodChannels() map[string]ChannelConfig {
	return map[string]ChannelConfig{
		KindMail: {
			Name: "mail", Kind: KindMail, Host: "smtp.exmail.qq.com", Port: 465, Security: "tls", Username: "shop@shop.example",
			SecretFile: "/etc/panshi/mail", From: "磐石 <shop@shop.example>", To: []string{"keeper@shop.example"},
		},
		KindWebhook:  {Name: "hook", Kind: KindWebhook, URL: "https://alerts.shop.example/panshi", SecretFile: "/etc/panshi/hook"},
		KindWeCom:    {Name: "wecom", Kind: KindWeCom, URLFile: "/etc/panshi/wecom"},
		KindFeishu:   {Name: "feishu", Kind: KindFeishu, URLFile: "/etc/panshi/feishu", SecretFile: "/etc/panshi/feishu.sign"},
		KindDingTalk: {Name: "dingtalk", Kind: KindDingTalk, URLFile: "/etc/panshi/dingtalk", Lang: "en"},
	}
}

// fieldsOf lists the fields that an error names.
func fieldsOf(err error) (fields []string) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, sub := range joined.Unwrap() {
			fields = append(fields, fieldsOf(sub)...)
		}
		return fields
	}
	if e, ok := errors.AsType[*errs.Error](err); ok {
		fields = append(fields, e.Field)
	}
	return fields
}

// TestValidateNamesTheField: each mistake is told at the field to mend, all of
// them at once.
func TestValidateNamesTheField(t *testing.T) {
	t.Parallel()
	c := Defaults()
	for _, kind := range kinds() {
		c.Channels = append(c.Channels, goodChannels()[kind])
	}
	require.NoError(t, c.Validate())
	for _, row := range []struct {
		kind   string
		change func(*ChannelConfig)
		field  string
	}{
		{KindMail, func(c *ChannelConfig) { c.Name = "Mail" }, "name"},
		{KindMail, func(c *ChannelConfig) { c.Kind = "sms" }, "kind"},
		{KindMail, func(c *ChannelConfig) { c.Lang = "fr" }, "lang"},
		{KindMail, func(c *ChannelConfig) { c.Host = "smtp.example:25" }, "host"},
		{KindMail, func(c *ChannelConfig) { c.Port = 0 }, "port"},
		{KindMail, func(c *ChannelConfig) { c.Security = "ssl" }, "security"},
		{KindMail, func(c *ChannelConfig) { c.Security = "none" }, "security"},
		{KindMail, func(c *ChannelConfig) { c.Security, c.AllowPrivate = "none", true }, "security"},
		{KindMail, func(c *ChannelConfig) { c.Username = "" }, "secret_file"},
		{KindMail, func(c *ChannelConfig) { c.From = "shop" }, "from"},
		{KindMail, func(c *ChannelConfig) { c.To = nil }, "to"},
		{KindMail, func(c *ChannelConfig) { c.To = []string{"a@b.example", "x\r\nBcc: y@z.example"} }, "to"},
		{KindMail, func(c *ChannelConfig) { c.URL = "https://x.example" }, "url"},
		{KindWebhook, func(c *ChannelConfig) { c.URL = "http://alerts.shop.example" }, "url"},
		{KindWebhook, func(c *ChannelConfig) { c.URL = "https://user:pass@alerts.shop.example" }, "url"},
		{KindWebhook, func(c *ChannelConfig) { c.URL = "file:///etc/passwd" }, "url"},
		{KindWebhook, func(c *ChannelConfig) { c.URLFile = "/x" }, "url"},
		{KindWebhook, func(c *ChannelConfig) { c.SecretFile = "" }, "secret_file"},
		{KindWebhook, func(c *ChannelConfig) { c.Host = "x" }, "host"},
		{KindWeCom, func(c *ChannelConfig) { c.URLFile, c.URL = "", "https://qyapi.weixin.qq.com/x?key=y" }, "url_file"},
		{KindWeCom, func(c *ChannelConfig) { c.SecretFile = "/x" }, "secret_file"},
		{KindFeishu, func(c *ChannelConfig) { c.URLFile = "" }, "url_file"},
	} {
		ch := goodChannels()[row.kind]
		row.change(&ch)
		one := Defaults()
		one.Channels = []ChannelConfig{ch}
		err := one.Validate()
		require.Equal(t, []string{"notify.channels[0]." + row.field}, fieldsOf(err), "%v", err)
		require.NotContains(t, err.Error(), "pass@", "no secret in an error")
	}
	twice := Defaults()
	twice.Channels = []ChannelConfig{goodChannels()[KindMail], goodChannels()[KindMail]}
	twice.Attempts, twice.Window = 0, 48*time.Hour
	require.ElementsMatch(t, []string{"notify.channels[1].name", "notify.attempts", "notify.window"}, fieldsOf(twice.Validate()))
}

// TestFilesOfSecrets: they are the owner's alone, short and not empty.
func TestFilesOfSecrets(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name, content string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		require.NoError(t, os.Chmod(path, mode))
		return path
	}
	require.NoError(t, ChannelConfig{SecretFile: file("good", "secret\n", 0o600)}.CheckFiles())
	for _, path := range []string{
		file("open", "secret", 0o640), file("empty", " \n", 0o600), file("long", string(make([]byte, 5000)), 0o600), dir, filepath.Join(dir, "none"),
	} {
		err := ChannelConfig{URLFile: path}.CheckFiles()
		require.Equal(t, "channel_secret", errs.CodeOf(err))
		require.ErrorContains(t, err, path)
	}
}
