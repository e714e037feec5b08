//go:build faultpoints

package torture

import (
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"panshi/internal/db"
	"panshi/internal/db/dbtest"
	"panshi/internal/db/postgres"
	"panshi/internal/db/sqlite"
	"panshi/internal/db/transfer"
	"panshi/test/kit"
)

// crashMove moves the demo shop to PostgreSQL and on to a new data directory,
// and kills each move at a point. However it ended, both places are never open
// at once, and the same command finishes the move.
func crashMove(t *testing.T, point string, pass int) {
	kit.OnlyOn(t, db.SQLite, "the move goes from a data directory to a server and back in its one round")
	if point == "transfer.copy.batch-written" {
		pass += 5 // in the midst of it
	}
	shop := kit.Stopped(t, nil)
	url, next := dbtest.EmptyPostgres(t), filepath.Join(shop.Dir, "next")
	crashOneMove(t, shop, point, pass, shop.Data, url)
	crashOneMove(t, shop, point, pass, url, next, "--copy-keys")
	shop.Data = next
	shop.RequireClean()
	r := shop.Run("demo", "--json")
	require.Zero(t, r.Code, r.Err)
	require.Contains(t, r.Out, `"unchanged": true`)
	shop.Start()
	require.NotEmpty(t, shop.Client().Products(t))
}

func crashOneMove(t *testing.T, shop *kit.Shop, point string, pass int, from, to string, more ...string) {
	t.Helper()
	move := append([]string{"migrate", "--json", "--data", shop.Data, "--from", from, "--to", to}, more...)
	r := shop.RunEnv([]string{"PANSHI_FAULT=" + point + ":" + strconv.Itoa(pass)}, move...)
	require.Equal(t, -1, r.Code, "never passed: %s", r.Err)
	require.Contains(t, r.Err, "fault: killed at "+point)
	over := point == "transfer.finish.finished"
	require.False(t, servable(t, from), "the old place from the first mark on")
	if point != "transfer.begin.source-marked" { // then it is still empty, and nobody's
		require.Equal(t, over, servable(t, to), "the new place only at the end")
	}
	r = shop.RunEnv(nil, move...)
	if over {
		require.Equal(t, 1, r.Code)
		require.Contains(t, r.Err, "this shop moved to ")
		return
	}
	require.Zero(t, r.Code, "%s%s", r.Out, r.Err)
	require.Contains(t, r.Out, `"moved": true`)
	require.False(t, servable(t, from))
	require.True(t, servable(t, to))
}

// servable tells whether a shop would start on a place.
func servable(t *testing.T, place string) bool {
	t.Helper()
	var d interface {
		db.DB
		Close() error
	}
	var err error
	if filepath.IsAbs(place) {
		d, err = sqlite.Open(t.Context(), sqlite.Config{Dir: place})
	} else {
		d, err = postgres.Open(t.Context(), postgres.Config{URL: place})
	}
	require.NoError(t, err)
	defer func() { require.NoError(t, d.Close()) }()
	return transfer.Servable(t.Context(), d) == nil
}
