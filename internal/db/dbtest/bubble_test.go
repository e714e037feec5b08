package dbtest_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/db"
	"panshi/internal/db/dbtest"
)

// TestInABubble opens inside a synctest bubble: the transaction's time is the
// bubble's, and waiting is free.
func TestInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := dbtest.SQLite(t)
		lease, err := db.Acquire(t.Context(), d, "keeper", "me", time.Hour)
		require.NoError(t, err)
		require.NoError(t, d.View(t.Context(), lease.HeldTx))
		time.Sleep(time.Hour)
		require.ErrorIs(t, d.View(t.Context(), lease.HeldTx), db.ErrLeaseTaken)
	})
}
