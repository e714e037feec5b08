package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"strconv"
	"sync"

	"github.com/andybalholm/brotli"

	"panshi/internal/errs"
)

// How hard answers are compressed. They are made anew whenever what they show
// changes, up to once a second, so the levels are those at which a page of
// 20 KB takes about a millisecond.
const (
	gzipLevel   = 6
	brotliLevel = 5
)

// About says what belongs to an answer beside its body.
type About struct {
	ContentType     string
	ContentLanguage string // "" for none
	CacheControl    string
	Vary            string // Accept-Encoding is added
}

// Ready is an answer of status 200 that is kept ready in every coding, with
// headers made. It does not change, and serving it allocates nothing.
type Ready struct {
	headers []headerLine
	forms   [codings]form
}

// form is a body in one coding; the zero form is not there.
type form struct {
	body   []byte
	etag   []string
	length []string
	coding []string
}

// Packer makes Ready answers. It keeps the compressors, which are large, for
// the next. It is safe for use by many goroutines.
type Packer struct {
	gzips   sync.Pool
	brotlis sync.Pool
}

// NewPacker returns a Packer.
func NewPacker() *Packer { return &Packer{} }

// Pack makes body an answer. Body belongs to it from now on.
func (p *Packer) Pack(about About, body []byte) (*Ready, error) {
	sum := sha256.Sum256(body)
	tag := hex.EncodeToString(sum[:assetHashLen/2])
	a := &Ready{}
	vary := "Accept-Encoding"
	if about.Vary != "" {
		vary = about.Vary + ", " + vary
	}
	for _, h := range []struct{ name, value string }{
		{"Content-Type", about.ContentType},
		{"Content-Language", about.ContentLanguage},
		{"Cache-Control", about.CacheControl},
		{"Vary", vary},
	} {
		if h.value != "" {
			a.headers = append(a.headers, headerLine{h.name, []string{h.value}})
		}
	}
	a.forms[identity] = formOf(body, tag, identity)
	for c, write := range map[coding]func(io.Writer, []byte) error{gzipped: p.gzip, brotlied: p.brotli} {
		var buf bytes.Buffer
		if err := write(&buf, body); err != nil {
			return nil, errs.Wrap(err, errs.Internal, "internal", "an answer could not be compressed")
		}
		if buf.Len()+leastGain <= len(body) {
			a.forms[c] = formOf(bytes.Clone(buf.Bytes()), tag, c)
		}
	}
	return a, nil
}

// formOf makes a form with an entity tag of its own: the bytes differ, and a
// strong tag says that they do not.
func formOf(body []byte, tag string, c coding) form {
	f := form{body: body, length: []string{strconv.Itoa(len(body))}}
	if c != identity {
		tag += "-" + c.name()
		f.coding = []string{c.name()}
	}
	f.etag = []string{`"` + tag + `"`}
	return f
}

func (p *Packer) gzip(w io.Writer, body []byte) error {
	z, ok := p.gzips.Get().(*gzip.Writer)
	if !ok {
		var err error
		if z, err = gzip.NewWriterLevel(w, gzipLevel); err != nil {
			return err
		}
	}
	defer p.gzips.Put(z)
	z.Reset(w)
	if _, err := z.Write(body); err != nil {
		return err
	}
	return z.Close()
}

func (p *Packer) brotli(w io.Writer, body []byte) error {
	z, ok := p.brotlis.Get().(*brotli.Writer)
	if !ok {
		z = brotli.NewWriterLevel(w, brotliLevel)
	}
	defer p.brotlis.Put(z)
	z.Reset(w)
	if _, err := z.Write(body); err != nil {
		return err
	}
	return z.Close()
}

// Size tells how many bytes the answer takes in memory.
func (a *Ready) Size() int {
	const fixed = 1 << 10 // headers, tags and the place in a cache
	n := fixed
	for _, f := range a.forms {
		n += cap(f.body)
	}
	return n
}

// Body gives the plain form, for tests and for callers that embed it. It must
// not be changed.
func (a *Ready) Body() []byte { return a.forms[identity].body }

// Serve answers r with the form that suits it, or with 304 if the caller has
// it already.
func (a *Ready) Serve(w http.ResponseWriter, r *http.Request) error {
	f := &a.forms[accepted(r.Header.Get("Accept-Encoding")).best(a.has)]
	h := w.Header()
	setLines(h, a.headers)
	h["Etag"] = f.etag
	if has := r.Header.Get("If-None-Match"); has != "" && matches(has, f.etag[0]) {
		delete(h, "Content-Type")
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	if f.coding != nil {
		h["Content-Encoding"] = f.coding
	}
	h["Content-Length"] = f.length
	w.WriteHeader(http.StatusOK)
	if r.Method != http.MethodHead {
		_, _ = w.Write(f.body) // a caller who has gone is no fault of ours
	}
	return nil
}

func (a *Ready) has(c coding) bool { return a.forms[c].etag != nil }
