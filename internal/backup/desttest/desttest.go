package desttest

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"panshi/internal/backup"
)

// Options tell what a destination cannot do, and how hard to press it.
type Options struct {
	// Big is the size in bytes of the largest object that is tried.
	Big int64
	// Many is how many objects one listing has to show.
	Many int
	// Racing says that two writers at once may both believe to have made an
	// object: the server has no conditional put.
	Racing bool
}

// Run tries all that the interface promises; open gives an empty destination.
func Run(t *testing.T, open func(*testing.T) backup.Destination, o Options) {
	t.Helper()
	cases := []struct {
		name string
		run  func(*testing.T, backup.Destination, Options)
	}{
		{"what goes in comes out", roundTrip},
		{"ranges", ranges},
		{"an object is never replaced", createOnly},
		{"one writer of many wins", oneWins},
		{"a body that is not what it says is refused", lyingBody},
		{"listing", listing},
		{"many objects", many},
		{"deleting", deleting},
		{"names", names},
		{"an ended context ends the call", ended},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { c.run(t, open(t), o) })
	}
	if _, ok := open(t).(backup.Swapper); ok {
		t.Run("swapping", func(t *testing.T) { swapping(t, open(t)) })
	}
}

// Content gives size random bytes.
func Content(t *testing.T, size int64) []byte {
	t.Helper()
	content := make([]byte, size)
	_, err := rand.Read(content)
	require.NoError(t, err)
	return content
}

// Names lists the names with a prefix, sorted.
func Names(t *testing.T, d backup.Destination, prefix string) []string {
	t.Helper()
	var out []string
	require.NoError(t, d.List(t.Context(), prefix, func(o backup.Object) error {
		out = append(out, o.Name)
		return nil
	}))
	slices.Sort(out)
	return out
}

func put(t *testing.T, d backup.Destination, name string, content []byte) {
	t.Helper()
	require.NoError(t, d.Put(t.Context(), name, backup.Bytes(content)), name)
}

// requireCode names the code that is wanted and the error that came.
func requireCode(t *testing.T, err error, code string) {
	t.Helper()
	require.True(t, backup.Is(err, code), "want %s, got %v", code, err)
}

func requireContent(t *testing.T, d backup.Destination, name string, want []byte) {
	t.Helper()
	got, err := backup.ReadAll(t.Context(), d, name, int64(len(want))+1)
	require.NoError(t, err)
	require.True(t, bytes.Equal(want, got), "%s: %d bytes came back, %d went in, or others", name, len(got), len(want))
}

func roundTrip(t *testing.T, d backup.Destination, o Options) {
	for i, size := range []int64{0, 1, 4096, 100_001, o.Big} {
		name := fmt.Sprintf("box/size/%d", i)
		content := Content(t, size)
		put(t, d, name, content)
		requireContent(t, d, name, content)
		require.NoError(t, backup.ReadBack(t.Context(), d, name, size, backup.Bytes(content).SHA256))
	}
}

func ranges(t *testing.T, d backup.Destination, _ Options) {
	content := Content(t, 1000)
	put(t, d, "a/b", content)
	for _, c := range []struct{ offset, length, from, to int64 }{
		{0, -1, 0, 1000}, {0, 10, 0, 10}, {990, 10, 990, 1000}, {990, 100, 990, 1000}, {500, -1, 500, 1000},
	} {
		r, err := d.Get(t.Context(), "a/b", c.offset, c.length)
		require.NoError(t, err)
		got, err := io.ReadAll(r)
		require.NoError(t, errors.Join(err, r.Close()))
		require.True(t, bytes.Equal(content[c.from:c.to], got), "from %d length %d: %d bytes", c.offset, c.length, len(got))
	}
	_, err := d.Get(t.Context(), "a/c", 0, -1)
	requireCode(t, err, "backup_object_missing")
	_, err = d.Get(t.Context(), "a", 0, -1)
	requireCode(t, err, "backup_object_missing")
}

func createOnly(t *testing.T, d backup.Destination, _ Options) {
	put(t, d, "x", []byte("first"))
	for _, second := range []string{"first", "second"} {
		requireCode(t, d.Put(t.Context(), "x", backup.Bytes([]byte(second))), "backup_object_exists")
	}
	requireContent(t, d, "x", []byte("first"))
}

func oneWins(t *testing.T, d backup.Destination, o Options) {
	if o.Racing {
		t.Skip("this destination promises nothing to two writers at once")
	}
	const writers = 6
	bodies, results := make([][]byte, writers), make([]error, writers)
	var wg sync.WaitGroup
	for i := range writers {
		bodies[i] = Content(t, 70_000)
		wg.Go(func() { results[i] = d.Put(t.Context(), "seg/race", backup.Bytes(bodies[i])) })
	}
	wg.Wait()
	winner := -1
	for i, err := range results {
		if err == nil {
			require.Equal(t, -1, winner, "two writers were told that they made it")
			winner = i
			continue
		}
		requireCode(t, err, "backup_object_exists")
	}
	require.GreaterOrEqual(t, winner, 0, "nobody made it")
	requireContent(t, d, "seg/race", bodies[winner])
}

func lyingBody(t *testing.T, d backup.Destination, _ Options) {
	content := Content(t, 50_000)
	flipped := slices.Clone(content)
	flipped[len(flipped)-1] ^= 1
	bodies := map[string]func(*backup.Body){
		"other": func(b *backup.Body) { b.Open = backup.Bytes(flipped).Open },
		"short": func(b *backup.Body) { b.Open = backup.Bytes(content[:49_999]).Open },
		"empty": func(b *backup.Body) { b.Open = backup.Bytes(nil).Open },
		"long":  func(b *backup.Body) { b.Open = backup.Bytes(append(slices.Clone(content), 0)).Open },
		"fails": func(b *backup.Body) { b.Open = breaking(content[:30_000]).Open },
		"shut":  func(b *backup.Body) { b.Open = func() (io.ReadCloser, error) { return nil, io.ErrUnexpectedEOF } },
	}
	for name, spoil := range bodies {
		body := backup.Bytes(content)
		spoil(&body)
		require.Error(t, d.Put(t.Context(), name, body), name)
		_, err := d.Get(t.Context(), name, 0, -1)
		requireCode(t, err, "backup_object_missing")
	}
	require.Empty(t, Names(t, d, ""))
}

// breaking is a source that breaks after some bytes.
type breaking []byte

// Open never fails; Read does.
func (b breaking) Open() (io.ReadCloser, error) {
	return io.NopCloser(io.MultiReader(bytes.NewReader(b), b)), nil
}

func (breaking) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func listing(t *testing.T, d backup.Destination, _ Options) {
	require.Empty(t, Names(t, d, ""))
	require.Empty(t, Names(t, d, "seg/nothing/"))
	for _, name := range []string{"seg/1/a", "seg/1/b~1", "seg/10/c", "manifest/0001", "box/x/y/z"} {
		put(t, d, name, []byte(name))
	}
	require.Equal(t, []string{"box/x/y/z", "manifest/0001", "seg/1/a", "seg/1/b~1", "seg/10/c"}, Names(t, d, ""))
	require.Equal(t, []string{"seg/1/a", "seg/1/b~1"}, Names(t, d, "seg/1/"))
	require.Equal(t, []string{"seg/1/a", "seg/1/b~1", "seg/10/c"}, Names(t, d, "seg/1"))
	require.NoError(t, d.List(t.Context(), "seg/1/a", func(o backup.Object) error {
		require.Equal(t, backup.Object{Name: "seg/1/a", Size: 7}, o)
		return nil
	}))
	stop := errors.New("enough")
	require.ErrorIs(t, d.List(t.Context(), "", func(backup.Object) error { return stop }), stop)
}

func many(t *testing.T, d backup.Destination, o Options) {
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := w; i < o.Many; i += 4 {
				name := fmt.Sprintf("seg/%04d", i)
				if err := d.Put(t.Context(), name, backup.Bytes([]byte(name))); err != nil {
					t.Error(name, err)
				}
			}
		})
	}
	wg.Wait()
	got := Names(t, d, "seg/")
	require.Len(t, got, o.Many)
	require.Len(t, slices.Compact(got), o.Many, "a name was told twice")
}

func deleting(t *testing.T, d backup.Destination, _ Options) {
	put(t, d, "seg/a", []byte("1"))
	put(t, d, "seg/b", []byte("2"))
	require.NoError(t, d.Delete(t.Context(), "seg/a"))
	require.NoError(t, d.Delete(t.Context(), "seg/a"), "absent counts as removed")
	require.NoError(t, d.Delete(t.Context(), "seg/never/was"))
	_, err := d.Get(t.Context(), "seg/a", 0, -1)
	requireCode(t, err, "backup_object_missing")
	require.Equal(t, []string{"seg/b"}, Names(t, d, "seg/"))
	put(t, d, "seg/a", []byte("other"))
	requireContent(t, d, "seg/a", []byte("other"))
}

func names(t *testing.T, d backup.Destination, _ Options) {
	for _, name := range []string{
		"", ".", "..", "../out", "a/../b", "/a", "a/", "a//b", ".hidden", "a/.hidden", "Upper", "with space", "umlaut-ä", "a\\b", "a\x00b",
		strings.Repeat("n", backup.MaxName+1),
	} {
		requireCode(t, d.Put(t.Context(), name, backup.Bytes(nil)), "backup_name_invalid")
		_, err := d.Get(t.Context(), name, 0, -1)
		requireCode(t, err, "backup_name_invalid")
		requireCode(t, d.Delete(t.Context(), name), "backup_name_invalid")
	}
	long := strings.Repeat("n", backup.MaxName)
	put(t, d, long, []byte("x"))
	require.Equal(t, []string{long}, Names(t, d, ""))
}

func ended(t *testing.T, d backup.Destination, _ Options) {
	put(t, d, "here", []byte("x"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.Error(t, d.Put(ctx, "gone", backup.Bytes([]byte("x"))))
	require.Error(t, d.List(ctx, "", func(backup.Object) error { return nil }))
	require.Error(t, d.Delete(ctx, "here"))
	if r, err := d.Get(ctx, "here", 0, -1); err == nil {
		_, err = io.ReadAll(r)
		require.Error(t, errors.Join(err, r.Close()))
	}
	require.Equal(t, []string{"here"}, Names(t, d, ""))
}
