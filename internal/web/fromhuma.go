package web

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/validation"

	"panshi/internal/errs"
)

// fromHuma makes our errors of huma's. They are about the schema; the body's
// syntax and size were checked before huma saw it.
func fromHuma(m *huma.ErrorModel) error {
	if m.Status >= http.StatusInternalServerError {
		return errs.New(errs.Internal, "internal", m.Detail)
	}
	var list []*errs.Error
	for _, d := range m.Errors {
		if d != nil {
			list = append(list, fromDetail(d))
		}
	}
	if len(list) == 0 {
		return errs.New(errs.Malformed, "malformed_body", m.Detail)
	}
	// Huma walks maps: sorting makes equal inputs get equal answers.
	slices.SortStableFunc(list, func(a, b *errs.Error) int { return strings.Compare(a.Field, b.Field) })
	joined := make([]error, len(list))
	for i, e := range list {
		joined[i] = e
	}
	return errors.Join(joined...)
}

// fromDetail translates one of huma's messages. Its value is dropped: an
// answer does not repeat what was sent.
func fromDetail(d *huma.ErrorDetail) *errs.Error {
	place, field := splitLocation(d.Location)
	field = printable([]byte(field))
	for _, rule := range messageRules() {
		value, ok := rule.match(d.Message)
		if !ok {
			continue
		}
		if rule.names {
			field = join(field, value)
		}
		e := errs.Field(named(field), special(place, field, rule.code), d.Message)
		if rule.param != "" {
			e = e.With(rule.param, value)
		}
		return e
	}
	return errs.Field(named(field), special(place, field, "invalid_value"), "the value is not right")
}

// msgCannotDecode is followed by the field.
const msgCannotDecode = "cannot decode "

// messageRule maps a message of huma, which is a prefix with a value between
// it and a suffix, to a code.
type messageRule struct {
	prefix, suffix string
	code           string
	param          string // the parameter that the value becomes
	names          bool   // the value is the name of the property
}

func (m messageRule) match(message string) (value string, ok bool) {
	rest, ok := strings.CutPrefix(message, m.prefix)
	if !ok {
		return "", false
	}
	return strings.CutSuffix(rest, m.suffix)
}

// rule takes prefix and suffix from one of huma's formats.
func rule(format, code, param string) messageRule {
	at := strings.IndexByte(format, '%')
	if at < 0 {
		return messageRule{prefix: format, code: code, param: param}
	}
	return messageRule{prefix: format[:at], suffix: format[at+2:], code: code, param: param}
}

func messageRules() []messageRule {
	property := rule(validation.MsgExpectedRequiredProperty, "required", "")
	property.names = true
	return []messageRule{
		property,
		{prefix: "required ", suffix: " parameter is missing", code: "required"},
		{prefix: "unknown query parameter", code: "unknown_parameter"},
		rule(validation.MsgUnexpectedProperty, "unknown_field", ""),
		rule(validation.MsgExpectedMaxLength, "too_long", "max"),
		rule(validation.MsgExpectedMaxItems, "too_long", "max"),
		rule(validation.MsgExpectedMinLength, "too_short", "min"),
		rule(validation.MsgExpectedMinItems, "too_short", "min"),
		rule(validation.MsgExpectedMinimumNumber, "out_of_range", "min"),
		rule(validation.MsgExpectedMaximumNumber, "out_of_range", "max"),
		open(validation.MsgExpectedExclusiveMinimumNumber, "out_of_range"),
		open(validation.MsgExpectedExclusiveMaximumNumber, "out_of_range"),
		open(validation.MsgExpectedNumberBeMultipleOf, "out_of_range"),
		open(validation.MsgExpectedRFC5322Email, "invalid_email"),
		open(validation.MsgExpectedRFC4122UUID, "invalid_id"),
		open(validation.MsgExpectedOneOf, "invalid_choice"),
		open(validation.MsgExpectedMatchPattern, "invalid_format"),
		open(validation.MsgExpectedBePattern, "invalid_format"), // "expected string to be": dates, addresses and patterns
		rule(validation.MsgExpectedString, "invalid_type", ""),
		rule(validation.MsgExpectedBoolean, "invalid_type", ""),
		rule(validation.MsgExpectedInteger, "invalid_type", ""),
		rule(validation.MsgExpectedNumber, "invalid_type", ""),
		rule(validation.MsgExpectedArray, "invalid_type", ""),
		rule(validation.MsgExpectedObject, "invalid_type", ""),
		rule("invalid integer", "invalid_type", ""),
		rule("invalid boolean", "invalid_type", ""),
		rule("invalid float", "invalid_type", ""),
		{prefix: msgCannotDecode, code: "out_of_range", names: true}, // a number that its field's type cannot hold
	}
}

// open is a rule whose value is of no use to the caller.
func open(format, code string) messageRule {
	m := rule(format, code, "")
	m.suffix = ""
	return m
}

// splitLocation takes "body.lines[0].quantity" apart.
func splitLocation(location string) (place, field string) {
	place, field, _ = strings.Cut(location, ".")
	if field == "" && strings.HasPrefix(place, "body[") {
		return "body", strings.TrimPrefix(place, "body")
	}
	return place, field
}

func join(parent, name string) string {
	if parent == "" {
		return name
	}
	return parent + "." + name
}

// named spells the body itself.
func named(field string) string {
	if field == "" {
		return "body"
	}
	return field
}

// special gives the header that everybody must send codes of its own.
func special(place, field, code string) string {
	switch {
	case place != "header" || field != "Idempotency-Key":
		return code
	case code == "required":
		return "idempotency_key_missing"
	}
	return "idempotency_key_invalid"
}
