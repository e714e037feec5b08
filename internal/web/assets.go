package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"

	"panshi/internal/errs"
	"panshi/internal/perm"
)

// Assets serves embedded files under names that hold a hash of their content
// ("app.3f2a9c01d4e5b6a7.css"), so that browsers keep them for ever. The plain
// name works too, for references between files, and is asked for again each
// time. Files are read and compressed once, at start; a file "x.br" beside "x"
// is x compressed by Brotli.
type Assets struct {
	prefix string
	built  bool              // plain names hold a hash already
	names  map[string]*asset // by plain name
	served map[string]*asset // by plain and by hashed name
}

// asset is one file. It does not change.
type asset struct {
	hashed string // its name with the hash
	kind   string // Content-Type
	etag   string // without quotes
	plain  []byte
	gzip   []byte // nil where it does not pay
	brotli []byte // nil if there is none
}

const (
	assetHashLen = 16 // hexadecimal digits: 64 bits
	// leastGain is what compression must save to be worth a Vary.
	leastGain = 64
)

// NewAssets reads every file of fsys, to be served under prefix ("/assets/").
func NewAssets(fsys fs.FS, prefix string) (*Assets, error) {
	if !strings.HasPrefix(prefix, "/") || !strings.HasSuffix(prefix, "/") {
		return nil, errs.New(errs.Internal, "assets_unreadable", "the prefix must begin and end with /")
	}
	a := &Assets{prefix: prefix, names: map[string]*asset{}, served: map[string]*asset{}}
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := fs.ReadFile(fsys, name)
		if err == nil && !strings.HasSuffix(name, ".br") {
			a.add(name, raw, sidecar(fsys, name+".br"))
		}
		return err
	})
	if err != nil {
		return nil, errs.Wrap(err, errs.Internal, "assets_unreadable", "the assets cannot be read")
	}
	return a, nil
}

// NewBuiltAssets serves files whose names hold a hash of their content already,
// as bundlers write them: all of them are kept for ever.
func NewBuiltAssets(fsys fs.FS, prefix string) (*Assets, error) {
	a, err := NewAssets(fsys, prefix)
	if err != nil {
		return nil, err
	}
	a.built = true
	return a, nil
}

// sidecar gives a file's content, nil if there is none.
func sidecar(fsys fs.FS, name string) []byte {
	raw, err := fs.ReadFile(fsys, name)
	if err != nil {
		return nil
	}
	return raw
}

func (a *Assets) add(name string, raw, brotli []byte) {
	sum := sha256.Sum256(raw)
	hash := hex.EncodeToString(sum[:])[:assetHashLen]
	ext := path.Ext(name)
	kind := contentType(ext)
	file := &asset{hashed: strings.TrimSuffix(name, ext) + "." + hash + ext, kind: kind, etag: hash, plain: raw, brotli: brotli}
	if compressible(kind) {
		file.gzip = zip(raw)
	}
	a.names[name] = file
	a.served[name], a.served[file.hashed] = file, file
}

// contentType does not ask the machine's tables, which differ.
func contentType(ext string) string {
	switch ext {
	case ".js", ".mjs":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".html":
		return "text/html; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	case ".json", ".map":
		return "application/json"
	case ".webmanifest":
		return "application/manifest+json"
	case ".txt":
		return "text/plain; charset=utf-8"
	case ".woff2":
		return "font/woff2"
	case ".ico":
		return "image/x-icon"
	case ".png", ".jpg", ".jpeg", ".gif", ".webp", ".avif":
		return mime.TypeByExtension(ext) // built into Go
	}
	return "application/octet-stream"
}

func compressible(kind string) bool {
	return strings.HasPrefix(kind, "text/") || kind == "image/svg+xml" || kind == "image/x-icon" || strings.HasSuffix(kind, "json")
}

// zip compresses, or gives nil where that gains too little.
func zip(raw []byte) []byte {
	var buf bytes.Buffer
	w, err := gzip.NewWriterLevel(&buf, gzip.BestCompression)
	if err != nil {
		return nil
	}
	if _, err := w.Write(raw); err != nil || w.Close() != nil || buf.Len()+leastGain > len(raw) {
		return nil
	}
	return buf.Bytes()
}

// URL gives the address of a file, with its hash. A name that does not exist
// is an error, so that a template with a wrong name fails its test.
func (a *Assets) URL(name string) (string, error) {
	file, ok := a.names[name]
	if !ok {
		return "", errs.New(errs.Internal, "asset_missing", "there is no asset "+strconv.Quote(name))
	}
	return a.prefix + file.hashed, nil
}

// Route is the row that serves the files.
func (a *Assets) Route() Route {
	return Route{
		Method: http.MethodGet, Pattern: a.prefix + "{name...}", Permission: perm.Anyone,
		Priority: perm.Normal, Limit: LimitStatic, Handler: a.serve,
	}
}

func (a *Assets) serve(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("name")
	file, ok := a.served[name]
	if !ok {
		return errs.New(errs.NotFound, "not_found", "there is no such file")
	}
	h := w.Header()
	h.Set("Cache-Control", "no-cache")
	if a.built || name == file.hashed {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	body, encoding := file.choose(r.Header.Get("Accept-Encoding"))
	if file.gzip != nil || file.brotli != nil {
		h.Set("Vary", "Accept-Encoding")
	}
	etag := `"` + file.etag + encoding + `"`
	h.Set("ETag", etag)
	if matches(r.Header.Get("If-None-Match"), etag) {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	h.Set("Content-Type", file.kind)
	if encoding != "" {
		h.Set("Content-Encoding", encoding)
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) //nolint:gosec // our own files; a caller who has gone is no fault of ours
	}
	return nil
}

// choose picks the smallest form that the caller understands.
func (f *asset) choose(accept string) (body []byte, encoding string) {
	c := accepted(accept).best(func(c coding) bool { return len(f.form(c)) > 0 })
	return f.form(c), c.name()
}

func (f *asset) form(c coding) []byte { return [codings][]byte{f.plain, f.gzip, f.brotli}[c] }

// matches tells whether an If-None-Match header names etag.
func matches(header, etag string) bool {
	for item := range strings.SplitSeq(header, ",") {
		if item = strings.TrimPrefix(strings.TrimSpace(item), "W/"); item == etag || item == "*" {
			return true
		}
	}
	return false
}
