package notify

import (
	"errors"
	"fmt"
	"net/mail"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"panshi/internal/errs"
	"panshi/internal/i18n"
)

// Config says who is told, and when. Messages go to the first channel; to the
// next one when it does not take them.
type Config struct {
	Channels []ChannelConfig `json:"channels"`

	Window        time.Duration `json:"window"`         // what happens again is told after this, with a count
	Remind        time.Duration `json:"remind"`         // what lasts and nobody acknowledged is told again
	EscalateAfter time.Duration `json:"escalate_after"` // what is critical and not acknowledged goes to the second channel
	Attempts      int           `json:"attempts"`       // failures of a channel until the next one is tried
	SwitchAfter   time.Duration `json:"switch_after"`   // or so long after the first attempt there
	Retry         time.Duration `json:"retry"`          // the first pause between attempts; it doubles, up to 5 minutes
	Keep          time.Duration `json:"keep"`           // how long alerts that ended are kept
}

// The kinds of channels.
const (
	KindMail     = "mail"
	KindWebhook  = "webhook"
	KindWeCom    = "wecom"
	KindFeishu   = "feishu"
	KindDingTalk = "dingtalk"
)

func kinds() []string { return []string{KindMail, KindWebhook, KindWeCom, KindFeishu, KindDingTalk} }

// ChannelConfig is one way to people. Secrets are in files, which are read for
// every message, so that a new one needs no restart.
type ChannelConfig struct {
	Name string `json:"name"` // [a-z0-9_-], as commands and records call it
	Kind string `json:"kind"`
	Lang string `json:"lang"` // of the texts: zh-CN (the default) or en

	// URL of a webhook. Those of robots hold a key and stand in a file.
	URL     string `json:"url"`
	URLFile string `json:"url_file"`
	// SecretFile holds the key of signatures, or the password of the mail
	// account.
	SecretFile string `json:"secret_file"`
	// AllowPrivate lets the channel reach loopback and private addresses, and
	// lets robots and webhooks go without https and through the proxy of the
	// environment.
	AllowPrivate bool `json:"allow_private"`

	// Mail: the server, how it is spoken to ("tls", "starttls" or "none"), who
	// signs in, and from whom to whom.
	Host     string   `json:"host"`
	Port     int      `json:"port"`
	Security string   `json:"security"`
	Username string   `json:"username"`
	From     string   `json:"from"`
	To       []string `json:"to"`
}

// Defaults are the values of a shop that is told nothing: no channel.
func Defaults() Config {
	return Config{
		Window: 10 * time.Minute, Remind: 24 * time.Hour, EscalateAfter: 5 * time.Minute,
		Attempts: 3, SwitchAfter: time.Minute, Retry: 2 * time.Second, Keep: 90 * 24 * time.Hour,
	}
}

// Validate reports everything that is wrong at once. Files are looked at when
// they are used.
func (c Config) Validate() error {
	var faults []error
	for _, d := range []struct {
		field       string
		value       time.Duration
		least, most time.Duration
	}{
		{"window", c.Window, time.Second, 24 * time.Hour},
		{"remind", c.Remind, time.Minute, 30 * 24 * time.Hour},
		{"escalate_after", c.EscalateAfter, time.Second, 24 * time.Hour},
		{"switch_after", c.SwitchAfter, time.Second, time.Hour},
		{"retry", c.Retry, 10 * time.Millisecond, 5 * time.Minute},
		{"keep", c.Keep, 24 * time.Hour, 3650 * 24 * time.Hour},
	} {
		if d.value < d.least || d.value > d.most {
			faults = append(faults, errs.Field("notify."+d.field, "out_of_range", fmt.Sprintf("%v to %v", d.least, d.most)))
		}
	}
	if c.Attempts < 1 || c.Attempts > 100 {
		faults = append(faults, errs.Field("notify.attempts", "out_of_range", "1 to 100"))
	}
	if len(c.Channels) > 20 {
		faults = append(faults, errs.Field("notify.channels", "out_of_range", "at most 20 channels"))
	}
	for i, ch := range c.Channels {
		at := fmt.Sprintf("notify.channels[%d].", i)
		faults = append(faults, ch.validate(at))
		if slices.ContainsFunc(c.Channels[:i], func(other ChannelConfig) bool { return other.Name == ch.Name }) {
			faults = append(faults, errs.Field(at+"name", "invalid_value", ch.Name+" is the name of two channels; give each its own"))
		}
	}
	return errors.Join(faults...)
}

func (c ChannelConfig) validate(at string) error {
	wrong := func(field, remedy string) error { return errs.Field(at+field, "invalid_value", remedy) }
	var faults []error
	if c.Name == "" || len(c.Name) > 40 || strings.Trim(c.Name, "abcdefghijklmnopqrstuvwxyz0123456789_-") != "" {
		faults = append(faults, wrong("name", "1 to 40 of small letters, digits, _ and -"))
	}
	if c.Lang != "" && !slices.Contains(i18n.Languages(), i18n.Lang(c.Lang)) {
		faults = append(faults, wrong("lang", "zh-CN or en"))
	}
	switch c.Kind {
	case KindMail:
		faults = append(faults, c.validateMail(wrong))
	case KindWebhook:
		faults = append(faults, c.validateWebhook(wrong))
	case KindWeCom, KindFeishu, KindDingTalk:
		if c.URLFile == "" || c.URL != "" {
			faults = append(faults, wrong("url_file", "put the robot's address, which holds its key, into a file of mode 0600 and name that here"))
		}
	default:
		return errors.Join(append(faults, wrong("kind", "one of "+strings.Join(kinds(), ", ")))...)
	}
	return errors.Join(append(faults, c.strangers(wrong))...)
}

// strangers refuses settings that another kind has: they would be ignored.
func (c ChannelConfig) strangers(wrong func(field, remedy string) error) error {
	mail := c.Host != "" || c.Port != 0 || c.Security != "" || c.Username != "" || c.From != "" || len(c.To) > 0
	switch {
	case c.Kind == KindMail && (c.URL != "" || c.URLFile != ""):
		return wrong("url", "a mail channel has host and port, no url")
	case c.Kind != KindMail && mail:
		return wrong("host", "host, port, security, username, from and to are of mail channels; remove them")
	case c.Kind == KindWeCom && c.SecretFile != "":
		return wrong("secret_file", "WeCom's robots have no signature; remove it")
	}
	return nil
}

func (c ChannelConfig) validateWebhook(wrong func(field, remedy string) error) error {
	if (c.URL == "") == (c.URLFile == "") {
		return wrong("url", "set either url, or url_file if the address holds a secret")
	}
	var faults []error
	if c.URL != "" {
		if _, err := c.parse(c.URL); err != nil {
			faults = append(faults, wrong("url", err.Error()))
		}
	}
	if c.SecretFile == "" {
		faults = append(faults, wrong("secret_file", "name a file of mode 0600 with the key by which the receiver verifies messages, such as the output of `openssl rand -hex 32`"))
	}
	return errors.Join(faults...)
}

func (c ChannelConfig) validateMail(wrong func(field, remedy string) error) error {
	faults := []error{c.validateServer(wrong)}
	if _, err := mail.ParseAddress(c.From); err != nil {
		faults = append(faults, wrong("from", "an address such as shop@example.com"))
	}
	if len(c.To) == 0 || len(c.To) > 20 {
		faults = append(faults, wrong("to", "1 to 20 addresses"))
	}
	for _, to := range c.To {
		if _, err := mail.ParseAddress(to); err != nil {
			faults = append(faults, wrong("to", "each an address such as keeper@example.com"))
			break
		}
	}
	return errors.Join(faults...)
}

func (c ChannelConfig) validateServer(wrong func(field, remedy string) error) error {
	var faults []error
	if c.Host == "" || strings.ContainsAny(c.Host, " /:@") && !strings.Contains(c.Host, "::") {
		faults = append(faults, wrong("host", "the name of the mail server, such as smtp.exmail.qq.com"))
	}
	if c.Port < 1 || c.Port > 65535 {
		faults = append(faults, wrong("port", "465 for tls, 587 for starttls"))
	}
	switch {
	case c.Security != "tls" && c.Security != "starttls" && c.Security != "none":
		faults = append(faults, wrong("security", "tls or starttls; none only for a server on this machine"))
	case c.Security == "none" && !c.AllowPrivate:
		faults = append(faults, wrong("security", "none sends in clear: use tls or starttls, or set allow_private for a server in your own network"))
	case c.Security == "none" && c.Username != "":
		faults = append(faults, wrong("security", "a password is not sent in clear: use tls or starttls, or remove username"))
	}
	if (c.Username == "") != (c.SecretFile == "") {
		faults = append(faults, wrong("secret_file", "username and secret_file, the file with the password, go together"))
	}
	return errors.Join(faults...)
}

// parse reads an address that a channel posts to. No error quotes it.
func (c ChannelConfig) parse(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.Opaque != "":
		return nil, errors.New("an address such as https://alerts.example.com/panshi")
	case u.User != nil || u.Fragment != "":
		return nil, errors.New("an address without user and fragment; the signature proves who sends")
	case u.Scheme == "http" && !c.AllowPrivate:
		return nil, errors.New("must begin with https://, or set allow_private for a receiver in your own network")
	}
	return u, nil
}

// lang is the language of the channel's texts.
func (c ChannelConfig) lang() i18n.Lang {
	if c.Lang == "" {
		return i18n.Chinese
	}
	return i18n.Lang(c.Lang)
}

// address is where messages are posted to.
func (c ChannelConfig) address() (*url.URL, error) {
	text := c.URL
	if c.URLFile != "" {
		var err error
		if text, err = readSecret(c.URLFile); err != nil {
			return nil, err
		}
	}
	u, err := c.parse(text)
	if err != nil {
		return nil, errs.New(errs.Invalid, "channel_address", "the channel's address must be "+err.Error())
	}
	return u, nil
}

// secret is the content of SecretFile, "" if there is none.
func (c ChannelConfig) secret() (string, error) {
	if c.SecretFile == "" {
		return "", nil
	}
	return readSecret(c.SecretFile)
}

// Files are those that the channel reads.
func (c ChannelConfig) Files() []string {
	return slices.DeleteFunc([]string{c.URLFile, c.SecretFile}, func(f string) bool { return f == "" })
}

// CheckFiles tells why one of the channel's files cannot be used, nil if all
// can.
func (c ChannelConfig) CheckFiles() error {
	for _, file := range c.Files() {
		if _, err := readSecret(file); err != nil {
			return err
		}
	}
	return nil
}

// readSecret reads a short text that nobody else may read.
func readSecret(file string) (string, error) {
	info, err := os.Stat(file)
	if err != nil {
		return "", secretFault(err, file+" cannot be read")
	}
	if info.Mode().Perm()&0o077 != 0 {
		return "", secretFault(nil, fmt.Sprintf("%s has mode %04o and holds a secret: chmod 0600 it", file, info.Mode().Perm()))
	}
	if !info.Mode().IsRegular() || info.Size() > 4096 {
		return "", secretFault(nil, file+" is not a file of at most 4 KiB")
	}
	raw, err := os.ReadFile(file)
	text := strings.TrimSpace(string(raw))
	if err != nil || text == "" {
		return "", secretFault(err, file+" is empty or cannot be read")
	}
	return text, nil
}

func secretFault(cause error, msg string) error {
	return errs.Wrap(cause, errs.Invalid, "channel_secret", msg)
}
