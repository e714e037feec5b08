package web

import "strings"

// coding is a form in which a body may be sent.
type coding int

// The codings, the smallest form last.
const (
	identity coding = iota
	gzipped
	brotlied
	codings
)

// name is how HTTP calls a coding.
func (c coding) name() string { return [codings]string{"", "gzip", "br"}[c] }

// weights are what an Accept-Encoding header (RFC 9110, 12.5.3) gives each
// coding, in thousandths; 0 refuses.
type weights [codings]int

// unsaid marks a coding that the header does not name.
const unsaid = -1

// accepted reads an Accept-Encoding header. A caller who sends none gets the
// plain form.
func accepted(header string) weights {
	w := weights{unsaid, unsaid, unsaid}
	others := 0
	for header != "" {
		var item string
		item, header, _ = strings.Cut(header, ",")
		name, params, _ := strings.Cut(item, ";")
		weight := thousandths(params)
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "br":
			w[brotlied] = weight
		case "gzip", "x-gzip":
			w[gzipped] = weight
		case "identity":
			w[identity] = weight
		case "*":
			others = weight
		}
	}
	for c := range w {
		if w[c] == unsaid {
			w[c] = others
		}
	}
	if others == 0 {
		w[identity] = max(w[identity], 1) // the least of all, and still better than no answer
	}
	return w
}

// thousandths reads "q=0.5" as 500; nothing is 1000, rubbish is a refusal.
func thousandths(params string) int {
	value, ok := strings.CutPrefix(strings.TrimSpace(params), "q=")
	if !ok {
		return 1000
	}
	whole, fraction, _ := strings.Cut(value, ".")
	if whole != "0" && whole != "1" || len(fraction) > 3 {
		return 0
	}
	n := int(whole[0] - '0')
	for i := range 3 {
		n *= 10
		if i < len(fraction) {
			if fraction[i] < '0' || fraction[i] > '9' {
				return 0
			}
			n += int(fraction[i] - '0')
		}
	}
	return min(n, 1000)
}

// best picks the coding that weighs most among those that are there, the
// smallest form of equals.
func (w weights) best(there func(coding) bool) coding {
	best := identity
	for c := gzipped; c < codings; c++ {
		if w[c] > 0 && w[c] >= w[best] && there(c) {
			best = c
		}
	}
	return best
}
