package consoleapi

import (
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

// The console is one document for every address below /app/, and its files are
// kept for ever.
func TestConsoleIsServed(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	w := k.do(ask{path: "/"})
	require.Equal(t, 303, w.Code)
	require.Equal(t, "/app/", w.Header().Get("Location"))
	for _, path := range []string{"/app/", "/app/orders/2026AB", "/app/sign-in"} {
		w = k.do(ask{path: path})
		require.Equal(t, 200, w.Code)
		page := w.Body.String()
		require.NotRegexp(t, `(?i)<script[^>]*>[^<]|<style|\sstyle=|\son\w+=|https?://`, page, "nothing inline, nothing from elsewhere")
		policy := w.Header().Get("Content-Security-Policy")
		require.Contains(t, policy, "script-src 'self'; style-src 'self'")
		require.NotContains(t, policy, "unsafe")
		require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
		files := regexp.MustCompile(`/console/app/[\w./-]+`).FindAllString(page, -1)
		require.NotEmpty(t, files)
		for _, file := range files {
			w := k.do(ask{path: file, header: map[string]string{"Accept-Encoding": "gzip"}})
			require.Equal(t, 200, w.Code, file)
			require.Equal(t, "gzip", w.Header().Get("Content-Encoding"), file)
			require.Equal(t, "public, max-age=31536000, immutable", w.Header().Get("Cache-Control"), file)
		}
	}
	require.Equal(t, 404, k.do(ask{path: "/console/app/assets/none.js"}).Code)
	require.Equal(t, 404, k.do(ask{path: "/elsewhere"}).Code)
}
