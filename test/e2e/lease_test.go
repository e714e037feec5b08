package e2e

import (
	"context"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/db"
	"panshi/test/kit"
)

// restored is the shop of a sheet, brought back from dir on another machine.
func restored(t *testing.T, platform *kit.Platform, dir, sheet string) *kit.Shop {
	t.Helper()
	other := kit.Empty(t, t.TempDir(), platform, kit.Nas(dir))
	r := other.RunEnv(nil, "restore", "--from", dir, "--to", other.Data, "--sheet", sheet)
	require.Zero(t, r.Code, "%s%s", r.Out, r.Err)
	return other
}

// A shop that was brought back elsewhere does not start while the old one lives,
// even one that is only paused; once it sells, the old one takes no order any
// more, running or started anew, and nothing of it stands in the way of a restore.
func TestTheOldMachineTakesNoOrders(t *testing.T) {
	kit.OnlyOn(t, db.SQLite, "a server's database is backed up by other means")
	t.Parallel()
	platform := kit.NewPlatform(t)
	old, dir, sheet := nas(t, platform)
	sku := old.ImportCards("old", "1.00", kit.Keys("OLD", 500))
	book := &kit.Book{}
	_, err := kit.Buy(t.Context(), old.Client(), platform, book, buyer(1), one(sku))
	require.NoError(t, err)
	old.AwaitCopied()
	other := restored(t, platform, dir, sheet)
	require.ErrorContains(t, other.TryStart(), "exit", "the old one lives")
	require.Contains(t, other.Log(), "stop it first")

	ctx, goHome := context.WithCancel(t.Context())
	defer goHome()
	orders := &timed{}
	go orders.crowd(ctx, old.Client(), sku)
	time.Sleep(time.Second) // load
	require.NoError(t, syscall.Kill(old.PID(), syscall.SIGSTOP))
	other.Start()
	sells := time.Now()
	_, err = other.Client().Place(t.Context(), buyer(2), one(other.Client().SKU(t, "old")))
	require.NoError(t, err)
	require.NoError(t, syscall.Kill(old.PID(), syscall.SIGCONT))
	select {
	case <-old.Done():
	case <-time.After(30 * time.Second):
		t.Fatal("it goes on")
	}
	require.Contains(t, old.Log(), "lease_lost")
	goHome()
	orders.mu.Lock()
	defer orders.mu.Unlock()
	for _, at := range orders.at {
		require.True(t, at.Before(sells), "an order was taken %v after the other one sold", at.Sub(sells))
	}
	require.ErrorContains(t, old.TryStart(), "exit status 3")
	other.AwaitCopied()
	book.RequireKept(t, other.Client(), 0)
	restored(t, platform, dir, sheet)
}
