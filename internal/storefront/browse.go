package storefront

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"panshi/internal/catalog"
	"panshi/internal/errs"
	"panshi/internal/i18n"
	"panshi/internal/money"
	"panshi/internal/order"
	"panshi/internal/stock"
)

// shelf is how many products one page of a list shows.
const shelf = 20

// aboveFold is how many pictures a browser loads at once; the rest wait until
// they are scrolled to.
const aboveFold = 4

// fewLeft is the stock from which a card says how many are left.
const fewLeft = 10

// listData is the home page, a category or the result of a search.
type listData struct {
	Home       bool
	ShopName   string // over the door, on the home page
	Tagline    string
	Heading    string
	Notice     []string
	Categories []categoryLink
	Total      bool // "all goods" is the current shelf
	Cards      []card
	More       string // address of the next page; "" on the last
	Problem    string // what is wrong with the search text
	Empty      string // what to say when there is no card
}

type categoryLink struct {
	Title, Path string
	Products    int
	Current     bool
}

// card is a product in a list.
type card struct {
	Slug, Title, Summary, Image string
	Price                       money.Amount
	From                        bool // several prices
	Stock                       stockView
	Lazy                        bool
}

// stockView says how much there is: Level is "plenty", "few" or "none".
type stockView struct {
	Level string
	Left  int
}

func stockOf(available int64) stockView {
	switch {
	case available <= 0:
		return stockView{Level: "none"}
	case available <= fewLeft:
		return stockView{Level: "few", Left: int(available)}
	}
	return stockView{Level: "plenty"}
}

func (s *Shop) home(v *visit) error {
	q, err := v.query()
	if err != nil {
		return err
	}
	d := listData{
		Home: true, Total: true, ShopName: pick(v.lang, v.shop.Name, v.shop.NameEN),
		Tagline: pick(v.lang, v.shop.Tagline, v.shop.TaglineEN), Heading: s.text(v, "shop.list.all"), Empty: s.text(v, "shop.list.empty"),
		Notice: paragraphs(pick(v.lang, v.shop.Notice, v.shop.NoticeEN)),
	}
	return s.list(v, catalog.ListQuery{Cursor: q.Get("cursor")}, screen{Description: d.Tagline}, d)
}

func (s *Shop) category(v *visit) error {
	q, err := v.query()
	if err != nil {
		return err
	}
	slug := v.r.PathValue("slug")
	all, err := s.Catalog.Categories(v.r.Context(), v.shop.ID)
	if err != nil {
		return err
	}
	for _, c := range all {
		if c.Slug == slug {
			title := c.In(string(v.lang))
			d := listData{Heading: title, Empty: s.text(v, "shop.list.empty")}
			return s.list(v, catalog.ListQuery{Category: slug, Cursor: q.Get("cursor")}, screen{Title: title}, d)
		}
	}
	return errs.New(errs.NotFound, "category_not_found", "there is no such category")
}

func (s *Shop) search(v *visit) error {
	q, err := v.query()
	if err != nil {
		return err
	}
	text := strings.TrimSpace(q.Get("q"))
	heading := s.text(v, "shop.search.heading", "text", text)
	if text == "" {
		heading = s.text(v, "shop.list.all")
	}
	d := listData{Heading: heading, Empty: s.text(v, "shop.search.empty")}
	sc := screen{Title: heading, Query: text}
	return s.list(v, catalog.ListQuery{Text: text, Cursor: q.Get("cursor")}, sc, d)
}

// list shows one page of products. A search text that is too long is told
// beside the box.
func (s *Shop) list(v *visit, q catalog.ListQuery, sc screen, d listData) error {
	if err := v.open(); err != nil {
		return err
	}
	ctx, status := v.r.Context(), http.StatusOK
	categories, err := s.Catalog.Categories(ctx, v.shop.ID)
	if err != nil {
		return err
	}
	q.Limit = shelf
	page, err := s.Catalog.List(ctx, v.shop.ID, q)
	if problem := fieldError(err, "q"); problem != nil {
		d.Problem, d.Empty, status, err = s.text(v, "shop.search.too_long"), "", http.StatusUnprocessableEntity, nil
		sc.Title, d.Heading, sc.Query = s.text(v, "shop.search.title"), s.text(v, "shop.search.title"), ""
	}
	if err != nil {
		return err
	}
	d.Categories = categoryLinks(categories, v.lang, q.Category)
	d.Cards = cards(page.Items, v.lang)
	if page.Next != "" {
		next := v.r.URL.Query()
		next.Set("cursor", page.Next)
		next.Del("lang")
		d.More = v.r.URL.EscapedPath() + "?" + next.Encode()
	}
	sc.Data = d
	return s.show(v, status, "list", sc)
}

// fieldError gives the error about a field, nil if err is another one.
func fieldError(err error, field string) *errs.Error {
	var e *errs.Error
	if errors.As(err, &e) && e.Field == field {
		return e
	}
	return nil
}

func categoryLinks(all []catalog.Category, lang i18n.Lang, current string) []categoryLink {
	out := make([]categoryLink, 0, len(all))
	for _, c := range all {
		out = append(out, categoryLink{
			Title: c.In(string(lang)), Path: "/c/" + url.PathEscape(c.Slug), Products: c.Products, Current: c.Slug == current,
		})
	}
	return out
}

func cards(products []catalog.Product, lang i18n.Lang) []card {
	out := make([]card, 0, len(products))
	for i, p := range products {
		title, summary, _ := p.In(string(lang))
		out = append(out, card{
			Slug: p.Slug, Title: title, Summary: summary, Image: p.Image, Price: p.PriceFrom(),
			From: severalPrices(p), Stock: stockOf(p.Available()), Lazy: i >= aboveFold,
		})
	}
	return out
}

func severalPrices(p catalog.Product) bool {
	lowest := p.PriceFrom()
	for _, k := range p.SKUs {
		if k.On && k.Price != lowest {
			return true
		}
	}
	return false
}

// paragraphs splits a text at its blank lines.
func paragraphs(text string) []string {
	var out []string
	for part := range strings.SplitSeq(strings.ReplaceAll(text, "\r\n", "\n"), "\n\n") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out
}

// productData is a product's page.
type productData struct {
	Slug, Title, Summary, Image, Kind string
	Description                       []string
	Category                          *categoryLink
	SKUs                              []skuView
	Price                             money.Amount
	From                              bool
	Stock                             stockView
	PerOrder, PerContact              int // 0: nothing to tell
	Max                               int // of the quantity
}

type skuView struct {
	ID      string
	Title   string
	Price   money.Amount
	Stock   stockView
	Checked bool
}

func (s *Shop) product(v *visit) error {
	if err := v.open(); err != nil {
		return err
	}
	p, err := s.Catalog.BySlug(v.r.Context(), v.shop.ID, v.r.PathValue("slug"))
	if err != nil {
		return err
	}
	if !p.On {
		return catalog.ErrProductNotFound
	}
	categories, err := s.Catalog.Categories(v.r.Context(), v.shop.ID)
	if err != nil {
		return err
	}
	d := productOf(p, v.lang)
	for _, c := range categories {
		if c.ID == p.CategoryID {
			d.Category = &categoryLink{Title: c.In(string(v.lang)), Path: "/c/" + url.PathEscape(c.Slug)}
		}
	}
	return s.show(v, http.StatusOK, "product", screen{Title: d.Title, Description: d.Summary, Data: d})
}

func productOf(p catalog.Product, lang i18n.Lang) productData {
	title, summary, description := p.In(string(lang))
	d := productData{
		Slug: p.Slug, Title: title, Summary: summary, Image: p.Image, Kind: string(p.Kind),
		Description: paragraphs(description), Price: p.PriceFrom(), From: severalPrices(p), Stock: stockOf(p.Available()),
		PerOrder: p.PerOrderLimit, PerContact: p.PerContactLimit, Max: maxQuantity(p),
	}
	chosen := false
	for _, k := range p.SKUs {
		if !k.On {
			continue
		}
		sku := skuView{ID: k.ID.String(), Title: k.In(string(lang)), Price: k.Price, Stock: stockOf(k.Available)}
		if sku.Title == "" {
			sku.Title = title
		}
		if sku.Stock.Level != "none" && !chosen {
			sku.Checked, chosen = true, true
		}
		d.SKUs = append(d.SKUs, sku)
	}
	return d
}

// maxQuantity is the most that the quantity field accepts: the product's own
// limits, what one order may have of its kind, and no more than the fullest of
// its SKUs has.
func maxQuantity(p catalog.Product) int {
	most := order.MaxQuantity
	if p.Kind == catalog.Card {
		most = order.MaxCards
	}
	for _, limit := range []int{p.PerOrderLimit, p.PerContactLimit} {
		if limit > 0 {
			most = min(most, limit)
		}
	}
	var fullest int64
	for _, k := range p.SKUs {
		if k.On && k.Mode == stock.Unlimited {
			return most
		}
		if k.On {
			fullest = max(fullest, k.Available)
		}
	}
	return max(1, min(most, int(fullest)))
}
