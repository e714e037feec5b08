package notify

import (
	"bufio"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/i18n"
	"panshi/internal/id"
)

// Secrets of the tests' channels: none may show in an error or a log.
const (
	secretKey   = "planted-signing-key-7f3a"
	robotKey    = "planted-robot-key-0b9c4d5e"
	mailSecret  = "planted-mail-password"
	mailUser    = "sender@shop.example"
	mailKeeper  = "keeper@shop.example"
	refusedText = "planted refusal"
)

func secretFile(t testing.TB, content string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(file, []byte(content+"\n"), 0o600))
	return file
}

// testWays reach loopback by the private way only, and trust the test servers.
func testWays(roots *tls.Config) Ways {
	way := func(control bool) Way {
		dialer := &net.Dialer{Timeout: 3 * time.Second}
		if control {
			dialer.Control = PublicOnly
		}
		w := Way{Dial: dialer.DialContext, HTTP: &http.Client{
			Transport:     &http.Transport{DialContext: dialer.DialContext, TLSClientConfig: roots},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}}
		if roots != nil {
			w.Roots = roots.RootCAs
		}
		return w
	}
	return Ways{Public: way(true), Private: way(false)}
}

func testTexts(t testing.TB) *i18n.Catalogue {
	t.Helper()
	texts, err := i18n.Load()
	require.NoError(t, err)
	return texts
}

func noNames(id.ID) string { return "" }

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// mood is how a platform answers.
type mood string

const (
	willing mood = "willing" // takes messages
	refuses mood = "refuses" // says no in its own words
	broken  mood = "broken"  // HTTP 500, or SMTP 451
	strange mood = "strange" // answers what the platform would not
	moves   mood = "moves"   // redirects
)

// platform is the far side of one kind of channel, on loopback. It verifies
// what its kind verifies and keeps what it took.
type platform struct {
	t      testing.TB
	config ChannelConfig

	// Of a mail server: whether it wants TLS without STARTTLS.
	certificate   tls.Certificate
	fromFirstByte bool

	mu   sync.Mutex
	mood mood     // guarded by mu
	took []string // texts; guarded by mu
}

func (p *platform) set(m mood) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mood = m
}

func (p *platform) now() mood {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mood
}

func (p *platform) take(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.took = append(p.took, text)
}

func (p *platform) got() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.took...)
}

// newPlatform starts the far side of a kind.
func newPlatform(t testing.TB, kind string) *platform {
	t.Helper()
	p := &platform{t: t, mood: willing, config: ChannelConfig{Name: kind, Kind: kind, AllowPrivate: true}}
	if kind == KindMail {
		p.serveMail()
		return p
	}
	server := httptest.NewServer(http.HandlerFunc(p.answer))
	t.Cleanup(server.Close)
	switch kind {
	case KindWebhook:
		p.config.URL = server.URL + "/hook"
		p.config.SecretFile = secretFile(t, secretKey)
	case KindFeishu:
		p.config.URLFile = secretFile(t, server.URL+"/open-apis/bot/v2/hook/"+robotKey)
		p.config.SecretFile = secretFile(t, secretKey)
	case KindDingTalk:
		p.config.URLFile = secretFile(t, server.URL+"/robot/send?access_token="+robotKey)
		p.config.SecretFile = secretFile(t, secretKey)
	case KindWeCom:
		p.config.URLFile = secretFile(t, server.URL+"/cgi-bin/webhook/send?key="+robotKey)
	}
	return p
}

func (p *platform) answer(w http.ResponseWriter, r *http.Request) {
	switch p.now() {
	case broken:
		http.Error(w, refusedText, http.StatusInternalServerError)
		return
	case strange:
		fmt.Fprint(w, "<html>a portal wants you to sign in</html>")
		return
	case moves:
		http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusTemporaryRedirect)
		return
	case willing, refuses:
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	switch p.config.Kind {
	case KindWebhook:
		p.answerWebhook(w, r, body)
	case KindFeishu:
		p.answerFeishu(w, body)
	default:
		p.answerErrCode(w, r, body)
	}
}

// answerWebhook verifies as a receiver that reads our documentation.
func (p *platform) answerWebhook(w http.ResponseWriter, r *http.Request, body []byte) {
	mac := hmac.New(sha256.New, []byte(secretKey))
	fmt.Fprintf(mac, "%s.%s", r.Header.Get("Panshi-Timestamp"), body)
	stamp, err := strconv.ParseInt(r.Header.Get("Panshi-Timestamp"), 10, 64)
	old := err != nil || time.Since(time.Unix(stamp, 0)).Abs() > 5*time.Minute
	if r.Header.Get("Panshi-Signature") != fmt.Sprintf("v1=%x", mac.Sum(nil)) || old || p.now() == refuses {
		http.Error(w, refusedText+" "+secretKey, http.StatusForbidden)
		return
	}
	var m Message
	if json.Unmarshal(body, &m) != nil || m.ID != r.Header.Get("Panshi-Delivery") {
		http.Error(w, refusedText, http.StatusBadRequest)
		return
	}
	p.take(m.Title + "\n" + m.Text)
}

func macBase64(key, text string) string {
	mac := hmac.New(sha256.New, []byte(key))
	fmt.Fprint(mac, text)
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// answerFeishu says no with HTTP 200, as the platform does.
func (p *platform) answerFeishu(w http.ResponseWriter, body []byte) {
	var m struct {
		Timestamp string `json:"timestamp"`
		Sign      string `json:"sign"`
		MsgType   string `json:"msg_type"`
		Content   struct {
			Text string `json:"text"`
		} `json:"content"`
	}
	err := json.Unmarshal(body, &m)
	stamp, _ := strconv.ParseInt(m.Timestamp, 10, 64)
	switch {
	case err != nil || m.MsgType != "text" || m.Content.Text == "":
		fmt.Fprint(w, `{"code":9499,"msg":"Bad Request","data":{}}`)
	case m.Sign != macBase64(m.Timestamp+"\n"+secretKey, "") || time.Since(time.Unix(stamp, 0)).Abs() > time.Hour || p.now() == refuses:
		fmt.Fprint(w, `{"code":19021,"msg":"sign match fail or timestamp is not within one hour from current time: `+robotKey+`"}`)
	default:
		p.take(m.Content.Text)
		fmt.Fprint(w, `{"StatusCode":0,"StatusMessage":"success","code":0,"data":{},"msg":"success"}`)
	}
}

// answerErrCode is WeCom and DingTalk: a refusal is HTTP 200 too.
func (p *platform) answerErrCode(w http.ResponseWriter, r *http.Request, body []byte) {
	var m struct {
		MsgType string `json:"msgtype"`
		Text    struct {
			Content string `json:"content"`
		} `json:"text"`
	}
	q := r.URL.Query()
	switch {
	case json.Unmarshal(body, &m) != nil || m.MsgType != "text" || m.Text.Content == "" || len(m.Text.Content) > 2048:
		fmt.Fprint(w, `{"errcode":40035,"errmsg":"invalid json"}`)
	case q.Get("key")+q.Get("access_token") != robotKey:
		fmt.Fprint(w, `{"errcode":93000,"errmsg":"invalid webhook url"}`)
	case p.config.Kind == KindDingTalk && q.Get("sign") != macBase64(secretKey, q.Get("timestamp")+"\n"+secretKey):
		fmt.Fprint(w, `{"errcode":310000,"errmsg":"sign not match"}`)
	case p.now() == refuses:
		fmt.Fprint(w, `{"errcode":45009,"errmsg":"api freq out of limit, key=`+url.QueryEscape(robotKey)+`"}`)
	default:
		p.take(m.Text.Content)
		fmt.Fprint(w, `{"errcode":0,"errmsg":"ok"}`)
	}
}

// serveMail is an SMTP server with STARTTLS and sign-in, as far as one message
// goes (RFC 5321, 3207, 4954).
func (p *platform) serveMail() {
	helper := httptest.NewUnstartedServer(nil) // for its certificate
	helper.StartTLS()
	p.certificate = helper.TLS.Certificates[0]
	helper.Close()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(p.t, err)
	var sessions sync.WaitGroup
	sessions.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			sessions.Go(func() { p.session(conn) })
		}
	})
	p.t.Cleanup(func() { _ = ln.Close(); sessions.Wait() })
	address := ln.Addr().(*net.TCPAddr)
	p.config.Host, p.config.Port, p.config.Security = "127.0.0.1", address.Port, "starttls"
	p.config.Username, p.config.SecretFile = mailUser, secretFile(p.t, mailSecret)
	p.config.From, p.config.To = "磐石 <"+mailUser+">", []string{mailKeeper}
}

// mailRoots trusts the certificate of serveMail.
func mailRoots(t testing.TB) *tls.Config {
	t.Helper()
	helper := httptest.NewTLSServer(nil)
	defer helper.Close()
	return helper.Client().Transport.(*http.Transport).TLSClientConfig
}

type smtpSession struct {
	p      *platform
	conn   net.Conn
	r      *bufio.Reader
	secure bool
	signed bool
}

func (p *platform) session(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	s := &smtpSession{p: p, conn: conn, r: bufio.NewReader(conn)}
	if p.fromFirstByte {
		s.secureNow()
	}
	s.say("220 mail.example ESMTP")
	for {
		line, err := s.r.ReadString('\n')
		if err != nil {
			return
		}
		verb, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		if strings.EqualFold(verb, "STARTTLS") {
			s.say("220 go ahead")
			s.secureNow()
			continue
		}
		if !s.command(strings.ToUpper(verb), rest) {
			return
		}
	}
}

func (s *smtpSession) secureNow() {
	s.conn = tls.Server(s.conn, &tls.Config{Certificates: []tls.Certificate{s.p.certificate}, MinVersion: tls.VersionTLS12})
	s.r, s.secure = bufio.NewReader(s.conn), true
}

func (s *smtpSession) say(line string) { fmt.Fprint(s.conn, line+"\r\n") }

func (s *smtpSession) command(verb, rest string) bool {
	m := s.p.now()
	switch {
	case m == strange:
		s.say("garbage")
	case verb == "EHLO" && !s.secure:
		s.say("250-mail.example\r\n250 STARTTLS")
	case verb == "EHLO":
		s.say("250-mail.example\r\n250 AUTH PLAIN LOGIN")
	case verb == "AUTH":
		s.signed = s.secure && strings.HasSuffix(rest, base64.StdEncoding.EncodeToString([]byte("\x00"+mailUser+"\x00"+mailSecret)))
		if !s.signed || m == refuses {
			s.say("535 authentication failed for " + mailUser + " " + mailSecret)
			return true
		}
		s.say("235 welcome")
	case verb == "MAIL" && !s.signed:
		s.say("530 sign in first")
	case verb == "RCPT" && m == broken:
		s.say("451 <" + mailKeeper + "> try later")
	case verb == "DATA":
		s.say("354 go on")
		return s.data()
	case verb == "QUIT":
		s.say("221 bye")
		return false
	default:
		s.say("250 ok")
	}
	return true
}

func (s *smtpSession) data() bool {
	var text strings.Builder
	for {
		line, err := s.r.ReadString('\n')
		if err != nil {
			return false
		}
		if line == ".\r\n" {
			break
		}
		text.WriteString(line)
	}
	s.p.take(text.String())
	s.say("250 queued")
	return true
}

// closedPort is an address where nobody listens.
func closedPort(t testing.TB) string {
	t.Helper()
	ln, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, ln.Close())
	return ln.Addr().String()
}
