package access

import (
	"crypto/subtle"
	"fmt"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/totp"

	"panshi/internal/errs"
	"panshi/internal/id"
	"panshi/internal/vault"
)

// TOTP as every authenticator app does it (RFC 6238): six digits, 30 seconds,
// and one step of tolerance on both sides.
const (
	totpPeriod = 30
	totpSkew   = 1
)

func totpOptions() totp.ValidateOpts {
	return totp.ValidateOpts{Period: totpPeriod, Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1}
}

// staffCell and linkCell are where a second-factor secret is bound to.
func staffCell(staffID id.ID) vault.Cell {
	return vault.Cell{Table: "staff", Column: "totp_sealed", Row: staffID}
}

func linkCell(staffID id.ID) vault.Cell {
	return vault.Cell{Table: "staff_setup_links", Column: "totp_sealed", Row: staffID}
}

// newSecret makes a second-factor secret (base32) and the otpauth URL by which
// an app takes it over.
func newSecret(shop string) (secret, url string, err error) {
	key, err := totp.Generate(totp.GenerateOpts{Issuer: "Panshi " + shop, AccountName: "owner", Period: totpPeriod})
	if err != nil {
		return "", "", errs.Wrap(err, errs.Internal, "internal", "no second-factor secret could be made")
	}
	return key.Secret(), key.URL(), nil
}

// matchStep finds the time step whose code this is; ok is false if none near
// now has it. It always compares all steps.
func matchStep(secret, code string, now time.Time) (step int64, ok bool, err error) {
	current := now.Unix() / totpPeriod
	for s := current - totpSkew; s <= current+totpSkew; s++ {
		want, err := totp.GenerateCodeCustom(secret, time.Unix(s*totpPeriod, 0), totpOptions())
		if err != nil {
			return 0, false, fmt.Errorf("second factor: %w", err)
		}
		if subtle.ConstantTimeCompare([]byte(want), []byte(code)) == 1 {
			step, ok = s, true
		}
	}
	return step, ok, nil
}

// looksLikeTOTP tells a code of an app from a recovery code.
func looksLikeTOTP(code string) bool {
	if len(code) != 6 {
		return false
	}
	for i := range len(code) {
		if code[i] < '0' || code[i] > '9' {
			return false
		}
	}
	return true
}
