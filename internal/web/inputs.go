package web

import (
	"strings"

	"panshi/internal/errs"
)

// IdempotencyHeader is embedded in the input of an operation that demands an
// Idempotency-Key.
type IdempotencyHeader struct {
	IdempotencyKey string `header:"Idempotency-Key" required:"true" minLength:"1" maxLength:"128" pattern:"^[!-~]+$" doc:"Makes a repeat harmless: the same key with the same body gives the same answer for 24 hours, with another body 409."`
}

// BearerHeader is embedded in the input of an operation that takes an access
// token, and documents none of its own: the operation's Auth does.
type BearerHeader struct {
	Authorization string `header:"Authorization" maxLength:"512" hidden:"true"`
}

// Token gives the access token, or an errs.Error of kind Unauthenticated.
func (h BearerHeader) Token() (string, error) { return BearerToken(h.Authorization) }

// BearerToken reads the token of an Authorization header (RFC 6750).
func BearerToken(header string) (string, error) {
	scheme, token, _ := strings.Cut(header, " ")
	token = strings.TrimSpace(token)
	if !strings.EqualFold(scheme, "Bearer") || token == "" {
		return "", errs.New(errs.Unauthenticated, "unauthenticated", "an access token is required")
	}
	return token, nil
}

// Page is embedded in the input of a list.
type Page struct {
	Cursor string `query:"cursor" maxLength:"256" doc:"The next_cursor of the page before; nothing for the first page."`
	Limit  int    `query:"limit" minimum:"1" maximum:"100" default:"20" doc:"How many items at most."`
}
