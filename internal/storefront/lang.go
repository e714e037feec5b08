package storefront

import (
	"net/http"
	"strings"
	"time"

	"panshi/internal/i18n"
	"panshi/internal/web"
)

const (
	langCookie = "lang"
	langAge    = 365 * 24 * time.Hour
)

// chooseLang finds the language to answer in: the address's lang= (which is
// remembered), the cookie, else Accept-Language.
func (s *Shop) chooseLang(w http.ResponseWriter, r *http.Request) i18n.Lang {
	lang := i18n.Negotiate(r.Header.Get("Accept-Language"))
	if asked, ok := i18n.Parse(queryLang(r)); ok {
		s.rememberLang(w, r, asked)
		lang = asked
	} else if c, err := r.Cookie(langCookie); err == nil { // which costs nothing if there is no cookie
		if chosen, ok := i18n.Parse(c.Value); ok {
			lang = chosen
		}
	}
	web.SetLang(r.Context(), lang)
	return lang
}

// queryLang spares an address without a query the reading of it.
func queryLang(r *http.Request) string {
	if r.URL.RawQuery == "" {
		return ""
	}
	return r.URL.Query().Get("lang")
}

func (s *Shop) rememberLang(w http.ResponseWriter, r *http.Request, lang i18n.Lang) {
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // Secure follows how the buyer reaches us: a shop on plain http must work on loopback
		Name: langCookie, Value: string(lang), Path: "/", MaxAge: int(langAge / time.Second),
		HttpOnly: true, Secure: s.secure(r), SameSite: http.SameSiteLaxMode,
	})
}

// switchLang remembers a language and goes back to where the buyer was.
func (s *Shop) switchLang(v *visit) error {
	q, err := v.query()
	if err != nil {
		return err
	}
	if lang, ok := i18n.Parse(q.Get("to")); ok {
		s.rememberLang(v.w, v.r, lang)
	}
	return v.see(localPath(q.Get("back")))
}

// localPath keeps a path of this shop and turns everything else into the home
// page, so that no link through us leads to somebody else's site.
func localPath(back string) string {
	ok := strings.HasPrefix(back, "/") && !strings.HasPrefix(back, "//") && len(back) <= 2048
	if !ok || strings.ContainsFunc(back, func(c rune) bool { return c < 0x21 || c == '\\' || c == 0x7f }) {
		return "/"
	}
	return back
}
