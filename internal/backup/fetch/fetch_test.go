package fetch_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/backup"
	"panshi/internal/backup/bundle"
	"panshi/internal/backup/feed"
	"panshi/internal/backup/fetch"
	"panshi/internal/backup/manifest"
	"panshi/internal/backup/seal"
	"panshi/internal/backup/spool"
	"panshi/internal/dirdest"
	"panshi/internal/errs"
)

// place is a destination with a chain of manifests that a test writes by hand.
type place struct {
	t     *testing.T
	dir   string
	dest  backup.Destination
	keys  *seal.Keys
	sheet seal.Sheet
	chain string
}

func newPlace(t *testing.T) *place {
	t.Helper()
	p := &place{t: t, dir: filepath.Join(t.TempDir(), "nas"), chain: manifest.NewChain()}
	var err error
	p.keys, p.sheet, err = seal.New(seal.Options{Shop: "tea", Now: time.Unix(1_800_000_000, 0)})
	require.NoError(t, err)
	p.dest, err = dirdest.New(dirdest.Config{Dir: p.dir, SameDevice: true})
	require.NoError(t, err)
	return p
}

// put seals content for a name and stores it under it or under a spare one.
func (p *place) put(name string, plain []byte) manifest.Entry {
	p.t.Helper()
	var out bytes.Buffer
	s, err := p.keys.Seal(p.t.Context(), backup.Logical(name), bytes.NewReader(plain), &out)
	require.NoError(p.t, err)
	require.NoError(p.t, p.dest.Put(p.t.Context(), name, backup.Bytes(out.Bytes())))
	return manifest.Entry{Name: name, Size: s.Size, SHA256: s.SHA256}
}

// list signs a manifest of what is there.
func (p *place) list(all ...manifest.Entry) {
	p.t.Helper()
	m := manifest.Manifest{Chain: p.chain, Number: 1, Oldest: 1, Label: "nas", Base: true, Added: all}
	content, err := manifest.Encode(m, p.keys)
	require.NoError(p.t, err)
	require.NoError(p.t, p.dest.Put(p.t.Context(), m.Name(), backup.Bytes(content)))
}

func (p *place) open() (*fetch.Fetcher, error) {
	return fetch.Open(p.t.Context(), p.dest, p.sheet.Reader(), p.t.TempDir())
}

func (p *place) path(name string) string { return filepath.Join(p.dir, filepath.FromSlash(name)) }

func segment(n uint64) (spool.Name, string) {
	file := spool.Named(spool.File{Generation: "00000001-0123abcd", First: n, Last: n, Time: time.UnixMilli(1764179912345)})
	name, _ := feed.Object(file)
	return file.Name, name
}

func read(t *testing.T, f *fetch.Fetcher, name spool.Name) (string, error) {
	t.Helper()
	r, err := f.Open(t.Context(), name)
	if err != nil {
		return "", err
	}
	content, err := io.ReadAll(r)
	return string(content), errors.Join(err, r.Close())
}

func TestAListedObjectThatIsMissingIsNamed(t *testing.T) {
	p := newPlace(t)
	file, first := segment(1)
	_, second := segment(2)
	p.list(p.put(first, []byte("one")), p.put(second, []byte("two")))
	f, err := p.open()
	require.NoError(t, err)
	text, err := read(t, f, file)
	require.NoError(t, err)
	require.Equal(t, "one", text)

	require.NoError(t, os.Remove(p.path(second)))
	_, err = p.open()
	require.Equal(t, "backup_destination_altered", errs.CodeOf(err))
	require.ErrorContains(t, err, second)
}

// Of several objects of a name the listed one counts, else the last: the earlier
// ones arrived damaged.
func TestTheProvedTryIsRead(t *testing.T) {
	p := newPlace(t)
	fileA, a := segment(1)
	fileB, b := segment(2)
	for name, content := range map[string]string{a: "damaged", b + "~2": "planted"} {
		require.NoError(t, p.dest.Put(t.Context(), name, backup.Bytes([]byte(content))))
	}
	p.put(a+"~1", []byte("one"))
	p.list(p.put(b+"~1", []byte("two")))
	f, err := p.open()
	require.NoError(t, err)
	for file, want := range map[spool.Name]string{fileA: "one", fileB: "two"} {
		text, err := read(t, f, file)
		require.NoError(t, err)
		require.Equal(t, want, text)
	}
	files, err := f.List(t.Context(), "")
	require.NoError(t, err)
	require.Len(t, files, 2, "each once")
	_, err = f.Open(t.Context(), "00000001-0123abcd/0/none")
	require.Equal(t, "spool_file_missing", errs.CodeOf(err))
}

func TestTheNewestBundleOpensTwice(t *testing.T) {
	p := newPlace(t)
	_, first := segment(1)
	p.list(p.put(first, []byte("one")))
	for n := 1; n <= 2; n++ {
		name := fmt.Sprintf("box/keys/%016x-%013d", n, n)
		var plain, sealed bytes.Buffer
		require.NoError(t, bundle.Bundle{Version: 1, Files: []bundle.File{{Name: "key", Content: []byte{byte(n)}}}}.Write(&plain))
		_, err := p.keys.Seal(t.Context(), name, &plain, &sealed)
		require.NoError(t, err)
		p.put(name, sealed.Bytes())
	}
	f, err := p.open()
	require.NoError(t, err)
	b, err := f.Bundle(t.Context(), "keys")
	require.NoError(t, err)
	require.Equal(t, []byte{2}, b.Files[0].Content)
	_, err = f.Bundle(t.Context(), "settings")
	require.Equal(t, "backup_bundle_missing", errs.CodeOf(err))
}

// Only what was locked is left, and the manifests are gone with the rest: what
// there is opens, and nothing that is not there is promised.
func TestWhatIsLeftIsSalvaged(t *testing.T) {
	p := newPlace(t)
	fileA, a := segment(1)
	_, b := segment(2)
	p.list(p.put(a, []byte("one")), p.put(b, []byte("two")))
	salvaged := func() []spool.File {
		t.Helper()
		f, err := fetch.Salvage(t.Context(), p.dest, p.sheet.Reader(), t.TempDir())
		require.NoError(t, err)
		files, err := f.List(t.Context(), "")
		require.NoError(t, err)
		text, err := read(t, f, fileA)
		require.NoError(t, err)
		require.Equal(t, "one", text)
		return files
	}
	require.Len(t, salvaged(), 2)
	require.NoError(t, os.Remove(p.path(b)))
	require.Len(t, salvaged(), 1)
	require.NoError(t, os.RemoveAll(p.path("manifest")))
	require.Len(t, salvaged(), 1)
	_, err := p.open()
	require.Equal(t, "backup_destination_altered", errs.CodeOf(err))

	require.NoError(t, os.Chmod(p.path(a), 0o600))
	require.NoError(t, os.WriteFile(p.path(a), []byte("planted, and as long as it likes"), 0o600))
	f, err := fetch.Salvage(t.Context(), p.dest, p.sheet.Reader(), t.TempDir())
	require.NoError(t, err)
	_, err = read(t, f, fileA)
	require.Equal(t, errs.Integrity, errs.KindOf(err), "each object is proved all the same")
}
