package order

import (
	"net/mail"
	"strings"

	"panshi/internal/errs"
)

// ContactKind says how a buyer can be reached.
type ContactKind string

// The kinds of contact.
const (
	Email ContactKind = "email"
	Phone ContactKind = "phone"
)

// ContactIndexPurpose names the blind index over contacts.
const ContactIndexPurpose = "orders.contact"

// Contact is how a guest can be reached, normalised, so that the same person
// writing it differently has the same blind index.
type Contact struct {
	Kind  ContactKind
	Value string
}

// String hides the value from logs.
func (c Contact) String() string { return "[" + string(c.Kind) + "]" }

// GoString hides the value from %#v.
func (c Contact) GoString() string { return c.String() }

// ParseContact reads an e-mail address or a phone number; exactly one must be
// given. Errors name the field contact.email or contact.phone.
func ParseContact(email, phone string) (Contact, error) {
	email, phone = strings.TrimSpace(email), strings.TrimSpace(phone)
	switch {
	case email == "" && phone == "":
		return Contact{}, errs.Field("contact", "required", "an e-mail address or a phone number is needed")
	case email != "" && phone != "":
		return Contact{}, errs.Field("contact", "contact_ambiguous", "give an e-mail address or a phone number, not both")
	case email != "":
		return parseEmail(email)
	}
	return parsePhone(phone)
}

// parseEmail takes ASCII addresses at host names only. Letters that look alike
// or can be written in two ways would make two contacts of one person, and so
// get round limits; such hosts have an ASCII form (xn--).
func parseEmail(text string) (Contact, error) {
	bad := errs.Field("contact.email", "invalid_email", "this is not an e-mail address")
	local, domain, ok := strings.Cut(text, "@")
	if !ok || len(text) > 254 || len(local) > 64 || !isHost(domain) {
		return Contact{}, bad
	}
	for _, c := range []byte(local) {
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`"(),:;<>@[\]`, c) >= 0 {
			return Contact{}, bad
		}
	}
	if parsed, err := mail.ParseAddress(text); err != nil || parsed.Address != text {
		return Contact{}, bad
	}
	return Contact{Email, strings.ToLower(text)}, nil
}

// isHost tells whether s is a host name of two labels or more (RFC 1123).
func isHost(s string) bool {
	labels := strings.Split(strings.ToLower(s), ".")
	for _, l := range labels {
		if l == "" || len(l) > 63 || l[0] == '-' || l[len(l)-1] == '-' ||
			strings.Trim(l, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return false
		}
	}
	return len(labels) > 1 && strings.Trim(labels[len(labels)-1], "0123456789") != ""
}

// parsePhone takes mainland mobile numbers with or without +86, and numbers of
// other countries with their + and country code (E.164: 7 to 15 digits).
func parsePhone(text string) (Contact, error) {
	bad := errs.Field("contact.phone", "invalid_phone", "this is not a phone number")
	if len(text) > 32 {
		return Contact{}, bad
	}
	number := strings.NewReplacer(" ", "", "-", "", "(", "", ")", "").Replace(text)
	digits, abroad := strings.CutPrefix(number, "+")
	if mainland, ok := strings.CutPrefix(number, "+86"); ok {
		digits, abroad = mainland, false
	}
	if digits == "" || strings.Trim(digits, "0123456789") != "" {
		return Contact{}, bad
	}
	if abroad {
		if digits[0] == '0' || len(digits) < 7 || len(digits) > 15 {
			return Contact{}, bad
		}
		return Contact{Phone, "+" + digits}, nil
	}
	if len(digits) != 11 || digits[0] != '1' || digits[1] < '3' {
		return Contact{}, bad
	}
	return Contact{Phone, digits}, nil
}
