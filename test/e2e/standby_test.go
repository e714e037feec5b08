package e2e

import (
	"context"
	"encoding/json"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/db"
	"panshi/test/kit"
)

// The machine is lost under load. The standby, which sold nothing until then, is
// promoted, lacks two seconds at most and nothing that had reached the
// destination, and sells; the old machine, started anew, refuses.
func TestTheStandbySellsWhenTheMachineIsLost(t *testing.T) {
	kit.OnlyOn(t, db.SQLite, "a server's database has standbys of its own")
	t.Parallel()
	platform := kit.NewPlatform(t)
	primary, dir, sheet := nas(t, platform)
	cards := filepath.Join(t.TempDir(), "cards.bundle")
	sku := primary.ImportCards("standby", "1.00", kit.Keys("STANDBY", 5000))
	book := &kit.Book{}
	_, err := kit.Buy(t.Context(), primary.Client(), platform, book, buyer(1), one(sku))
	require.NoError(t, err)
	r := primary.Run("key", "cards", cards)
	require.Zero(t, r.Code, "%s%s", r.Out, r.Err)
	primary.AwaitCopied()

	standby := kit.Empty(t, t.TempDir(), platform, kit.Nas(dir))
	standby.Follow("nas", "--sheet", sheet, "--cards", cards)
	standby.AwaitFollowed()
	status, _, answer, err := standby.Client().Raw(t.Context(), http.MethodPost, "/api/v1/orders", nil, nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusServiceUnavailable, status, "%s", answer)
	require.Contains(t, string(answer), "standby_read_only")
	r = standby.Run("check")
	require.NotZero(t, r.Code, "nobody opens the database of a standby")
	r = standby.Run("promote", "--set", kit.Nas(dir))
	require.NotZero(t, r.Code, "the shop lives: %s%s", r.Out, r.Err)
	require.Contains(t, r.Err, "stop it first")

	ctx, goHome := context.WithCancel(t.Context())
	defer goHome()
	orders := &timed{}
	var load sync.WaitGroup
	load.Go(func() { orders.crowd(ctx, primary.Client(), sku) })
	time.Sleep(5 * time.Second) // load
	followedUnderLoad := standby.Behind()
	end := time.Now()
	primary.Kill()
	goHome()
	load.Wait()
	t.Logf("under load: %+v", followedUnderLoad)
	r = standby.Run("promote", "--set", kit.Nas(dir))
	require.Zero(t, r.Code, "%s%s", r.Out, r.Err)
	require.Contains(t, r.Out, "0 violations")
	t.Logf("promoted in %v: %s", time.Since(end).Round(time.Millisecond), r.Out)
	n, window := orders.lost(t, standby.Client(), end)
	t.Logf("%d of %d orders lost, the oldest %v before the end", n, len(orders.order), window.Round(time.Millisecond))
	require.LessOrEqual(t, window, 2*time.Second)
	book.RequireKept(t, standby.Client(), 0)
	_, err = kit.Buy(t.Context(), standby.Client(), platform, book, buyer(3), one(sku))
	require.NoError(t, err)
	require.ErrorContains(t, primary.TryStart(), "exit status 3")
	standby.RequireClean()
	standby.AwaitCopied()

	require.Zero(t, standby.Stop(20*time.Second))
	standby.Follow("nas") // what a unit file says; it is a shop now
	_, err = standby.Client().Place(t.Context(), buyer(4), one(sku))
	require.NoError(t, err)
}

// Two standbys follow. The shop sees them, its checklist is green by them, and a
// drill takes over on scratch copies. When the machine is gone and both are
// promoted at once, exactly one sells; the other one follows it from then on.
func TestOfTwoStandbysOneTakesOver(t *testing.T) {
	kit.OnlyOn(t, db.SQLite, "a server's database has standbys of its own")
	t.Parallel()
	platform := kit.NewPlatform(t)
	primary, dir, sheet := nas(t, platform)
	sku := primary.ImportCards("two", "1.00", kit.Keys("TWO", 500))
	book := &kit.Book{}
	_, err := kit.Buy(t.Context(), primary.Client(), platform, book, buyer(1), one(sku))
	require.NoError(t, err)
	primary.AwaitCopied()
	both := make([]*kit.Shop, 2)
	for i := range both {
		both[i] = kit.Empty(t, t.TempDir(), platform, kit.Nas(dir))
		both[i].Follow("nas", "--sheet", sheet)
		both[i].AwaitFollowed()
	}
	require.Eventually(t, func() bool {
		r := primary.Run("backup", "checklist", "--json", "--set", kit.Nas(dir))
		var told struct {
			Items []struct{ Name, State string }
		}
		return json.Unmarshal([]byte(r.Out), &told) == nil && slices.ContainsFunc(told.Items, func(i struct{ Name, State string }) bool {
			return i.Name == "replica" && i.State == "green"
		})
	}, 40*time.Second, time.Second)
	r := primary.Run("backup", "status")
	require.Equal(t, 2, strings.Count(r.Out, "follows"), "%s", r.Out)
	r = primary.Run("drill", "run", "standby-failover", "--set", kit.Nas(dir))
	require.Zero(t, r.Code, "%s%s", r.Out, r.Err)

	primary.AwaitCopied()
	primary.Kill()
	codes := make([]int, 2)
	var race sync.WaitGroup
	for i := range both {
		race.Go(func() {
			r := both[i].Run("promote", "--set", kit.Nas(dir))
			codes[i] = r.Code
			t.Logf("%d: %s%s", r.Code, r.Out, r.Err)
		})
	}
	race.Wait()
	require.ElementsMatch(t, []int{0, 1}, codes)
	winner, other := both[0], both[1]
	if codes[0] != 0 {
		winner, other = both[1], both[0]
	}
	book.RequireKept(t, winner.Client(), 0)
	_, err = winner.Client().Place(t.Context(), buyer(2), one(sku))
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		b := other.Behind()
		return b.Epoch == 2 && strings.HasPrefix(b.Generation, "0002") && b.Behind == 0 && b.Failure == ""
	}, time.Minute, 500*time.Millisecond, "it follows the new one")
}
