package e2e

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/db"
	"panshi/test/kit"
)

// The same over a bucket: the credential is brought once, and comes with the
// shop's keys from then on.
func TestTheStandbyFollowsABucket(t *testing.T) {
	kit.OnlyOn(t, db.SQLite, "a server's database has standbys of its own")
	t.Parallel()
	platform := kit.NewPlatform(t)
	cloud := kit.NewBucket(t)
	primary := kit.Stopped(t, platform, cloud.Setting)
	sheet := primary.NewSheet()
	r := primary.Run("key", "destination", "put", "cloud", cloud.Credential)
	require.Zero(t, r.Code, "%s%s", r.Out, r.Err)
	primary.Start()
	sku := primary.ImportCards("bucket", "1.00", kit.Keys("BUCKET", 500))
	book := &kit.Book{}
	_, err := kit.Buy(t.Context(), primary.Client(), platform, book, buyer(1), one(sku))
	require.NoError(t, err)
	primary.AwaitCopied()
	standby := kit.Empty(t, t.TempDir(), platform, cloud.Setting)
	standby.Follow("cloud", "--sheet", sheet, "--credential", cloud.Credential)
	standby.AwaitFollowed()
	standby.Kill()
	standby.Follow("cloud")
	standby.AwaitFollowed()
	primary.AwaitCopied()
	primary.Kill()
	begin := time.Now()
	r = standby.Run("promote", "--set", cloud.Setting)
	require.Zero(t, r.Code, "%s%s", r.Out, r.Err)
	t.Logf("promoted within %v", time.Since(begin).Round(time.Millisecond))
	book.RequireKept(t, standby.Client(), 0)
	_, err = standby.Client().Place(t.Context(), buyer(2), one(sku))
	require.NoError(t, err)
	require.ErrorContains(t, primary.TryStart(), "exit status 3")
}
