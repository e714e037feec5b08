package e2e

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/db"
	"panshi/test/kit"
)

// points is what `panshi backup list --json` tells of a destination.
type points struct {
	Label  string    `json:"label"`
	Newest time.Time `json:"newest"`
	Oldest time.Time `json:"oldest"`
	Fulls  int       `json:"fulls"`
	Points []struct {
		Generation  string    `json:"generation"`
		Full        time.Time `json:"full"`
		To          time.Time `json:"to"`
		Transaction uint64    `json:"transaction"`
		Last        uint64    `json:"last"`
		Bytes       int64     `json:"bytes"`
		Proved      time.Time `json:"proved"`
	} `json:"points"`
	Next time.Time `json:"next"`
}

// A whole copy is made when somebody asks for it, the answer comes when every
// destination has it, and from then on it is listed, and proved if that was asked
// for, too. A destination that cannot take it is named, and not waited for until
// the end of time.
func TestACopyIsMadeNow(t *testing.T) {
	kit.OnlyOn(t, db.SQLite, "a server's database is backed up by other means")
	t.Parallel()
	shop, dir, _ := nas(t, kit.NewPlatform(t))
	shop.AwaitCopied()
	run := func(code int, args ...string) string {
		t.Helper()
		r := withNas(shop, dir, append([]string{"backup"}, args...)...)
		require.Equal(t, code, r.Code, "%s%s", r.Out, r.Err)
		return r.Out
	}
	list := func(args ...string) (p points) {
		t.Helper()
		var told struct {
			Destinations []points `json:"destinations"`
		}
		out := run(0, append([]string{"list", "--json"}, args...)...)
		require.NoError(t, json.Unmarshal([]byte(out), &told), out)
		require.Len(t, told.Destinations, 1)
		return told.Destinations[0]
	}
	var before points
	require.Eventually(t, func() bool { before = list(); return before.Fulls > 0 }, 30*time.Second, time.Second, "nothing is listed")

	asked := time.Now().Add(-time.Second)
	require.Contains(t, run(0, "now"), "nas has it")
	first := list()
	require.Equal(t, before.Fulls+1, first.Fulls)
	require.True(t, first.Points[0].Full.After(asked))
	require.True(t, first.Points[0].Proved.IsZero())
	require.False(t, first.Points[0].To.Before(first.Points[0].Full))
	require.Positive(t, first.Points[0].Bytes)

	out := run(0, "now", "--prove")
	require.Contains(t, out, "nas is proved")
	second := list()
	require.False(t, second.Points[0].Proved.IsZero(), "%+v", second)
	require.True(t, second.Points[1].Proved.IsZero())
	require.Contains(t, run(0, "list"), "nas (basement)")

	page := list("--limit", "1")
	require.Len(t, page.Points, 1)
	require.Equal(t, second.Fulls, page.Fulls)
	rest := list("--before", page.Next.Format(time.RFC3339Nano))
	require.Equal(t, second.Points[1:], rest.Points)
	require.True(t, rest.Next.IsZero())

	mend := readOnly(t, dir)
	require.Contains(t, run(1, "now", "--wait", "1m"), "nas DOES NOT HAVE IT")
	mend()
	require.Zero(t, shop.Stop(20*time.Second))
	r := withNas(shop, dir, "backup", "now")
	require.Equal(t, 1, r.Code)
	require.Contains(t, r.Err, "no shop is running")
	shop.Start()
	shop.RequireClean()
}
