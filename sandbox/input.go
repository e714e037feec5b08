package sandbox

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

const maxBody = 64 << 10

// readBody reads at most 64 KiB of valid UTF-8.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, &apiError{
			Status: http.StatusRequestEntityTooLarge, Code: "PARAM_ERROR", Field: "body", Message: "body: larger than 64 KiB",
		}
	}
	if err != nil {
		return nil, errParam("body", "cannot be read")
	}
	if !utf8.Valid(body) {
		return nil, errParam("body", "is not valid UTF-8")
	}
	return body, nil
}

// decodeJSON reads exactly one JSON object into dst. strict refuses members that dst does not know.
func decodeJSON(body []byte, dst any, strict bool) error {
	if trimmed := bytes.TrimSpace(body); len(trimmed) == 0 || trimmed[0] != '{' {
		return errParam("body", "must be a JSON object")
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	if strict {
		dec.DisallowUnknownFields()
	}
	if err := dec.Decode(dst); err != nil {
		return jsonError(err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return errParam("body", "has something after the JSON object")
	}
	return nil
}

func jsonError(err error) error {
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return errParam(wrong.Field, "must be "+typeName(wrong.Type.Kind().String())+", not "+wrong.Value)
	}
	if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return errParam(strings.Trim(name, `"`), "is not known")
	}
	return errParam("body", "is not valid JSON")
}

func typeName(kind string) string {
	switch {
	case strings.HasPrefix(kind, "int"):
		return "an integer"
	case strings.HasPrefix(kind, "float"):
		return "a number"
	case kind == "struct":
		return "an object"
	case kind == "slice":
		return "an array"
	}
	return "a " + kind
}

// fingerprint is equal for JSON texts that mean the same, whatever their spacing and member order.
func fingerprint(body []byte) (string, error) {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return "", jsonError(err)
	}
	canonical, err := json.Marshal(v)
	if err != nil {
		return "", err
	}
	return hashOf(string(canonical)), nil
}

func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// checkText wants least to most characters without control characters.
func checkText(field, value string, least, most int) error {
	n := utf8.RuneCountInString(value)
	switch {
	case n == 0 && least > 0:
		return errParam(field, "is required")
	case n < least || n > most:
		return errParam(field, "must have "+strconv.Itoa(least)+" to "+strconv.Itoa(most)+" characters")
	case strings.ContainsFunc(value, unicode.IsControl):
		return errParam(field, "must not contain control characters")
	}
	return nil
}

// checkNumber wants a merchant's order or refund number.
func checkNumber(field, value string, least, most int, extra string) error {
	if err := checkText(field, value, least, most); err != nil {
		return err
	}
	foreign := func(r rune) bool { return !strings.ContainsRune(alphanumeric+extra, r) }
	if strings.ContainsFunc(value, foreign) {
		return errParam(field, "may contain only letters, digits and "+extra)
	}
	return nil
}

func checkOrderNo(value string) error { return checkNumber("out_trade_no", value, 6, 32, "_-|*") }

// checkURL wants an absolute http or https URL without query, as the platform demands of callback addresses.
func checkURL(field, value string) error {
	if err := checkText(field, value, 1, 255); err != nil {
		return err
	}
	u, err := url.Parse(value)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return errParam(field, "must be an absolute http or https URL")
	}
	if u.RawQuery != "" || u.Fragment != "" {
		return errParam(field, "must have no query and no fragment")
	}
	return nil
}

// queryInt reads an integer parameter from least to most; absent means def.
func queryInt(q url.Values, name string, def, least, most int) (int, error) {
	text := q.Get(name)
	if text == "" {
		return def, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > most {
		return 0, errParam(name, "must be an integer from "+strconv.Itoa(least)+" to "+strconv.Itoa(most))
	}
	return n, nil
}
