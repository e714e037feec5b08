package pgwal_test

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"panshi/internal/backup/backuptest"
	"panshi/internal/backup/pgwal"
	"panshi/internal/backup/spool"
)

func head() pgwal.Head {
	return pgwal.Head{System: "7301", Timeline: 3, Segment: 16 << 20, Major: 15, Start: 0x5000028}
}

func piece(t *testing.T, data []byte) []byte {
	t.Helper()
	r, err := pgwal.Piece(head(), data, pgwal.End{Log: head().Start + uint64(len(data)), Current: true})
	require.NoError(t, err)
	content, err := io.ReadAll(r)
	require.NoError(t, err)
	return content
}

// read reads a file to its end.
func read(content []byte) (h pgwal.Head, e pgwal.End, data []byte, err error) {
	r, err := pgwal.NewReader(bytes.NewReader(content))
	if err != nil {
		return h, e, nil, err
	}
	for {
		part, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return h, e, nil, err
		}
		data = append(data, part...)
	}
	e, err = r.End()
	return r.Head, e, data, err
}

// noise is bytes that hardly compress.
func noise(d *backuptest.Dice, n int) []byte {
	out := make([]byte, n)
	for i := range out {
		out[i] = byte(d.IntN(256))
	}
	return out
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	t.Parallel()
	d := backuptest.NewDice(t)
	for _, n := range []int{0, 1, 8192, 1<<20 - 1, 1 << 20, 3<<20 + 7} {
		want := noise(d, n)
		h, e, got, err := read(piece(t, want))
		require.NoError(t, err)
		require.Equal(t, head(), h)
		require.Equal(t, pgwal.End{Log: head().Start + uint64(n), Current: true}, e)
		require.True(t, bytes.Equal(want, got))
	}
}

// A file that ends anywhere before its end, or goes on after it, was never
// written by us.
func TestAFileThatIsNotWholeIsNoFile(t *testing.T) {
	t.Parallel()
	d := backuptest.NewDice(t)
	whole := piece(t, noise(d, 20_000))
	for range 300 {
		_, _, _, err := read(whole[:d.IntN(len(whole))])
		require.Error(t, err)
		require.NotErrorIs(t, err, io.EOF)
	}
	_, _, _, err := read(append(bytes.Clone(whole), "more"...))
	require.Error(t, err)

	var open bytes.Buffer // sound for the compression, without the last frame
	w, err := pgwal.NewWriter(&open, head())
	require.NoError(t, err)
	require.NoError(t, w.Data(noise(d, 100)))
	require.NoError(t, w.Abandon())
	_, _, _, err = read(open.Bytes())
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
}

func TestAFileIsWhatItsNameSays(t *testing.T) {
	t.Parallel()
	h, at := head(), head().Start
	f := spool.File{Level: pgwal.LevelPiece, First: at + 1, Last: at + 100}
	require.NoError(t, pgwal.Fits(f, h, pgwal.End{Log: at + 100}, 100))
	for name, wrong := range map[string]error{
		"shorter":  pgwal.Fits(f, h, pgwal.End{Log: at + 100}, 99),
		"another":  pgwal.Fits(spool.File{First: at + 2, Last: at + 100}, h, pgwal.End{Log: at + 100}, 100),
		"no base":  pgwal.Fits(spool.File{Level: spool.SnapshotLevel, First: 1, Last: at}, h, pgwal.End{Log: at + 100}, 100),
		"no piece": pgwal.Fits(f, pgwal.Head{Base: true, Segment: h.Segment, Start: at}, pgwal.End{Log: at + 100}, 100),
	} {
		require.Error(t, wrong, name)
	}
	h.Base = true
	base := spool.File{Level: spool.SnapshotLevel, First: 1, Last: 0x5000000}
	require.NoError(t, pgwal.Fits(base, h, pgwal.End{Log: at + 100}, 1))
	require.Error(t, pgwal.Fits(base, h, pgwal.End{Log: at - 1}, 1), "its log ends before it begins")
}
