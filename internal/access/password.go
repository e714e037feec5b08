package access

import (
	_ "embed"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"panshi/internal/errs"
)

// Lengths of passwords, in characters. There are no rules of composition:
// length and rarity are what counts (NIST SP 800-63B).
const (
	minPassword = 12
	maxPassword = 128
)

// commonWords are what common passwords are made of once digits and
// punctuation are taken away.
//
//go:embed common.txt
var commonWords string

// normalPassword makes the same bytes of a password however a keyboard
// composed it: full-width letters, accents.
func normalPassword(password string) string { return norm.NFKC.String(password) }

// checkPassword refuses what is too short, too long or easily guessed.
func checkPassword(field, password, login string) error {
	switch n := utf8.RuneCountInString(password); {
	case !utf8.ValidString(password) || strings.ContainsRune(password, 0):
		return errs.Field(field, "invalid_utf8", "the password is not valid UTF-8")
	case n < minPassword:
		return errs.Field(field, "password_too_short", "a password has at least 12 characters")
	case n > maxPassword:
		return errs.Field(field, "password_too_long", "a password has at most 128 characters")
	case isCommon(password, login):
		return errs.Field(field, "password_common", "this password is easily guessed")
	}
	return nil
}

// isCommon tells whether a password is one of those that are tried first: a
// common word with digits around it, the login, a run of neighbours, or a few
// characters over and over.
func isCommon(password, login string) bool {
	lower := strings.ToLower(password)
	words := strings.Fields(commonWords)
	bare := strings.TrimFunc(lower, func(r rune) bool { return !unicode.IsLetter(r) })
	for _, core := range []string{letters(lower), letters(plain(lower)), letters(plain(bare))} {
		core = core[:period(core)]
		if slices.Contains(words, core) || core != "" && core == letters(login) {
			return true
		}
	}
	return len(lower) > 0 && (period(lower) <= 4 || isRun(lower) || isDate(lower))
}

// letters drops what is no letter.
func letters(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) {
			return r
		}
		return -1
	}, s)
}

// plain undoes the usual disguises: p4$$w0rd.
func plain(s string) string {
	return strings.NewReplacer("0", "o", "1", "i", "!", "i", "3", "e", "4", "a", "@", "a", "5", "s", "$", "s", "7", "t").Replace(s)
}

// period is the length of the shortest text that s repeats, len(s) if none.
func period(s string) int {
	for n := 1; n <= len(s)/2; n++ {
		if s[n:] == s[:len(s)-n] {
			return n
		}
	}
	return len(s)
}

// isRun tells whether s is made of neighbours on the keyboard or in the
// alphabet, up or down: 123456789012, qwertyuiop[].
func isRun(s string) bool {
	rows := []string{"12345678901234567890", "abcdefghijklmnopqrstuvwxyz", "qwertyuiop[]asdfghjkl;'zxcvbnm,./", "1q2w3e4r5t6y7u8i9o0p-[=]", "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik,9ol.0p;/"}
	for _, row := range rows {
		if strings.Contains(row+row, s) || strings.Contains(reversed(row+row), s) {
			return true
		}
	}
	return false
}

// isDate tells whether s is nothing but digits that begin like a date or a
// mobile number, as birthdays and phone numbers do.
func isDate(s string) bool {
	if strings.Trim(s, "0123456789") != "" || len(s) > 14 {
		return false
	}
	return strings.HasPrefix(s, "19") || strings.HasPrefix(s, "20") || strings.HasPrefix(s, "13") ||
		strings.HasPrefix(s, "15") || strings.HasPrefix(s, "18")
}

func reversed(s string) string {
	b := []byte(s)
	slices.Reverse(b)
	return string(b)
}

// Lengths of logins, in bytes.
const (
	minLogin = 3
	maxLogin = 64
)

// normalLogin gives the stored form of a login, or says why there is none. A
// login is a name, not a mail address: addresses are personal data.
func normalLogin(login string) (string, error) {
	login = strings.ToLower(strings.TrimSpace(login))
	if len(login) < minLogin || len(login) > maxLogin || strings.Trim(login, "abcdefghijklmnopqrstuvwxyz0123456789._-") != "" {
		return "", errs.Field("login", "invalid_login", "a login is 3 to 64 letters, digits, '.', '_' or '-'")
	}
	return login, nil
}
