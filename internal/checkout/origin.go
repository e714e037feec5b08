package checkout

import (
	"context"
	"strings"
	"unicode/utf8"

	"panshi/internal/audit"
	"panshi/internal/errs"
)

// origin is who caused a change, taken from the context before the transaction.
type origin struct {
	actor   audit.Actor
	request string
}

func originOf(ctx context.Context) origin {
	actor, request := audit.Origin(ctx)
	return origin{actor, request}
}

// bySystem keeps the request but names the shop itself: it decided.
func (o origin) bySystem() origin { return origin{audit.System(), o.request} }

// sign names the origin in a record.
func (o origin) sign(r audit.Record) audit.Record {
	r.Actor, r.RequestID = o.actor, o.request
	return r
}

// checkText refuses what staff wrote if it cannot be stored everywhere.
func checkText(field, text string, least, most int) error {
	switch {
	case !utf8.ValidString(text) || strings.ContainsRune(text, 0):
		return errs.Field(field, "invalid_utf8", "the text is not valid UTF-8")
	case len(strings.TrimSpace(text)) < least:
		return errs.Field(field, "required", "this field is needed")
	case len(text) > most:
		return errs.Field(field, "too_long", "the text is too long")
	}
	return nil
}
