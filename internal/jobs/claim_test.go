package jobs

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"panshi/internal/db"
	"panshi/internal/db/dbtest"
	"panshi/internal/id"
)

// TestNodesClaimSideBySide: of two jobs that are due each of two nodes gets
// one, and neither waits for the other.
func TestNodesClaimSideBySide(t *testing.T) {
	t.Parallel()
	d := dbtest.Open(t, dbtest.Options{})
	met := false
	for range 5 { // a busy machine may start one node late
		met = claimSideBySide(t, d) || met
	}
	require.Equal(t, dbtest.Engine() == db.Postgres, met, "SQLite has one writer at a time")
}

// claimSideBySide queues two jobs, claims them on two nodes, and tells whether
// both nodes had chosen a job before either took it.
func claimSideBySide(t *testing.T, d db.DB) (met bool) {
	t.Helper()
	for range 2 {
		require.NoError(t, d.Update(t.Context(), func(tx *db.Tx) error {
			return EnqueueTx(tx, id.New(), "mail", id.New())
		}))
	}
	nodes := dbtest.Overlapping(d, 2)
	got := make([][]Job, 2)
	failures := make([]error, 2)
	var wg sync.WaitGroup
	for i := range got {
		wg.Go(func() {
			failures[i] = nodes.Update(t.Context(), func(tx *db.Tx) (err error) {
				got[i], err = claimTx(tx, 1)
				return err
			})
		})
	}
	wg.Wait()
	for i := range got {
		require.NoError(t, failures[i])
		require.Len(t, got[i], 1)
	}
	require.NotEqual(t, got[0][0].ID, got[1][0].ID)
	return nodes.Met()
}
