package notify

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"panshi/internal/clock"
)

// robot is a group chat's robot, which is posted to.
type robot struct {
	cfg     ChannelConfig
	way     Way
	clock   clock.Clock
	dialect dialect
}

// dialect is how a chat platform's robots are spoken to.
type dialect interface {
	// request makes the body, and signs with secret if there is one.
	request(u *url.URL, text, secret string, now time.Time) (to *url.URL, body any)
	// verdict reads the answer: code 0 is a yes. A platform says no in an
	// answer of HTTP 200 too.
	verdict(answer []byte) (code *int64, said string)
}

// robotText is the most that a message may be, in bytes: WeCom's limit, which
// is the lowest.
const robotText = 2000

// Send implements Channel.
func (r robot) Send(ctx context.Context, m Message) error {
	u, err := r.cfg.address()
	if err != nil {
		return err
	}
	secret, err := r.cfg.secret()
	if err != nil {
		return err
	}
	to, request := r.dialect.request(u, cut(m.Title+"\n"+m.Text, robotText), secret, r.clock.Now())
	body, err := json.Marshal(request)
	if err != nil {
		return err
	}
	status, answer, err := post(ctx, r.way, to, nil, body)
	if err != nil {
		return err
	}
	code, said := r.dialect.verdict(answer)
	said = hide(said, to, secret)
	if code != nil && *code != 0 {
		return refused(fmt.Sprintf("error %d %s", *code, said))
	}
	if err := wantOK(status, said); err != nil {
		return err
	}
	if code == nil {
		return refused("an answer that is not the platform's")
	}
	return nil
}

func hmacBase64(key, text string) string {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(text))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

type textContent struct {
	Content string `json:"content"`
}

type textMessage struct {
	MsgType string      `json:"msgtype"`
	Text    textContent `json:"text"`
}

// errCode is how WeCom and DingTalk answer.
func errCode(answer []byte) (code *int64, said string) {
	var a struct {
		Code *int64 `json:"errcode"`
		Msg  string `json:"errmsg"`
	}
	if json.Unmarshal(answer, &a) != nil {
		return nil, ""
	}
	return a.Code, a.Msg
}

// weCom is WeCom's (企业微信) group robot. Its key is in the address; it has no
// signature.
type weCom struct{}

func (weCom) request(u *url.URL, text, _ string, _ time.Time) (*url.URL, any) {
	return u, textMessage{"text", textContent{text}}
}

func (weCom) verdict(answer []byte) (*int64, string) { return errCode(answer) }

// dingTalk is DingTalk's (钉钉) custom robot. The signature goes into the query.
type dingTalk struct{}

func (dingTalk) request(u *url.URL, text, secret string, now time.Time) (*url.URL, any) {
	if secret != "" {
		timestamp := strconv.FormatInt(now.UnixMilli(), 10)
		signed := *u
		q := signed.Query()
		q.Set("timestamp", timestamp)
		q.Set("sign", hmacBase64(secret, timestamp+"\n"+secret))
		signed.RawQuery = q.Encode()
		u = &signed
	}
	return u, textMessage{"text", textContent{text}}
}

func (dingTalk) verdict(answer []byte) (*int64, string) { return errCode(answer) }

// feishu is Feishu's (飞书) custom robot. The key of its signature is the text
// that others sign; what is signed is empty.
type feishu struct{}

type feishuMessage struct {
	Timestamp string            `json:"timestamp,omitempty"`
	Sign      string            `json:"sign,omitempty"`
	MsgType   string            `json:"msg_type"`
	Content   map[string]string `json:"content"`
}

func (feishu) request(u *url.URL, text, secret string, now time.Time) (*url.URL, any) {
	m := feishuMessage{MsgType: "text", Content: map[string]string{"text": text}}
	if secret != "" {
		m.Timestamp = strconv.FormatInt(now.Unix(), 10)
		m.Sign = hmacBase64(m.Timestamp+"\n"+secret, "")
	}
	return u, m
}

func (feishu) verdict(answer []byte) (code *int64, said string) {
	var a struct {
		Code    *int64 `json:"code"`
		Msg     string `json:"msg"`
		OldCode *int64 `json:"StatusCode"` // what older robots answer beside or instead
	}
	if json.Unmarshal(answer, &a) != nil {
		return nil, ""
	}
	if a.Code == nil {
		a.Code = a.OldCode
	}
	return a.Code, a.Msg
}
