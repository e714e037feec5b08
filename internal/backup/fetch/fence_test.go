package fetch_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/backup"
	"panshi/internal/backup/feed"
	"panshi/internal/backup/manifest"
	"panshi/internal/backup/spool"
	"panshi/internal/errs"
)

// store signs a manifest and gives its head.
func (p *place) store(m manifest.Manifest) manifest.Head {
	p.t.Helper()
	content, err := manifest.Encode(m, p.keys)
	require.NoError(p.t, err)
	require.NoError(p.t, p.dest.Put(p.t.Context(), m.Name(), backup.Bytes(content)))
	return manifest.HeadOf(m, content)
}

// takenOver is a destination whose first writer goes on after another one took
// over under an epoch; late are the names of what it brought then.
func takenOver(p *place, epoch uint64) (kept []spool.Name, late []string) {
	p.t.Helper()
	one, first := segment(1)
	two, second := segment(2)
	_, third := segment(3)
	_, fourth := segment(4)
	file := spool.Named(spool.File{Generation: "00020001-89abcdef", Level: 9, First: 1, Last: 2, Time: time.UnixMilli(1764179999999)})
	full, _ := feed.Object(file)
	listed := []manifest.Entry{p.put(first, []byte("one")), p.put(second, []byte("two"))}
	old := manifest.Manifest{Chain: p.chain, Number: 1, Oldest: 1, Label: "nas", Base: true, Epoch: min(epoch, 1), Added: listed}
	head := p.store(old)
	p.store(manifest.Manifest{
		Chain: manifest.NewChain(), Number: 1, Oldest: 1, Label: "nas", Base: true, Epoch: epoch,
		Added: append(listed, p.put(full, []byte("full"))), Adopts: []manifest.Head{head},
	})
	old.Number, old.Base, old.Previous, old.Added = 2, false, head.SHA256, []manifest.Entry{p.put(third, []byte("three"))}
	p.store(old)
	p.put(fourth, []byte("four"))
	return []spool.Name{one, two, file.Name}, []string{old.Name(), third, fourth}
}

// What a former writer brings after it was deposed is left out, told, and in
// nobody's way.
func TestAFormerWriterIsFenced(t *testing.T) {
	p := newPlace(t)
	kept, late := takenOver(p, 2)
	f, err := p.open()
	require.NoError(t, err)
	require.ElementsMatch(t, late, f.Fenced())
	files, err := f.List(t.Context(), "")
	require.NoError(t, err)
	var names []spool.Name
	for _, file := range files {
		names = append(names, file.Name)
	}
	require.ElementsMatch(t, kept, names)
	report, err := manifest.Verify(t.Context(), p.dest, p.sheet.Reader(), manifest.Options{})
	require.NoError(t, err)
	require.Equal(t, "backup_destination_altered", errs.CodeOf(report.Err()), "verify names it all the same")
}

// Without an epoch nobody knows which of the two is right.
func TestTwoWritersWithoutAnEpochEndARestore(t *testing.T) {
	p := newPlace(t)
	takenOver(p, 0)
	_, err := p.open()
	require.Equal(t, "backup_destination_altered", errs.CodeOf(err))
}
