package vault

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaskPhone gives what staff may see of a phone number: 138****1234. Of eleven
// digits and more it shows the first three and the last four, of seven to ten
// the last two, of fewer none; the stars do not tell how many are hidden.
// The country code of the mainland is left out, as is all that is no digit.
func MaskPhone(phone string) string {
	digits := strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, phone)
	if rest := strings.TrimPrefix(strings.TrimPrefix(digits, "00"), "86"); len(rest) == 11 {
		digits = rest
	}
	n := len(digits)
	switch {
	case n >= 11:
		return digits[:3] + "****" + digits[n-4:]
	case n >= 7:
		return "****" + digits[n-2:]
	default:
		return "****"
	}
}

// MaskEmail gives what staff may see of a mail address: a***@example.com. The
// first character shows if it is not the only one before the @; what is no
// address shows as ***.
func MaskEmail(email string) string {
	at := strings.LastIndexByte(email, '@')
	if at < 0 || !domainLike(email[at+1:]) {
		return "***"
	}
	local, domain := email[:at], email[at+1:]
	first, size := utf8.DecodeRuneInString(local)
	if size == len(local) || !unicode.IsLetter(first) && !unicode.IsDigit(first) {
		return "***@" + domain
	}
	return local[:size] + "***@" + domain
}

// domainLike tells whether s could be a mail domain, so that other text after
// an @ is not taken for one and shown.
func domainLike(s string) bool {
	if len(s) > 253 || !utf8.ValidString(s) || !strings.Contains(strings.Trim(s, "."), ".") {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool {
		return r != '.' && r != '-' && !unicode.IsLetter(r) && !unicode.IsDigit(r)
	})
}
