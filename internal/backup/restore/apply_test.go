package restore

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/superfly/ltx"
)

// changes makes a file of one transaction that leaves a database of commit pages,
// with the pages that it has: all bytes of each are its number times the
// transaction's.
func changes(t *testing.T, tx ltx.TXID, commit uint32, pages ...uint32) *bytes.Buffer {
	t.Helper()
	var out bytes.Buffer
	e, err := ltx.NewEncoder(&out)
	require.NoError(t, err)
	require.NoError(t, e.EncodeHeader(ltx.Header{
		Version: ltx.Version, Flags: ltx.HeaderFlagNoChecksum, PageSize: 512, Commit: commit, MinTXID: tx, MaxTXID: tx,
	}))
	for _, n := range pages {
		require.NoError(t, e.EncodePage(ltx.PageHeader{Pgno: n}, bytes.Repeat([]byte{byte(n) * byte(tx)}, 512)))
	}
	require.NoError(t, e.Close())
	return &out
}

// What is applied is the newest of each page, and as long as the last file says.
// A page by which the database grows may not be missing, nor may the beginning.
func TestPagesGoToTheirPlaces(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "db"))
	require.NoError(t, err)
	t.Cleanup(func() { _ = file.Close() })
	p := &pages{file: file, tell: func(int64) {}}
	require.ErrorContains(t, p.apply(t.Context(), changes(t, 2, 3, 3)), "no whole copy")
	require.NoError(t, p.apply(t.Context(), changes(t, 1, 3, 1, 2, 3)))
	require.NoError(t, p.apply(t.Context(), changes(t, 2, 5, 2, 4, 5)))
	require.NoError(t, p.apply(t.Context(), changes(t, 3, 4, 1)))
	require.ErrorContains(t, p.apply(t.Context(), changes(t, 4, 6, 6)), "of the 2 pages by which it grows the database it has 1")
	content, err := os.ReadFile(file.Name())
	require.NoError(t, err)
	var got []byte
	for at := 0; at < 4*512; at += 512 {
		got = append(got, content[at])
	}
	require.Equal(t, []byte{3, 4, 3, 8}, got)

	cut := changes(t, 4, 4, 1, 2).Bytes()
	require.Error(t, p.apply(t.Context(), bytes.NewReader(cut[:len(cut)-1])))
}
