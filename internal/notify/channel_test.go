package notify

import (
	"context"
	"io"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/clock"
	"panshi/internal/errs"
)

func message() Message {
	return Message{
		ID: "0198f3a0-0000-7000-8000-000000000001", AlertID: "0198f3a0-0000-7000-8000-000000000002", Event: "opened", Code: "test",
		Severity: Critical, Count: 1, Title: "[磐石] 严重·新告警：有款项待人工处理", Text: "收到 12.34 CNY\n第二行", At: time.Now(),
	}
}

func channelTo(t *testing.T, p *platform, change func(*ChannelConfig)) Channel {
	t.Helper()
	c := p.config
	if change != nil {
		change(&c)
	}
	require.NoError(t, Config{
		Channels: []ChannelConfig{c}, Window: time.Minute, Remind: time.Hour, EscalateAfter: time.Minute, Attempts: 1, SwitchAfter: time.Minute,
		Retry: time.Second, Keep: 24 * time.Hour,
	}.Validate())
	return newChannel(c, testWays(mailRoots(t)), clock.System{})
}

// readable is the text of a message as its reader sees it.
func readable(t *testing.T, kind, raw string) string {
	t.Helper()
	if kind != KindMail {
		return raw
	}
	m, err := mail.ReadMessage(strings.NewReader(raw))
	require.NoError(t, err)
	require.Equal(t, "<"+message().ID+"@shop.example>", m.Header.Get("Message-Id"), "a mailbox knows a repeat")
	require.Contains(t, m.Header.Get("To"), mailKeeper)
	subject, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	require.NoError(t, err)
	body, err := io.ReadAll(quotedprintable.NewReader(m.Body))
	require.NoError(t, err)
	return subject + "\n" + strings.ReplaceAll(string(body), "\r\n", "\n")
}

// TestChannels is what every kind of channel must do, against a server that
// speaks as its platform does.
func TestChannels(t *testing.T) {
	t.Parallel()
	for _, kind := range kinds() {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			p := newPlatform(t, kind)
			ch := channelTo(t, p, nil)
			require.NoError(t, ch.Send(t.Context(), message()))
			require.Len(t, p.got(), 1)
			require.Equal(t, message().Title+"\n"+message().Text, strings.TrimSpace(readable(t, kind, p.got()[0])))
			for m, code := range map[mood]string{refuses: "channel_refused", broken: "channel_refused", strange: "channel_refused", moves: "channel_refused"} {
				if kind == KindMail && m == moves || kind == KindWebhook && m == strange {
					continue // no such thing there: any 2xx is a webhook's yes
				}
				p.set(m)
				err := ch.Send(t.Context(), message())
				require.Equal(t, code, errs.CodeOf(err), "%s: %v", m, err)
				requireNoSecret(t, err)
			}
			p.set(willing)
			require.Len(t, p.got(), 1, "what was refused did not arrive")
			require.NoError(t, ch.Send(t.Context(), message()), "and it works again")
		})
	}
}

func requireNoSecret(t *testing.T, err error) {
	t.Helper()
	for _, secret := range []string{secretKey, robotKey, mailSecret, mailUser, mailKeeper} {
		require.NotContains(t, err.Error(), secret)
	}
}

// TestWrongSecretsAreRefused proves that the platforms of these tests verify.
func TestWrongSecretsAreRefused(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{KindMail, KindWebhook, KindFeishu, KindDingTalk} {
		p := newPlatform(t, kind)
		ch := channelTo(t, p, func(c *ChannelConfig) { c.SecretFile = secretFile(t, "another") })
		err := ch.Send(t.Context(), message())
		require.Equal(t, "channel_refused", errs.CodeOf(err), "%s: %v", kind, err)
		require.Empty(t, p.got())
	}
}

// TestMailServersAreVerified: TLS from the first byte works too, and a
// certificate that nobody vouches for ends it before anything is told.
func TestMailServersAreVerified(t *testing.T) {
	t.Parallel()
	for _, security := range []string{"starttls", "tls"} {
		p := newPlatform(t, KindMail)
		p.fromFirstByte = security == "tls"
		p.config.Security = security
		require.NoError(t, channelTo(t, p, nil).Send(t.Context(), message()), security)
		require.Len(t, p.got(), 1)
		err := newChannel(p.config, testWays(nil), clock.System{}).Send(t.Context(), message())
		require.Equal(t, "channel_unreachable", errs.CodeOf(err), "%v", err)
		require.ErrorContains(t, err, "certificate")
		require.Len(t, p.got(), 1)
	}
}

// TestSecretFiles: a file that others can read, or that is not there, is told
// by name; a new secret works without a restart.
func TestSecretFiles(t *testing.T) {
	t.Parallel()
	p := newPlatform(t, KindDingTalk)
	ch := channelTo(t, p, func(c *ChannelConfig) { c.SecretFile = "/nonexistent/secret" })
	err := ch.Send(t.Context(), message())
	require.Equal(t, "channel_secret", errs.CodeOf(err))
	require.ErrorContains(t, err, "/nonexistent/secret")
}

// TestPrivateTargetsAreRefused: without allow_private no channel reaches this
// machine, by whatever name it goes.
func TestPrivateTargetsAreRefused(t *testing.T) {
	t.Parallel()
	for _, kind := range kinds() {
		for _, host := range []string{"127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "169.254.169.254", "10.1.2.3"} {
			p := newPlatform(t, kind)
			p.config.AllowPrivate = false
			if kind == KindMail {
				p.config.Host = strings.Trim(host, "[]")
			} else {
				p.config.URL, p.config.URLFile = "", secretFile(t, "https://"+net.JoinHostPort(strings.Trim(host, "[]"), "1")+"/x")
			}
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			err := newChannel(p.config, testWays(nil), clock.System{}).Send(ctx, message())
			cancel()
			require.Equal(t, "channel_unreachable", errs.CodeOf(err), "%s %s: %v", kind, host, err)
			require.ErrorContains(t, err, "not public", "%s %s", kind, host)
			require.Empty(t, p.got())
		}
	}
}

func TestPublicOnly(t *testing.T) {
	t.Parallel()
	for _, inside := range []string{
		"127.0.0.1", "127.255.255.254", "0.0.0.0", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254",
		"100.64.0.1", "100.100.100.200", "198.18.0.1", "224.0.0.1", "255.255.255.255", "192.0.0.170",
		"::1", "::", "fe80::1%eth0", "fc00::1", "fd12::1", "ff02::1", "::ffff:10.0.0.1", "::ffff:100.64.0.1", "::ffff:198.18.0.1", "64:ff9b::a00:1", "2002:a00:1::", "2001:0:a00:1::",
	} {
		require.ErrorIs(t, PublicOnly("tcp", net.JoinHostPort(inside, "443"), nil), errPrivate, inside)
	}
	for _, outside := range []string{"8.8.8.8", "114.114.114.114", "172.32.0.1", "100.128.0.1", "2400:3200::1", "::ffff:8.8.8.8"} {
		require.NoError(t, PublicOnly("tcp", net.JoinHostPort(outside, "443"), nil), outside)
	}
}

// TestNobodyThere: a closed port and a time that ends are told as such, and
// without the address, which holds a key.
func TestNobodyThere(t *testing.T) {
	t.Parallel()
	closed := closedPort(t)
	for _, kind := range kinds() {
		p := newPlatform(t, kind)
		if kind == KindMail {
			_, port, _ := net.SplitHostPort(closed)
			p.config.Port, _ = strconv.Atoi(port)
		} else {
			p.config.URL, p.config.URLFile = "", secretFile(t, "http://"+closed+"/"+robotKey+"?key="+robotKey)
		}
		err := newChannel(p.config, testWays(nil), clock.System{}).Send(t.Context(), message())
		require.Equal(t, "channel_unreachable", errs.CodeOf(err), "%s: %v", kind, err)
		requireNoSecret(t, err)
	}
}
