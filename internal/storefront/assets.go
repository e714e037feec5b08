package storefront

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"

	"panshi/internal/errs"
)

//go:embed assets/*
var assetFiles embed.FS

// assets serves the package's own files under names that hold their content's
// hash, so that browsers may keep them for ever.
type assets struct {
	urls  map[string]string // "shop.css" to "/assets/shop.0123456789ab.css"
	files map[string]asset  // by hashed name
}

type asset struct {
	contentType string
	plain, gzip []byte
}

// hashChars is how much of the SHA-256 a name holds: 48 bits tell versions of
// one file apart.
const hashChars = 12

func loadAssets() (*assets, error) {
	a := &assets{urls: map[string]string{}, files: map[string]asset{}}
	names, err := fs.Glob(assetFiles, "assets/*")
	if err != nil {
		return nil, fmt.Errorf("storefront: %w", err)
	}
	for _, name := range names {
		if err := a.add(name); err != nil {
			return nil, fmt.Errorf("storefront: asset %s: %w", name, err)
		}
	}
	return a, nil
}

func (a *assets) add(name string) error {
	content, err := assetFiles.ReadFile(name)
	if err != nil {
		return err
	}
	packed, err := pack(content)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(content)
	base, ext := path.Base(name), path.Ext(name)
	hashed := strings.TrimSuffix(base, ext) + "." + hex.EncodeToString(sum[:])[:hashChars] + ext
	a.urls[base] = "/assets/" + hashed
	a.files[hashed] = asset{contentType: typeOf(ext), plain: content, gzip: packed}
	return nil
}

// typeOf does not ask the machine's tables for the types that matter: a module
// with a wrong type does not run.
func typeOf(ext string) string {
	switch ext {
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	}
	return mime.TypeByExtension(ext)
}

func pack(content []byte) ([]byte, error) {
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(content); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// url gives the address of a file; a template that names a missing one fails.
func (a *assets) url(name string) (string, error) {
	u, ok := a.urls[name]
	if !ok {
		return "", fmt.Errorf("storefront: no asset %q", name)
	}
	return u, nil
}

func (a *assets) serve(w http.ResponseWriter, r *http.Request) error {
	file, ok := a.files[r.PathValue("file")]
	if !ok {
		return errs.New(errs.NotFound, "not_found", "there is no such file")
	}
	h, body := w.Header(), file.plain
	h.Set("Content-Type", file.contentType)
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("Vary", "Accept-Encoding")
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		body = file.gzip
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(body) // a reader who has gone is no fault of ours
	return nil
}
