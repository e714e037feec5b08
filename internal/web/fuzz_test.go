package web

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzCheckJSON holds CheckJSON against the decoder: what it lets pass decodes
// to clean text, and its walk over valid JSON never panics.
func FuzzCheckJSON(f *testing.F) {
	for _, seed := range []string{
		goodBody(""), `{"a":"\u0000"}`, `{"a":"\ud83d\ude00"}`, `{"a":"\ud83d"}`, `{"a":"\\u0000"}`, `[1,-2,[],{},""," "]`,
		`{"a":1,"a":2}`, `{"A":1}`, "{\"a\":\"\xff\"}", ` { "a" : [ true , false , null ] } `, `"\"\\"`, `1e400`, `-`, `{"a":"x\ud800\udc00\udc00"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		err := CheckJSON(body)
		if err != nil {
			if !utf8.ValidString(err.Error()) {
				t.Fatalf("the error is not text: %q", err)
			}
			return
		}
		var v any
		dec := json.NewDecoder(bytes.NewReader(body))
		dec.UseNumber()
		if err := dec.Decode(&v); err != nil {
			t.Fatalf("passed and does not decode: %v", err)
		}
		if bad := dirty(v); bad != "" {
			t.Fatalf("passed with %q", bad)
		}
	})
}

// dirty finds a string that must not have passed. The replacement character
// may be genuine only where the input spells it, which the seeds do not.
func dirty(v any) string {
	switch v := v.(type) {
	case string:
		if !cleanText(v) {
			return v
		}
	case []any:
		for _, item := range v {
			if bad := dirty(item); bad != "" {
				return bad
			}
		}
	case map[string]any:
		for k, item := range v {
			if strings.ToLower(k) != k || !cleanText(k) {
				return k
			}
			if bad := dirty(item); bad != "" {
				return bad
			}
		}
	}
	return ""
}

// FuzzOperation sends arbitrary bodies through the whole frame: the answer is
// a success or a 4xx problem, never a fault.
func FuzzOperation(f *testing.F) {
	_, mux := newTestAPI(f)
	h := wrapped(f, DefaultConfig(), mux, io.Discard)
	f.Add(goodBody(""))
	f.Add(`{"lines":null,"contact":null}`)
	f.Add(`{"lines":[null],"contact":{"email":"<>"}}`)
	f.Add(`[[[]]]`)
	f.Fuzz(func(t *testing.T, body string) {
		if strings.Contains(body, "boom") || strings.Contains(body, "plain") {
			t.Skip("the handler of the tests fails on demand")
		}
		w := request{body: body}.do(h)
		if w.Code == 201 {
			return
		}
		if w.Code < 400 || w.Code > 499 {
			t.Fatalf("%d %s", w.Code, w.Body.String())
		}
		problemIn(t, w)
	})
}

// FuzzQuery sends arbitrary query strings.
func FuzzQuery(f *testing.F) {
	_, mux := newTestAPI(f)
	h := wrapped(f, DefaultConfig(), mux, io.Discard)
	for _, seed := range []string{"limit=5", "q=%00", "limit=1&limit=2", "kind=card;x", "%zz", "q[a]=1", "cursor=" + strings.Repeat("x", 300)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		r := httptest.NewRequest(http.MethodGet, "/api/v1/products", nil)
		r.URL.RawQuery = query // as the wire has it, escaped or not
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != 200 && (w.Code < 400 || w.Code > 499) {
			t.Fatalf("%d %s", w.Code, w.Body.String())
		}
	})
}
