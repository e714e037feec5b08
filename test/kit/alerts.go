package kit

import (
	"bufio"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/mail"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// webhookKey is what receivers verify messages by.
const webhookKey = "a-key-of-the-receiver"

// Notice is a message of a webhook.
type Notice struct {
	ID       string `json:"id"`
	AlertID  string `json:"alert_id"`
	Event    string `json:"event"`
	Code     string `json:"code"`
	Severity string `json:"severity"`
	Count    int64  `json:"count"`
	Title    string `json:"title"`
	Text     string `json:"text"`
}

// door is what a receiver of either kind has: it takes messages or does not.
type door struct {
	mu   sync.Mutex
	shut bool // guarded by mu
}

// Shut makes the receiver refuse messages, or take them again.
func (d *door) Shut(shut bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.shut = shut
}

func (d *door) isShut() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.shut
}

// Receiver is somebody's server that a webhook posts to. It verifies signature
// and time of every message.
type Receiver struct {
	door
	url string

	mu      sync.Mutex
	notices []Notice // guarded by mu
}

// NewReceiver starts a receiver for the length of a test.
func NewReceiver(t testing.TB) *Receiver {
	t.Helper()
	r := &Receiver{}
	server := httptest.NewServer(http.HandlerFunc(r.answer))
	t.Cleanup(server.Close)
	r.url = server.URL
	return r
}

func (r *Receiver) answer(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	stamp := req.Header.Get("Panshi-Timestamp")
	sent, err2 := strconv.ParseInt(stamp, 10, 64)
	mac := hmac.New(sha256.New, []byte(webhookKey))
	fmt.Fprintf(mac, "%s.%s", stamp, body)
	var n Notice
	switch {
	case r.isShut():
		http.Error(w, "closed", http.StatusServiceUnavailable)
	case err != nil || err2 != nil || time.Since(time.Unix(sent, 0)).Abs() > time.Minute,
		req.Header.Get("Panshi-Signature") != fmt.Sprintf("v1=%x", mac.Sum(nil)), json.Unmarshal(body, &n) != nil:
		http.Error(w, "not from a shop of ours", http.StatusForbidden)
	default:
		r.mu.Lock()
		defer r.mu.Unlock()
		r.notices = append(r.notices, n)
	}
}

// Notices are what it took so far.
func (r *Receiver) Notices() []Notice {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Notice(nil), r.notices...)
}

// Channel is its entry of notify.channels; the key goes into dir.
func (r *Receiver) Channel(t testing.TB, dir, name string) map[string]any {
	t.Helper()
	key := filepath.Join(dir, name+".key")
	require.NoError(t, os.WriteFile(key, []byte(webhookKey), 0o600))
	return map[string]any{"name": name, "kind": "webhook", "url": r.url, "secret_file": key, "allow_private": true}
}

// Mailbox is a mail server with one mailbox (RFC 5321, as far as a message
// goes).
type Mailbox struct {
	door
	port int

	mu      sync.Mutex
	letters []*mail.Message // guarded by mu
}

// NewMailbox starts a mail server for the length of a test.
func NewMailbox(t testing.TB) *Mailbox {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	b := &Mailbox{port: ln.Addr().(*net.TCPAddr).Port}
	var sessions sync.WaitGroup
	sessions.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			sessions.Go(func() { b.session(conn) })
		}
	})
	t.Cleanup(func() {
		_ = ln.Close()
		sessions.Wait()
	})
	return b
}

func (b *Mailbox) session(conn net.Conn) {
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	say := func(line string) { fmt.Fprint(conn, line+"\r\n") }
	if b.isShut() {
		say("421 closed")
		return
	}
	say("220 mail.example")
	for r := bufio.NewReader(conn); ; {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		switch verb := strings.ToUpper(strings.TrimSpace(line)); {
		case strings.HasPrefix(verb, "QUIT"):
			say("221 bye")
			return
		case verb == "DATA":
			say("354 go on")
			if !b.take(r) {
				return
			}
			say("250 queued")
		default:
			say("250 ok")
		}
	}
}

// take reads a letter up to the line with a dot.
func (b *Mailbox) take(r *bufio.Reader) bool {
	var text strings.Builder
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return false
		}
		if line == ".\r\n" {
			break
		}
		text.WriteString(line)
	}
	letter, err := mail.ReadMessage(strings.NewReader(text.String()))
	if err != nil {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.letters = append(b.letters, letter)
	return true
}

// Letters are what arrived so far. A body can be read once.
func (b *Mailbox) Letters() []*mail.Message {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]*mail.Message(nil), b.letters...)
}

// Channel is its entry of notify.channels.
func (b *Mailbox) Channel(name string) map[string]any {
	return map[string]any{
		"name": name, "kind": "mail", "lang": "en", "host": "127.0.0.1", "port": b.port, "security": "none", "allow_private": true,
		"from": "shop@shop.example", "to": []string{"keeper@shop.example"},
	}
}

// AlertConfig writes a configuration file whose alerts go to channels, with
// short pauses. Give it to Shop.Config.
func AlertConfig(t testing.TB, dir string, channels ...map[string]any) string {
	t.Helper()
	raw, err := json.Marshal(map[string]any{"notify": map[string]any{ // JSON is YAML
		"channels": channels, "attempts": 2, "retry": "100ms", "window": "1s",
	}})
	require.NoError(t, err)
	file := filepath.Join(dir, "panshi.yaml")
	require.NoError(t, os.WriteFile(file, raw, 0o600))
	return file
}
