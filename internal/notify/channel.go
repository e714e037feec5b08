package notify

import (
	"context"
	"net/url"
	"strings"
	"time"

	"panshi/internal/clock"
	"panshi/internal/errs"
)

// Channel is a way to people. Send returns nil when the other side said that
// it took the message, which is the end of what can be known; after an error
// the message may have arrived all the same. Who sends it again sends the same
// ID. It ends within the time of ctx and is safe for concurrent use.
//
// No error quotes a secret of the channel.
type Channel interface {
	Send(ctx context.Context, m Message) error
}

// Message is what a channel brings, in its language.
type Message struct {
	ID         string            `json:"id"` // the same when it is sent again
	AlertID    string            `json:"alert_id"`
	Event      string            `json:"event"` // opened, again, reminder, escalated, resolved, test
	Code       string            `json:"code"`
	Severity   Severity          `json:"severity"`
	MerchantID string            `json:"merchant_id,omitempty"`
	Subject    string            `json:"subject,omitempty"`
	Count      int64             `json:"count"`
	Args       map[string]string `json:"args,omitempty"`
	Title      string            `json:"title"` // one line
	Text       string            `json:"text"`  // some lines
	At         time.Time         `json:"at"`    // when it last happened
}

// sendTime bounds one attempt at a channel.
const sendTime = 10 * time.Second

// unreached says that nobody answered, refused that somebody said no. Causes
// must not quote what was sent.
func unreached(cause error) error {
	return errs.Wrap(cause, errs.Unavailable, "channel_unreachable", "the channel could not be reached")
}

func refused(why string) error {
	return errs.New(errs.Unavailable, "channel_refused", "the channel refused the message: "+why).With("reason", why)
}

// newChannel makes the channel that c describes.
func newChannel(c ChannelConfig, ways Ways, ck clock.Clock) Channel {
	way := ways.Public
	if c.AllowPrivate {
		way = ways.Private
	}
	switch c.Kind {
	case KindMail:
		return mailbox{c, way, ck}
	case KindWeCom:
		return robot{c, way, ck, weCom{}}
	case KindFeishu:
		return robot{c, way, ck, feishu{}}
	case KindDingTalk:
		return robot{c, way, ck, dingTalk{}}
	}
	return webhook{c, way, ck}
}

// hide takes out of an answer what the request held in secret, in case that
// the other side quoted it.
func hide(text string, u *url.URL, secret string) string {
	secrets := []string{u.String(), u.RequestURI(), secret}
	for _, values := range u.Query() {
		secrets = append(secrets, values...)
	}
	for _, s := range secrets {
		if len(s) > 3 {
			text = strings.ReplaceAll(text, s, "(hidden)")
		}
	}
	if hook := u.Path[strings.LastIndexByte(u.Path, '/')+1:]; len(hook) >= 16 {
		text = strings.ReplaceAll(text, hook, "(hidden)")
	}
	return clean(text, 200)
}
