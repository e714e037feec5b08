package notify

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	netmail "net/mail"
	"strings"

	"github.com/wneessen/go-mail"

	"panshi/internal/clock"
)

// mailbox sends messages by SMTP.
type mailbox struct {
	cfg   ChannelConfig
	way   Way
	clock clock.Clock
}

// Send implements Channel. The Message-ID is made of the message's id, so that
// mailboxes know a repeat.
func (b mailbox) Send(ctx context.Context, m Message) error {
	letter, err := b.letter(m)
	if err != nil {
		return err
	}
	line := &line{box: b}
	defer line.hangUp()
	client, err := b.client(line.dial)
	if err != nil {
		return err
	}
	if err := client.DialAndSendWithContext(ctx, letter); err != nil {
		return b.verdict(err)
	}
	return nil
}

func (b mailbox) letter(m Message) (*mail.Msg, error) {
	letter := mail.NewMsg()
	if err := errors.Join(letter.From(b.cfg.From), letter.To(b.cfg.To...)); err != nil {
		return nil, refused("an address in from or to")
	}
	from, err := netmail.ParseAddress(b.cfg.From)
	if err != nil {
		return nil, refused("the address in from")
	}
	_, domain, _ := strings.Cut(from.Address, "@")
	letter.Subject(clean(m.Title, 200))
	letter.SetMessageIDWithValue(m.ID + "@" + domain)
	letter.SetDateWithValue(b.clock.Now())
	letter.SetGenHeader("Auto-Submitted", "auto-generated")
	letter.SetGenHeader("Panshi-Delivery", m.ID)
	letter.SetBodyString(mail.TypeTextPlain, m.Text+"\n")
	return letter, nil
}

func (b mailbox) client(dial mail.DialContextFunc) (*mail.Client, error) {
	options := []mail.Option{
		mail.WithPort(b.cfg.Port), mail.WithTimeout(sendTime), mail.WithDialContextFunc(dial), mail.WithHELO("localhost"),
	}
	switch b.cfg.Security {
	case "tls":
		options = append(options, mail.WithSSL())
	case "starttls":
		options = append(options, mail.WithTLSPolicy(mail.TLSMandatory), mail.WithTLSConfig(b.way.tls(b.cfg.Host)))
	default:
		options = append(options, mail.WithTLSPolicy(mail.NoTLS))
	}
	if b.cfg.Username != "" {
		password, err := b.cfg.secret()
		if err != nil {
			return nil, err
		}
		options = append(options, mail.WithUsername(b.cfg.Username), mail.WithPassword(password),
			mail.WithOpportunisticSMTPAuth(mail.SMTPAuthPlain, mail.SMTPAuthLogin))
	}
	host := b.cfg.Host
	if strings.Contains(host, ":") {
		host = "[" + host + "]" // the library puts a port behind it as it is
	}
	client, err := mail.NewClient(host, options...)
	if err != nil {
		return nil, refused("the settings of the mail server")
	}
	return client, nil
}

// line is the connection of one message. The library leaves it open when the
// greeting or the sign-in fails.
type line struct {
	box  mailbox
	conn net.Conn // nil until it is dialled
}

// dial connects by the channel's way. Mail servers that want TLS from the first
// byte get it here, because the library leaves it to who dials.
func (l *line) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := l.box.way.Dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	l.conn = conn
	if l.box.cfg.Security != "tls" {
		return conn, nil
	}
	secure := tls.Client(conn, l.box.way.tls(l.box.cfg.Host))
	return secure, secure.HandshakeContext(ctx)
}

func (l *line) hangUp() {
	if l.conn != nil {
		_ = l.conn.Close() // it may be closed already
	}
}

// tls trusts whom the requests of the way trust.
func (w Way) tls(host string) *tls.Config {
	return &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12, RootCAs: w.Roots}
}

// verdict keeps of an error what names no recipient: a server quotes them.
func (b mailbox) verdict(err error) error {
	if said, ok := errors.AsType[*mail.SendError](err); ok {
		return refused(fmt.Sprintf("SMTP %d", said.ErrorCode()))
	}
	var network net.Error
	var unknown *tls.CertificateVerificationError
	if errors.As(err, &network) || errors.As(err, &unknown) || errors.Is(err, errPrivate) {
		return unreached(withoutAddress(err))
	}
	return refused(b.hidden(err))
}

// hidden is what a server said while it was greeted or signed in to.
func (b mailbox) hidden(err error) string {
	text := err.Error()
	password, fault := b.cfg.secret()
	if fault != nil {
		password = ""
	}
	for _, s := range append([]string{password, b.cfg.Username, b.cfg.From}, b.cfg.To...) {
		if s != "" {
			text = strings.ReplaceAll(text, s, "(hidden)")
		}
	}
	return clean(text, 200)
}
