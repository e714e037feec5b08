// Package i18n holds every text that a person reads, in zh-CN and en. The
// texts are JSON files in catalogues/, one file an area and language
// ("errors.zh-CN.json"), each a flat object from key to text; a text names its
// values as {placeholder}. Both languages carry the same keys with the same
// placeholders, which the tests hold.
//
// An area is added by adding its two files; keys begin with the area's name:
//
//	catalogues/shop.zh-CN.json   {"shop.cart.total": "合计 {amount}"}
//	catalogues/shop.en.json      {"shop.cart.total": "Total {amount}"}
//
//	texts, err := i18n.Load()
//	lang := i18n.Negotiate(r.Header.Get("Accept-Language"))
//	line := texts.Text(lang, "shop.cart.total", map[string]string{"amount": "12.00"})
//
// A text that differs by number has two keys, ".one" and ".other", and is asked
// for with Count. In Chinese both say the same.
//
// The texts of errors are "error.<code>"; "error.<code>.<param>" is the longer
// form that package web prefers when the error carries that parameter.
package i18n
