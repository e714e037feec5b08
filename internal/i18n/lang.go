package i18n

import (
	"strconv"
	"strings"
)

// Lang is a language that the shop speaks.
type Lang string

// The languages. Chinese is the default: it is what a caller gets who asks for
// nothing, or for nothing that we have.
const (
	Chinese Lang = "zh-CN"
	English Lang = "en"
)

// Languages lists all, the default first.
func Languages() []Lang { return []Lang{Chinese, English} }

// maxRanges bounds how much of an Accept-Language header is read; browsers
// send fewer than ten.
const maxRanges = 16

// Negotiate picks the language that an Accept-Language header (RFC 9110,
// 12.5.4) weighs highest; the first of equals. Any Chinese is zh-CN, any
// English is en.
func Negotiate(acceptLanguage string) Lang {
	best, bestWeight := Chinese, 0.0
	for i := 0; acceptLanguage != "" && i < maxRanges; i++ {
		var item string
		item, acceptLanguage, _ = strings.Cut(acceptLanguage, ",")
		lang, weight := parseRange(item)
		if lang != "" && weight > bestWeight {
			best, bestWeight = lang, weight
		}
	}
	return best
}

// Parse reads a language that a user chose by name, such as a cookie's value.
func Parse(name string) (Lang, bool) {
	for _, l := range Languages() {
		if string(l) == name {
			return l, true
		}
	}
	return Chinese, false
}

// parseRange reads one "en-GB;q=0.8"; lang is "" for a language we lack.
func parseRange(item string) (lang Lang, weight float64) {
	tag, params, _ := strings.Cut(item, ";")
	primary, _, _ := strings.Cut(strings.TrimSpace(tag), "-")
	switch strings.ToLower(primary) {
	case "zh", "*":
		lang = Chinese
	case "en":
		lang = English
	}
	q, found := strings.CutPrefix(strings.TrimSpace(params), "q=")
	if !found {
		return lang, 1
	}
	weight, err := strconv.ParseFloat(q, 64)
	if err != nil || !(weight >= 0 && weight <= 1) { // the negation also refuses NaN
		return lang, 0
	}
	return lang, weight
}
