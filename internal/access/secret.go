package access

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"strings"
)

// Sizes in bytes of what is random here.
const (
	tokenSize    = 32
	recoverySize = 10
)

// recoveryCodes is how many an account gets.
const recoveryCodes = 10

// newToken gives 256 random bits as 43 characters of base64url.
func newToken() string { return base64.RawURLEncoding.EncodeToString(random(tokenSize)) }

// hashToken is how tokens and recovery codes are stored. They are long and
// random, so a fast hash is enough.
func hashToken(token string) []byte {
	sum := sha256.Sum256([]byte(token))
	return sum[:]
}

func random(n int) []byte {
	b := make([]byte, n)
	if _, err := rand.Read(b); err != nil {
		panic("access: the system's random source failed: " + err.Error())
	}
	return b
}

// newRecoveryCodes gives codes such as "mzxw-6ytb-oi2d-qmrs".
func newRecoveryCodes() []string {
	out := make([]string, recoveryCodes)
	for i := range out {
		text := strings.ToLower(base32.StdEncoding.EncodeToString(random(recoverySize)))
		out[i] = text[:4] + "-" + text[4:8] + "-" + text[8:12] + "-" + text[12:]
	}
	return out
}

// hashRecovery hashes a recovery code as a person may have typed it.
func hashRecovery(code string) []byte {
	return hashToken(strings.Map(func(r rune) rune {
		if r == '-' || r == ' ' {
			return -1
		}
		return r
	}, strings.ToLower(code)))
}
