package imports

import (
	"context"
	"crypto/sha256"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"panshi/internal/db"
)

// TestCardsResume stops an import after each possible number of chunks and
// runs it again, by file and by stream.
func TestCardsResume(t *testing.T) {
	t.Parallel()
	file := "dup\ndup\n\n" + keys(900) + "a\x00b\n" + keys(950) + "end\n"
	whole := newShop(t)
	want := whole.load("KEY", file)
	require.EqualValues(t, 952, want.Accepted)
	for stop := range 5 {
		s := newShop(t)
		ctx, cancel := context.WithCancel(t.Context())
		calls := 0
		if stop == 0 {
			cancel()
		}
		first, err := s.Cards(ctx, s.request("KEY", file), func(Progress) {
			if calls++; calls == stop {
				cancel()
			}
		})
		cancel()
		require.ErrorIs(t, err, context.Canceled)
		require.EqualValues(t, stop*400, first.Lines)
		require.Equal(t, first.Accepted, s.level("KEY").Available)
		s.sound()

		digest := sha256.Sum256([]byte(file))
		second, err := s.Cards(t.Context(), CardsRequest{
			MerchantID: s.m.ID, SKUCode: "KEY", Source: iotest.HalfReader(strings.NewReader(file)),
			Size: int64(len(file)), Digest: digest[:],
		}, nil)
		require.NoError(t, err)
		require.Equal(t, stop > 0, second.Resumed)
		require.Equal(t, want.Findings, second.Findings)
		require.Equal(t, []int64{want.Lines, want.Accepted, want.Duplicates, want.Bad},
			[]int64{second.Lines, second.Accepted, second.Duplicates, second.Bad})
		if stop > 0 {
			require.Equal(t, first.BatchID, second.BatchID)
		}
		require.Equal(t, whole.cards("KEY"), s.cards("KEY"))
		require.EqualValues(t, 1, s.count(`SELECT COUNT(*) FROM import_batches`))
		s.sound()
	}
}

// TestCardsFailingUpdate lets the transaction of a chunk fail before and after
// its commit: the outcome must be the same after another run.
func TestCardsFailingUpdate(t *testing.T) {
	t.Parallel()
	file := keys(1000)
	for _, persisted := range []bool{false, true} {
		s := newShop(t)
		flaky := &flakyDB{DB: s.db, failAt: 3, persisted: persisted} // begin, chunk, chunk
		broken := New(flaky, s.vault, s.log)
		r, err := broken.Cards(t.Context(), s.request("KEY", file), nil)
		require.ErrorIs(t, err, db.ErrUnknown)
		require.EqualValues(t, 400, r.Accepted, "only what was acknowledged is told")
		s.sound()
		r = s.load("KEY", file)
		require.True(t, r.Resumed)
		require.Equal(t, []int64{1000, 0}, []int64{r.Accepted, r.Duplicates})
		require.EqualValues(t, 1000, s.level("KEY").Available)
		s.sound()
	}
}

// flakyDB fails one Update.
type flakyDB struct {
	db.DB
	calls, failAt int
	persisted     bool
}

func (f *flakyDB) Update(ctx context.Context, fn func(tx *db.Tx) error) error {
	f.calls++
	if f.calls != f.failAt {
		return f.DB.Update(ctx, fn)
	}
	if f.persisted {
		if err := f.DB.Update(ctx, fn); err != nil {
			return err
		}
	}
	return db.ErrUnknown
}

func TestCardsTwoRunsOfOneFile(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	file := keys(2000)
	var inner error
	done := false
	outer, err := s.Cards(t.Context(), s.request("KEY", file), func(Progress) {
		if !done { // another run takes the batch over and finishes it
			done = true
			_, inner = s.Cards(context.Background(), s.request("KEY", file), nil)
		}
	})
	require.NoError(t, inner)
	require.ErrorIs(t, err, ErrBusy)
	require.EqualValues(t, 400, outer.Accepted)
	require.EqualValues(t, 2000, s.level("KEY").Available)
	s.sound()
}

func TestCardsFileChanges(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	digest := sha256.Sum256([]byte("something else"))
	r, err := s.Cards(t.Context(), CardsRequest{
		MerchantID: s.m.ID, SKUCode: "KEY", Source: strings.NewReader("a\nb\n"), Size: 4, Digest: digest[:],
	}, nil)
	require.ErrorIs(t, err, ErrFileChanged)
	require.EqualValues(t, 2, r.Accepted)
	require.EqualValues(t, 1, s.count(`SELECT COUNT(*) FROM import_batches WHERE status = 'failed'`))
	done, err := s.Imported(t.Context(), s.m.ID, digest[:])
	require.NoError(t, err)
	require.False(t, done)
	s.sound()
}

// TestCardsOverlappingRuns lets another run store one chunk between two of
// this one: this one stops, and a third finishes with each card counted once.
func TestCardsOverlappingRuns(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	file := keys(2000)
	once := false
	_, err := s.Cards(t.Context(), s.request("KEY", file), func(Progress) {
		if once {
			return
		}
		once = true
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		_, err := s.Cards(ctx, s.request("KEY", file), func(Progress) { cancel() })
		require.ErrorIs(t, err, context.Canceled)
	})
	require.ErrorIs(t, err, ErrBusy)
	s.sound()
	r := s.load("KEY", file)
	require.Equal(t, []int64{2000, 0}, []int64{r.Accepted, r.Duplicates})
	s.sound()
}
