package catalog_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"panshi/internal/catalog"
	"panshi/internal/db"
	"panshi/internal/db/dbtest"
	"panshi/internal/id"
)

// noting remembers whether the last View might have run on a replica.
type noting struct {
	db.DB
	stale bool
}

func (n *noting) View(ctx context.Context, fn func(tx *db.Tx) error) error {
	n.stale = db.IsStale(ctx)
	return n.DB.View(ctx, fn)
}

// TestWhatMayComeFromAReplica: never what is kept under a version, nor what
// staff edits.
func TestWhatMayComeFromAReplica(t *testing.T) {
	t.Parallel()
	d := &noting{DB: dbtest.SQLite(t)}
	s := catalog.NewService(d)
	list := func(q catalog.ListQuery) bool {
		q.Limit = 10
		_, _ = s.List(t.Context(), id.New(), q) // an invalid cursor fails after the View began
		return d.stale
	}
	require.True(t, list(catalog.ListQuery{Text: "card"}))
	require.True(t, list(catalog.ListQuery{Cursor: "next"}))
	require.False(t, list(catalog.ListQuery{}))
	require.False(t, list(catalog.ListQuery{Category: "games"}))
	require.False(t, list(catalog.ListQuery{Text: "card", IncludeOff: true}))
	_, _ = s.Product(t.Context(), id.New(), id.New()) // there is none
	require.False(t, d.stale)
	_, err := s.Categories(t.Context(), id.New())
	require.NoError(t, err)
	require.False(t, d.stale)
}
