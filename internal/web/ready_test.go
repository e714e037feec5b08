package web

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/stretchr/testify/require"
)

func TestCodingsAreNegotiated(t *testing.T) {
	t.Parallel()
	all := func(coding) bool { return true }
	for header, want := range map[string]string{
		"": "", "identity": "", "gzip": "gzip", "br": "br", "gzip, deflate, br": "br", "GZIP": "gzip", "x-gzip": "gzip",
		"gzip;q=1.0, br;q=0.5": "gzip", "br;q=0, gzip": "gzip", "br;q=0": "", "br; q=0.000 , gzip;q=0": "",
		"*": "br", "*;q=0": "", "*;q=0.5, br;q=0": "gzip", "gzip;q=0.5, identity": "", "identity;q=0.2, gzip;q=0.3": "gzip",
		"zstd": "", "zstd, *;q=0": "", "identity;q=0, gzip": "gzip", "identity;q=0": "", "br;q=1.5": "br", "br;q=rubbish": "",
		"br;q=0.0001": "", "deflate, gzip;q=1.0, *;q=0.5": "gzip", ",,": "",
	} {
		require.Equal(t, want, accepted(header).best(all).name(), "%q", header)
	}
	require.Equal(t, "gzip", accepted("gzip, br").best(func(c coding) bool { return c != brotlied }).name(), "what is not there")
}

func readyPage(t *testing.T) (*Ready, string) {
	t.Helper()
	body := strings.Repeat(`{"title":"游戏点卡"}`, 200)
	a, err := NewPacker().Pack(About{
		ContentType: "application/json", ContentLanguage: "en", CacheControl: "no-cache", Vary: "Accept-Language",
	}, []byte(body))
	require.NoError(t, err)
	return a, body
}

func serveReady(t *testing.T, a *Ready, method string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(method, "/", nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	require.NoError(t, a.Serve(w, r))
	return w
}

func TestReadyAnswers(t *testing.T) {
	t.Parallel()
	a, body := readyPage(t)
	plain := func(r io.Reader) (io.Reader, error) { return r, nil }
	tags := map[string]bool{}
	for coding, open := range map[string]func(io.Reader) (io.Reader, error){
		"":     plain,
		"gzip": func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) },
		"br":   func(r io.Reader) (io.Reader, error) { return brotli.NewReader(r), nil },
	} {
		w := serveReady(t, a, http.MethodGet, "Accept-Encoding", coding)
		require.Equal(t, http.StatusOK, w.Code)
		require.Equal(t, coding, w.Header().Get("Content-Encoding"))
		require.Equal(t, "application/json", w.Header().Get("Content-Type"))
		require.Equal(t, "en", w.Header().Get("Content-Language"))
		require.Equal(t, "no-cache", w.Header().Get("Cache-Control"))
		require.Equal(t, "Accept-Language, Accept-Encoding", w.Header().Get("Vary"))
		reader, err := open(bytes.NewReader(w.Body.Bytes()))
		require.NoError(t, err)
		got, err := io.ReadAll(reader)
		require.NoError(t, err)
		require.Equal(t, body, string(got))
		tag := w.Header().Get("ETag")
		require.Regexp(t, `^"[0-9a-f]{16}(-gzip|-br)?"$`, tag)
		require.False(t, tags[tag], "other bytes, another tag")
		tags[tag] = true

		head := serveReady(t, a, http.MethodHead, "Accept-Encoding", coding)
		require.Empty(t, head.Body.Bytes())
		require.Equal(t, w.Header(), head.Header())
		for header, want := range map[string]int{
			tag: 304, `"x", ` + tag: 304, "W/" + tag: 304, "*": 304, `"x"`: 200, strings.Trim(tag, `"`): 200,
		} {
			w := serveReady(t, a, http.MethodGet, "Accept-Encoding", coding, "If-None-Match", header)
			require.Equal(t, want, w.Code, header)
			if want == http.StatusNotModified {
				require.Empty(t, w.Body.Bytes())
				require.Equal(t, tag, w.Header().Get("ETag"))
				require.Empty(t, w.Header().Get("Content-Encoding")+w.Header().Get("Content-Type")+w.Header().Get("Content-Length"))
				require.NotEmpty(t, w.Header().Get("Vary"))
			}
		}
	}
	require.Len(t, tags, 3)
}

func TestSmallAnswersHaveOneForm(t *testing.T) {
	t.Parallel()
	a, err := NewPacker().Pack(About{ContentType: "application/json"}, []byte(`{"items":[]}`))
	require.NoError(t, err)
	w := serveReady(t, a, http.MethodGet, "Accept-Encoding", "br, gzip")
	require.Empty(t, w.Header().Get("Content-Encoding"))
	require.Equal(t, "Accept-Encoding", w.Header().Get("Vary"))
	require.JSONEq(t, `{"items":[]}`, w.Body.String())
}

func TestServingAllocatesNothing(t *testing.T) {
	a, _ := readyPage(t)
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Accept-Encoding", "gzip, deflate, br")
	w := &quietWriter{header: http.Header{}}
	require.Zero(t, testing.AllocsPerRun(100, func() { _ = a.Serve(w, r) }))
}

// quietWriter takes an answer and keeps nothing.
type quietWriter struct{ header http.Header }

func (w *quietWriter) Header() http.Header         { return w.header }
func (w *quietWriter) WriteHeader(int)             {}
func (w *quietWriter) Write(p []byte) (int, error) { return len(p), nil }
