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

func parseEmail(text string) (Contact, error) {
	bad := errs.Field("contact.email", "invalid_email", "this is not an e-mail address")
	if len(text) > 254 || strings.ContainsAny(text, "\r\n\x00 <>\"(),;:") {
		return Contact{}, bad
	}
	parsed, err := mail.ParseAddress(text)
	if err != nil || parsed.Address != text {
		return Contact{}, bad
	}
	_, domain, _ := strings.Cut(text, "@")
	if !strings.Contains(domain, ".") {
		return Contact{}, bad
	}
	return Contact{Email, strings.ToLower(text)}, nil
}

func parsePhone(text string) (Contact, error) {
	bad := errs.Field("contact.phone", "invalid_phone", "this is not a phone number")
	if len(text) > 32 {
		return Contact{}, bad
	}
	digits := strings.NewReplacer(" ", "", "-", "", "(", "", ")", "").Replace(text)
	foreign := strings.HasPrefix(digits, "+") && !strings.HasPrefix(digits, "+86")
	digits = strings.TrimPrefix(strings.TrimPrefix(digits, "+86"), "+")
	if strings.Trim(digits, "0123456789") != "" {
		return Contact{}, bad
	}
	if foreign {
		if len(digits) < 7 || len(digits) > 15 {
			return Contact{}, bad
		}
		return Contact{Phone, "+" + digits}, nil
	}
	if len(digits) != 11 || digits[0] != '1' || digits[1] < '3' {
		return Contact{}, bad
	}
	return Contact{Phone, digits}, nil
}
