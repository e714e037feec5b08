package web

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

func TestAssets(t *testing.T) {
	t.Parallel()
	css := []byte(strings.Repeat("body{color:#123}\n", 200))
	assets, err := NewAssets(fstest.MapFS{
		"app.css":       {Data: css},
		"app.css.br":    {Data: []byte("brotli form")},
		"js/shop.js":    {Data: []byte(strings.Repeat("let a=1;", 100))},
		"img/logo.webp": {Data: []byte("RIFF")},
	}, "/assets/")
	require.NoError(t, err)
	mux := newTestMux(t)
	require.NoError(t, mux.Add(Audience{Name: "shop", Headers: PageHeaders()}, assets.Route()))

	url, err := assets.URL("app.css")
	require.NoError(t, err)
	require.Regexp(t, `^/assets/app\.[0-9a-f]{16}\.css$`, url)
	_, err = assets.URL("nope.css")
	require.Error(t, err)

	get := func(target string, header map[string]string) (int, http.Header, string) {
		w := request{method: "GET", target: target, header: header}.do(mux)
		return w.Code, w.Header(), w.Body.String()
	}
	code, h, body := get(url, nil)
	require.Equal(t, 200, code)
	require.Equal(t, string(css), body)
	require.Equal(t, "public, max-age=31536000, immutable", h.Get("Cache-Control"))
	require.Equal(t, "text/css; charset=utf-8", h.Get("Content-Type"))
	require.Equal(t, "nosniff", h.Get("X-Content-Type-Options"))
	require.Equal(t, "Accept-Encoding", h.Get("Vary"))
	plainTag := h.Get("ETag")

	_, h, body = get(url, map[string]string{"Accept-Encoding": "gzip, br"})
	require.Equal(t, "br", h.Get("Content-Encoding"))
	require.Equal(t, "brotli form", body)
	require.NotEqual(t, plainTag, h.Get("ETag"), "each form has its own tag")

	_, h, body = get(url, map[string]string{"Accept-Encoding": "gzip;q=1.0, br;q=0"})
	require.Equal(t, "gzip", h.Get("Content-Encoding"))
	zr, err := gzip.NewReader(strings.NewReader(body))
	require.NoError(t, err)
	raw, err := io.ReadAll(zr)
	require.NoError(t, err)
	require.True(t, bytes.Equal(css, raw))

	code, _, body = get(url, map[string]string{"If-None-Match": `"x", ` + plainTag})
	require.Equal(t, http.StatusNotModified, code)
	require.Empty(t, body)

	_, h, _ = get("/assets/js/shop.js", nil)
	require.Equal(t, "no-cache", h.Get("Cache-Control"), "a plain name may change")
	require.Equal(t, "text/javascript; charset=utf-8", h.Get("Content-Type"))
	_, h, _ = get("/assets/img/logo.webp", map[string]string{"Accept-Encoding": "gzip"})
	require.Empty(t, h.Get("Content-Encoding"))
	require.Equal(t, "image/webp", h.Get("Content-Type"))

	for _, bad := range []string{"/assets/", "/assets/js/", "/assets/nope", "/assets/app.css.br", "/assets/%2e%2e/go.mod", "/assets/app.0000000000000000.css"} {
		code, _, _ = get(bad, nil)
		require.Equal(t, 404, code, bad)
	}
	w := request{method: "HEAD", target: url}.do(mux)
	require.Equal(t, 200, w.Code)
	require.Empty(t, w.Body.String())
}

func TestAssetsPrefix(t *testing.T) {
	t.Parallel()
	_, err := NewAssets(fstest.MapFS{}, "assets")
	require.Error(t, err)
}
