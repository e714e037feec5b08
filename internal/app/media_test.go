package app

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"panshi/internal/clock"
	"panshi/internal/guard"
	"panshi/internal/i18n"
	"panshi/internal/web"
)

func TestMediaAnswersForItsFilesOnly(t *testing.T) {
	texts, err := i18n.Load()
	require.NoError(t, err)
	limits, err := guard.New(guard.DefaultConfig(), clock.System{})
	require.NoError(t, err)
	audience := web.Audience{Name: "media", Headers: web.APIHeaders()}
	mux, err := web.NewMux(web.DefaultConfig(), limits, limits, audience)
	require.NoError(t, err)
	require.NoError(t, mux.Add(audience, mediaRoute()))
	stack, err := web.NewStack(web.DefaultConfig(), texts, slog.New(slog.DiscardHandler), clock.System{})
	require.NoError(t, err)
	get := func(target string) *httptest.ResponseRecorder {
		rec := httptest.NewRecorder()
		stack.Wrap(mux).ServeHTTP(rec, httptest.NewRequest(http.MethodGet, target, nil))
		return rec
	}
	for _, name := range []string{"none.svg", "%ff", "a%00b", "index.html", "..%2fdoc.go", "%2e%2e%2f%2e%2e%2fetc%2fpasswd", "."} {
		answer := get("/media/demo/" + name)
		require.Equal(t, http.StatusNotFound, answer.Code, name)
		require.Equal(t, "application/problem+json", answer.Header().Get("Content-Type"), name)
		require.Equal(t, "no-store", answer.Header().Get("Cache-Control"), name)
	}
	const name = "pixel-farm-diamonds.svg"
	answer := get("/media/demo/" + name)
	require.Equal(t, http.StatusOK, answer.Code)
	require.Equal(t, "public, max-age=86400", answer.Header().Get("Cache-Control"))
	require.NotEmpty(t, answer.Body.Bytes())
}
