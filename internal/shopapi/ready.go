package shopapi

import (
	"context"
	"net/http"
	"strings"

	"panshi/internal/cache"
	"panshi/internal/i18n"
	"panshi/internal/web"
)

// What everybody gets alike is kept ready: lists from their beginning, single
// products and the categories. A request that is spelt otherwise than we spell
// it, searches or turns pages goes the ordinary way, so that strangers cannot
// fill the cache with spellings. The ways to pay are not kept: each is asked
// for once an order, and whether it can be used changes without a change of
// the catalogue.

// aboutReady: whoever keeps an answer asks again each time, which costs a 304:
// what is sold out must not be offered from a browser's memory.
func aboutReady() web.About {
	return web.About{ContentType: "application/json", CacheControl: "no-cache", Vary: "Accept-Language"}
}

// The kinds of entries.
const (
	readyList       = "api.list"
	readyProduct    = "api.product"
	readyCategories = "api.categories"
)

// keeper makes the Ready of an operation: key tells what a request wants, all
// but shop and language, or that it is not one of those that are kept; read
// makes the body that the operation would answer with.
func (a *api) keeper(key func(r *http.Request) (cache.Key, bool), read func(ctx context.Context, k cache.Key) (any, error)) func(http.ResponseWriter, *http.Request) (bool, error) {
	load := func(ctx context.Context, k cache.Key) (*web.Ready, error) {
		value, err := read(ctx, k)
		if err != nil {
			return nil, err
		}
		body, err := web.EncodeJSON(value)
		if err != nil {
			return nil, err
		}
		return a.packer.Pack(aboutReady(), body)
	}
	return func(w http.ResponseWriter, r *http.Request) (bool, error) {
		k, ok := key(r)
		if !ok || a.deps.Ready.Off() {
			return false, nil
		}
		ctx := r.Context()
		shop, err := a.deps.Shops.ByHost(ctx, web.Host(ctx))
		if err != nil {
			return true, err
		}
		k.Merchant, k.Lang = shop.ID, string(web.Lang(ctx))
		answer, ok := a.deps.Ready.Fresh(k)
		if !ok {
			wanted := k // a k in the closure would cost every request an allocation
			answer, err = a.deps.Ready.Get(ctx, k, func(ctx context.Context) (*web.Ready, error) { return load(ctx, wanted) })
		}
		if err != nil {
			return true, err
		}
		return true, answer.Serve(w, r)
	}
}

const (
	defaultLimit = 20
	maxLimit     = 100
	maxSlug      = 80
)

// listKey reads "limit=" and "category=", in any order, as we write them.
func listKey(r *http.Request) (cache.Key, bool) {
	k := cache.Key{Kind: readyList}
	for rest := r.URL.RawQuery; rest != ""; {
		var item string
		item, rest, _ = strings.Cut(rest, "&")
		name, value, _ := strings.Cut(item, "=")
		switch {
		case name == "limit" && k.Limit == 0:
			k.Limit = plainNumber(value)
			if k.Limit < 1 || k.Limit > maxLimit {
				return k, false
			}
		case name == "category" && k.Name == "" && plainSlug(value):
			k.Name = value
		default:
			return k, false
		}
	}
	if k.Limit == 0 {
		k.Limit = defaultLimit
	}
	return k, true
}

// plainNumber reads up to three digits without a leading zero; 0 is anything
// else.
func plainNumber(s string) (n int) {
	if s == "" || len(s) > 3 || s[0] == '0' {
		return 0
	}
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return 0
		}
		n = n*10 + int(c-'0')
	}
	return n
}

func plainSlug(s string) bool {
	return s != "" && len(s) <= maxSlug && plain(s, func(c byte) bool {
		return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_'
	})
}

func plain(s string, allowed func(byte) bool) bool {
	for i := range len(s) {
		if !allowed(s[i]) {
			return false
		}
	}
	return true
}

// productKey takes ids as we spell them.
func productKey(r *http.Request) (cache.Key, bool) {
	text := r.PathValue("id")
	ok := r.URL.RawQuery == "" && len(text) == 36 && plain(text, func(c byte) bool {
		return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c == '-'
	})
	return cache.Key{Kind: readyProduct, Name: text}, ok
}

func categoriesKey(r *http.Request) (cache.Key, bool) {
	return cache.Key{Kind: readyCategories}, r.URL.RawQuery == ""
}

func (a *api) readList(ctx context.Context, k cache.Key) (any, error) {
	return a.list(ctx, k.Merchant, i18n.Lang(k.Lang), &listProductsIn{Page: web.Page{Limit: k.Limit}, Category: k.Name})
}

func (a *api) readProduct(ctx context.Context, k cache.Key) (any, error) {
	return a.product(ctx, k.Merchant, i18n.Lang(k.Lang), k.Name)
}

func (a *api) readCategories(ctx context.Context, k cache.Key) (any, error) {
	return a.categories(ctx, k.Merchant, i18n.Lang(k.Lang))
}
