package alipay

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strings"

	"panshi/internal/errs"
)

const signType = "RSA2"

// params are decoded parameters, one value a name.
type params map[string]string

// content is what is signed: name=value of all parameters but those left out,
// in order of their names, joined by &.
func (p params) content(leaveOut ...string) string {
	names := make([]string, 0, len(p))
	size := 0
	for name, value := range p {
		if slices.Contains(leaveOut, name) {
			continue
		}
		names = append(names, name)
		size += len(name) + len(value) + 2
	}
	slices.Sort(names)
	var b strings.Builder
	b.Grow(size)
	for i, name := range names {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(name + "=" + p[name])
	}
	return b.String()
}

// sign gives the base64 signature over content.
func (a *Account) sign(content string) (string, error) {
	sum := sha256.Sum256([]byte(content))
	sig, err := rsa.SignPKCS1v15(nil, a.private, crypto.SHA256, sum[:])
	if err != nil {
		return "", err
	}
	return base64.StdEncoding.EncodeToString(sig), nil
}

// signed tells whether sig is the platform's over content. Base64 is read
// strictly, so that a signature has exactly one spelling.
func (a *Account) signed(content []byte, sig string) bool {
	raw, err := base64.StdEncoding.Strict().DecodeString(sig)
	if err != nil {
		return false
	}
	sum := sha256.Sum256(content)
	return rsa.VerifyPKCS1v15(a.public, crypto.SHA256, sum[:], raw) == nil
}

func unauthenticated(code, msg string) error { return errs.New(errs.Unauthenticated, code, msg) }
