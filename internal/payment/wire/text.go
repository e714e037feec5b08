package wire

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Alphanumeric are the characters that every platform takes in a number.
const Alphanumeric = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// Beijing is the zone in which platforms of mainland China spell times.
func Beijing() *time.Location { return time.FixedZone("CST", 8*60*60) }

// WantToken keeps whatever enters a header or a signed line free of quotes,
// blanks and line breaks: 1 to most of letters, digits, _ and -.
func WantToken(s string, most int) error {
	if s == "" || len(s) > most || strings.Trim(s, Alphanumeric+"_-") != "" {
		return fmt.Errorf("must be 1-%d of letters, digits, _ and -", most)
	}
	return nil
}

// Printable wants 1 to most visible ASCII characters. Numbers of a platform go into
// unique columns and logs, where NUL, blanks and look-alikes do harm.
func Printable(s string, most int) bool {
	if s == "" || len(s) > most {
		return false
	}
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// Cut makes valid UTF-8 without control characters of at most limit bytes that
// ends at a rune border.
func Cut(s string, limit int) string {
	s = strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "")))
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return strings.TrimSpace(s[:limit])
}

// ParseBase reads a platform's address: absolute, without user, query and
// fragment, and https if its host is the platform's own domain or below it.
// The slash at its end is dropped.
func ParseBase(s, domain string) (string, error) {
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http"):
		return "", errors.New("must be an absolute http or https address")
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return "", errors.New("must have no user, query or fragment")
	case u.Scheme == "http" && strings.HasSuffix("."+u.Hostname(), "."+domain):
		return "", errors.New("the platform itself must be reached by https")
	}
	return strings.TrimRight(u.String(), "/"), nil
}
