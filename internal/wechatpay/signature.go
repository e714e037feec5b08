package wechatpay

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"hash"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"panshi/internal/errs"
)

const (
	scheme      = "WECHATPAY2-SHA256-RSA2048"
	probePrefix = "WECHATPAY/SIGNTEST/"
	// maxSkew is refused itself: the platform says "no more than 5 minutes".
	maxSkew = 5 * time.Minute
	// maxUnix bounds a timestamp far beyond any skew, so that no arithmetic on it can overflow.
	maxUnix = 1 << 40
)

// authorization signs one request: METHOD, path with query as sent, time,
// nonce and body, each ended by a line feed.
func (a *Account) authorization(method, uri string, body []byte) (string, error) {
	stamp := strconv.FormatInt(a.clock.Now().Unix(), 10)
	nonce := rand.Text()
	sig, err := a.signature(digest(body, method, uri, stamp, nonce))
	if err != nil {
		return "", err
	}
	return fmt.Sprintf(`%s mchid="%s",nonce_str="%s",signature="%s",timestamp="%s",serial_no="%s"`,
		scheme, a.mchID, nonce, sig, stamp, a.serial), nil
}

// signature is the merchant's over a digest, in base64.
func (a *Account) signature(sum []byte) (string, error) {
	sig, err := rsa.SignPKCS1v15(nil, a.private, crypto.SHA256, sum)
	if err != nil {
		return "", fmt.Errorf("sign: %w", err)
	}
	return base64.StdEncoding.EncodeToString(sig), nil
}

// verify believes a message of the platform or says why not. body is the raw
// body, nil and empty alike.
func (a *Account) verify(h http.Header, body []byte) error {
	return a.verifyBy(a.platform.find, h, body)
}

// finder gives the platform's key of a serial, if there is one that is valid at
// a moment.
type finder func(serial string, at time.Time) (platformKey, bool)

func (a *Account) verifyBy(find finder, h http.Header, body []byte) error {
	stamp, nonce := h.Get("Wechatpay-Timestamp"), h.Get("Wechatpay-Nonce")
	sig, serial := h.Get("Wechatpay-Signature"), h.Get("Wechatpay-Serial")
	if stamp == "" || nonce == "" || sig == "" || serial == "" {
		return unauthenticated("signature_missing", "a signature header is missing")
	}
	if strings.HasPrefix(sig, probePrefix) {
		return unauthenticated("signature_probe", "a probe of the platform, refused as it must be")
	}
	now := a.clock.Now()
	if !fresh(stamp, now) {
		return unauthenticated("signature_stale", "the timestamp is five minutes or more away from this machine's clock")
	}
	key, ok := find(serial, now)
	if !ok {
		return unauthenticated(codeSerial, "no valid platform key has this serial")
	}
	if typ := h.Get("Wechatpay-Signature-Type"); (typ != "" && typ != scheme) || !signed(key.rsa, sig, stamp, nonce, body) {
		return unauthenticated("signature_wrong", "the signature does not fit the message")
	}
	return nil
}

func signed(key *rsa.PublicKey, sig, stamp, nonce string, body []byte) bool {
	// A line break in the nonce could move the border between nonce and body.
	if strings.ContainsAny(nonce, "\r\n") {
		return false
	}
	// Strict, so that a signature has exactly one spelling.
	raw, err := base64.StdEncoding.Strict().DecodeString(sig)
	return err == nil && rsa.VerifyPKCS1v15(key, crypto.SHA256, digest(body, stamp, nonce), raw) == nil
}

func fresh(stamp string, now time.Time) bool {
	if strings.Trim(stamp, "0123456789") != "" {
		return false
	}
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil || seconds > maxUnix {
		return false
	}
	return now.Sub(time.Unix(seconds, 0)).Abs() < maxSkew
}

// digest hashes each line and then body, all ended by a line feed.
func digest(body []byte, lines ...string) []byte {
	h := sha256.New()
	for _, line := range lines {
		writeLine(h, line)
	}
	_, _ = h.Write(body)
	writeLine(h, "")
	return h.Sum(nil)
}

func writeLine(h hash.Hash, line string) { _, _ = io.WriteString(h, line+"\n") }

func unauthenticated(code, msg string) error { return errs.New(errs.Unauthenticated, code, msg) }
