package sandbox

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	ordersPerPage = 20
	langChinese   = "zh-CN"
	langEnglish   = "en"
)

// pageSet holds the templates and the texts of both languages.
type pageSet struct {
	templates map[string]*template.Template
	texts     map[string]map[string]string
}

func loadPages() (*pageSet, error) {
	set := &pageSet{templates: map[string]*template.Template{}, texts: map[string]map[string]string{}}
	for _, name := range []string{"orders", "scan", "paid", "problem"} {
		t, err := template.New("layout.html").Option("missingkey=error").
			ParseFS(assets, "assets/layout.html", "assets/"+name+".html")
		if err != nil {
			return nil, fmt.Errorf("sandbox: page %s: %w", name, err)
		}
		set.templates[name] = t
	}
	for _, lang := range []string{langChinese, langEnglish} {
		raw, err := assets.ReadFile("assets/text." + lang + ".json")
		if err != nil {
			return nil, fmt.Errorf("sandbox: texts: %w", err)
		}
		texts := map[string]string{}
		if err := json.Unmarshal(raw, &texts); err != nil {
			return nil, fmt.Errorf("sandbox: texts %s: %w", lang, err)
		}
		set.texts[lang] = texts
	}
	return set, nil
}

// screen is one page to show: a template, a status, and what the template needs.
type screen struct {
	name   string
	status int
	title  string // key of the text that is the page's title
	data   any
	to     string // address to go to instead, if not empty
}

// frame is what every template gets.
type frame struct {
	T      map[string]string
	Lang   string
	Title  string
	Other  string // address of this page in the other language
	Forced string // lang parameter to keep, or empty
	Home   string
	D      any
}

// page wraps a function that decides on a screen.
func (s *Sandbox) page(show func(*http.Request) screen) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		sc := show(r)
		if sc.to != "" {
			http.Redirect(w, r, sc.to, http.StatusSeeOther)
			return
		}
		lang, forced := chooseLanguage(r)
		f := frame{T: s.views.texts[lang], Lang: lang, Forced: forced, D: sc.data, Home: "/"}
		f.Title, f.Other = f.T[sc.title], otherLanguage(r, lang)
		if forced != "" {
			f.Home = "/?lang=" + forced
		}
		var out bytes.Buffer
		if err := s.views.templates[sc.name].Execute(&out, f); err != nil {
			s.log.Error("sandbox page", "page", sc.name, "error", err)
			http.Error(w, "page cannot be shown", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Language", lang)
		w.Header().Set("Vary", "Accept-Language")
		w.WriteHeader(sc.status)
		_, _ = w.Write(out.Bytes()) // the browser has gone: nobody is left to tell
	}
}

// chooseLanguage follows the lang parameter (then also returned as forced), else Accept-Language, else Chinese.
func chooseLanguage(r *http.Request) (lang, forced string) {
	if lang = languageOf(r.FormValue("lang")); lang != "" {
		return lang, lang
	}
	best, weight := langChinese, 0.0
	for part := range strings.SplitSeq(r.Header.Get("Accept-Language"), ",") {
		tag, params, _ := strings.Cut(part, ";")
		q := 1.0
		if text, ok := strings.CutPrefix(strings.TrimSpace(params), "q="); ok {
			q, _ = strconv.ParseFloat(text, 64) // malformed counts as unwanted
		}
		if known := languageOf(strings.TrimSpace(tag)); known != "" && q > weight {
			best, weight = known, q
		}
	}
	return best, ""
}

func languageOf(tag string) string {
	main, _, _ := strings.Cut(strings.ToLower(tag), "-")
	switch main {
	case "zh":
		return langChinese
	case "en":
		return langEnglish
	}
	return ""
}

func otherLanguage(r *http.Request, lang string) string {
	q := r.URL.Query()
	q.Set("lang", langEnglish)
	if lang == langEnglish {
		q.Set("lang", langChinese)
	}
	path := "/scan"
	if r.URL.Path != path {
		path = "/"
	}
	return path + "?" + q.Encode()
}

// orderCard is a trade as a page shows it.
type orderCard struct {
	Merchant      string
	Description   string
	OutTradeNo    string
	TransactionID string
	Amount        string
	Created       string
	Expires       string
	Paid          string
	Token         string
	ReturnURL     string
}

func card(st *state, t *trade) orderCard {
	out := orderCard{
		Merchant: st.byMchID[t.MchID].Name, Description: t.Description, OutTradeNo: t.OutTradeNo,
		TransactionID: t.TransactionID, Amount: yuan(t.Total), Token: t.Token,
		Created: pageTime(t.CreatedAt), Expires: pageTime(t.ExpiresAt),
	}
	if t.paid() {
		out.Paid = pageTime(t.PaidAt)
	}
	return out
}

func yuan(fen int64) string { return fmt.Sprintf("¥%d.%02d", fen/100, fen%100) }

func pageTime(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05") }

// ordersData is one page of open orders. Links are empty where there is no page to go to.
type ordersData struct {
	Orders []orderCard
	Total  int
	Newer  string
	Older  string
}

func (s *Sandbox) pageOrders(r *http.Request) screen {
	number, err := queryInt(r.URL.Query(), "page", 1, 1, 1_000_000)
	if err != nil {
		number = 1
	}
	skip, now, data := (number-1)*ordersPerPage, s.now(), ordersData{}
	s.view(func(st *state) {
		for i := len(st.trades) - 1; i >= 0; i-- {
			if st.trades[i].status(now) != stateNotPaid {
				continue
			}
			if data.Total >= skip && len(data.Orders) < ordersPerPage {
				data.Orders = append(data.Orders, card(st, st.trades[i]))
			}
			data.Total++
		}
	})
	if number > 1 {
		data.Newer = pageLink(r, number-1)
	}
	if skip+ordersPerPage < data.Total {
		data.Older = pageLink(r, number+1)
	}
	return screen{name: "orders", status: http.StatusOK, title: "orders_title", data: data}
}

func pageLink(r *http.Request, number int) string {
	q := url.Values{"page": {strconv.Itoa(number)}}
	if lang := languageOf(r.URL.Query().Get("lang")); lang != "" {
		q.Set("lang", lang)
	}
	return "/?" + q.Encode()
}

// scanned reads which order a page is about, and where its buyer came from.
func scanned(values url.Values) (token, returnURL string) {
	token = values.Get("pr")
	if codeURL := values.Get("code_url"); codeURL != "" {
		token = tokenOf(codeURL)
	}
	back := cmp.Or(values.Get("return_url"), values.Get("redirect_url")) // WeChat Pay's name for it on H5
	u, err := url.Parse(back)
	if err != nil || len(back) > 2048 || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return token, "" // a link that could run a script or lead nowhere is worse than none
	}
	return token, back
}

func (s *Sandbox) pageScan(r *http.Request) screen {
	token, back := scanned(r.URL.Query())
	var t *trade
	var c orderCard
	s.view(func(st *state) {
		if t = at(st.trades, st.byToken, token); t != nil {
			c = card(st, t)
		}
	})
	if t == nil {
		return problem(http.StatusNotFound, "unknown", back)
	}
	if _, err := s.opened(t); err != nil || s.durable() != nil {
		return problem(http.StatusInternalServerError, "fault", back)
	}
	c.ReturnURL = back
	switch t.status(s.now()) {
	case stateClosed:
		return problem(http.StatusGone, "closed", back)
	case stateNotPaid:
		return screen{name: "scan", status: http.StatusOK, title: "scan_title", data: c}
	}
	return screen{name: "paid", status: http.StatusOK, title: "paid_title", data: c}
}

// pagePay pays and leads back to the order's page, which then shows the receipt and may be reloaded.
func (s *Sandbox) pagePay(r *http.Request) screen {
	if err := r.ParseForm(); err != nil {
		return problem(http.StatusBadRequest, "unknown", "")
	}
	token, back := scanned(r.PostForm)
	t, _, err := s.pay(orderRef{CodeURL: wxCodePrefix + token})
	if err != nil {
		fail := asAPIError(err)
		kind := map[string]string{"ORDER_NOT_EXIST": "unknown", "ORDER_CLOSED": "closed"}[fail.Code]
		if kind == "" {
			kind = "fault"
		}
		return problem(fail.Status, kind, back)
	}
	q := url.Values{"pr": {t.Token}}
	if back != "" {
		q.Set("return_url", back)
	}
	if lang := languageOf(r.PostForm.Get("lang")); lang != "" {
		q.Set("lang", lang)
	}
	return screen{to: "/scan?" + q.Encode()}
}

// problemData tells which texts a problem page shows.
type problemData struct {
	Kind      string
	ReturnURL string
}

func problem(status int, kind, back string) screen {
	return screen{
		name: "problem", status: status, title: kind + "_title", data: problemData{Kind: kind, ReturnURL: back},
	}
}

func (s *Sandbox) pageUnknown(*http.Request) screen {
	return problem(http.StatusNotFound, "missing", "")
}
