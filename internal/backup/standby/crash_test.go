package standby

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/superfly/ltx"
	"pgregory.net/rapid"

	"panshi/internal/backup/spool"
	"panshi/internal/errs"
)

const pageSize = 512

// step is a segment, and the database before and after it.
type step struct {
	number        uint64
	segment       []byte
	before, after []byte
}

// drawSteps makes a database of some pages and changes of it.
func drawSteps(r *rapid.T) (first []byte, steps []step) {
	first = bytes.Repeat([]byte{1}, pageSize*rapid.IntRange(1, 6).Draw(r, "pages"))
	now := first
	for n := range rapid.IntRange(1, 4).Draw(r, "segments") {
		number := uint64(n + 2)
		pages := rapid.IntRange(1, 8).Draw(r, "size")
		changed := rapid.SliceOfNDistinct(rapid.IntRange(1, pages), 1, pages, rapid.ID).Draw(r, "changed")
		after := make([]byte, pages*pageSize)
		copy(after, now)
		for i := len(now) / pageSize; i < pages; i++ {
			changed = append(changed, i+1) // what grows is written
		}
		for _, pgno := range changed {
			copy(after[(pgno-1)*pageSize:pgno*pageSize], bytes.Repeat([]byte{byte(number)}, pageSize))
		}
		steps = append(steps, step{number, encodeSegment(r, number, after, changed), now, after})
		now = after
	}
	return first, steps
}

func encodeSegment(r *rapid.T, number uint64, after []byte, changed []int) []byte {
	var out bytes.Buffer
	e, err := ltx.NewEncoder(&out)
	require.NoError(r, err)
	require.NoError(r, e.EncodeHeader(ltx.Header{
		Version: ltx.Version, Flags: ltx.HeaderFlagNoChecksum, PageSize: pageSize, Commit: uint32(len(after) / pageSize),
		MinTXID: ltx.TXID(number), MaxTXID: ltx.TXID(number), Timestamp: int64(number),
	}))
	for pgno := 1; pgno <= len(after)/pageSize; pgno++ {
		for _, c := range changed {
			if c == pgno {
				require.NoError(r, e.EncodePage(ltx.PageHeader{Pgno: uint32(pgno)}, after[(pgno-1)*pageSize:pgno*pageSize]))
				break
			}
		}
	}
	require.NoError(r, e.Close())
	return out.Bytes()
}

func (s step) file() spool.File {
	return spool.File{Generation: "00000001-00000000", First: s.number, Last: s.number}
}

// A machine that stops at any instant of applying a segment has, after the next
// start, the state before or after it, and goes on from there.
func TestAStopAtAnyInstantLeavesAWholeState(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		data, err := os.MkdirTemp(t.TempDir(), "")
		require.NoError(r, err)
		first, steps := drawSteps(r)
		require.NoError(r, Create(data, "n"))
		require.NoError(r, os.WriteFile(filepath.Join(Dir(data), nextName), first, 0o600))
		f, err := recovered(data)
		require.NoError(r, err)
		require.NoError(r, os.WriteFile(f.path(nextName), first, 0o600)) // opening took the half made one away
		require.NoError(r, f.replaceBy("00000001-00000000", 1, 1))
		for _, s := range steps {
			applied := stopWhile(r, f, s)
			f, err = recovered(data)
			require.NoError(r, err)
			if applied {
				require.Equal(r, s.number, f.state.Transaction)
			}
			requireDatabase(r, f, s)
			if f.state.Transaction < s.number {
				require.NoError(r, f.keep(bytes.NewReader(s.segment), s.file()))
				require.NoError(r, f.applySegment("00000001-00000000"))
			}
			require.Equal(r, s.number, f.state.Transaction)
			requireDatabase(r, f, s)
		}
	})
}

func requireDatabase(r *rapid.T, f *files, s step) {
	got, err := os.ReadFile(f.path(databaseName))
	require.NoError(r, err)
	want := s.before
	if f.state.Transaction == s.number {
		want = s.after
	}
	require.Equal(r, want, got, "at %d of %d", f.state.Transaction, s.number)
}

// stopWhile applies a segment up to an instant, and tells whether it has to be
// found applied.
func stopWhile(r *rapid.T, f *files, s step) (applied bool) {
	at := rapid.SampledFrom([]string{"half kept", "kept", "half written", "written", "saved", "done"}).Draw(r, "stop")
	if at == "half kept" {
		require.NoError(r, os.WriteFile(f.path(segmentName+".new"), s.segment[:len(s.segment)/2], 0o600))
		return false
	}
	require.NoError(r, f.keep(bytes.NewReader(s.segment), s.file()))
	switch at {
	case "kept":
	case "half written":
		garbled := append([]byte(nil), s.before...) // some of the pages, and one of them in part
		copy(garbled, s.after[:min(len(garbled), len(s.after))/2+7])
		require.NoError(r, os.WriteFile(f.path(databaseName), garbled, 0o600))
	case "written":
		_, err := f.writePages()
		require.NoError(r, err)
	case "saved":
		_, err := f.writePages()
		require.NoError(r, err)
		next := f.state
		next.Transaction = s.number
		require.NoError(r, save(f.data, next))
	case "done":
		require.NoError(r, f.applySegment("00000001-00000000"))
	}
	return true
}

// A whole copy takes the place of the database in one step, wherever it is cut.
func TestAWholeCopyReplacesInOneStep(t *testing.T) {
	for _, renamed := range []bool{false, true} {
		data := t.TempDir()
		require.NoError(t, Create(data, "n"))
		f, err := recovered(data)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(f.path(nextName), []byte("one"), 0o600))
		require.NoError(t, f.replaceBy("00000001-00000000", 3, 3))
		require.NoError(t, os.WriteFile(f.path(nextName), []byte("two"), 0o600))
		next := f.state
		next.Generation, next.Transaction, next.Replacing = "00000002-00000000", 9, true
		require.NoError(t, save(data, next))
		if renamed {
			require.NoError(t, os.Rename(f.path(nextName), f.path(databaseName)))
		}
		f, err = recovered(data)
		require.NoError(t, err)
		content, err := os.ReadFile(f.path(databaseName))
		require.NoError(t, err)
		require.Equal(t, "two", string(content))
		require.EqualValues(t, 9, f.state.Transaction)
		require.False(t, f.state.Replacing)
	}
}

// A segment that is cut, or is another one than its name says, is never kept.
func TestADamagedSegmentIsNotKept(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		data, err := os.MkdirTemp(t.TempDir(), "")
		require.NoError(r, err)
		require.NoError(r, Create(data, "n"))
		f, err := recovered(data)
		require.NoError(r, err)
		_, steps := drawSteps(r)
		s := steps[0]
		spoiled := append([]byte(nil), s.segment...)
		named := s.file()
		switch rapid.IntRange(0, 2).Draw(r, "how") {
		case 0:
			spoiled = spoiled[:rapid.IntRange(0, len(spoiled)-1).Draw(r, "cut")]
		case 1:
			spoiled[rapid.IntRange(0, len(spoiled)-1).Draw(r, "byte")] ^= 1
		default:
			named.Last++
		}
		require.Error(r, f.keep(bytes.NewReader(spoiled), named))
		require.NoFileExists(t, f.path(segmentName))
	})
}

func TestADirectoryThatIsNone(t *testing.T) {
	_, err := recovered(t.TempDir())
	require.Equal(t, "standby_missing", errs.CodeOf(err))
}
