package s3dest_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/stretchr/testify/require"

	"panshi/internal/backup"
	"panshi/internal/backup/lease"
	"panshi/internal/backup/seal"
	"panshi/internal/clock"
	"panshi/internal/errs"
)

// A bucket keeps a lease: of several that depose its holder at once one wins, the
// holder learns of it, and does not get it back.
func TestABucketKeepsALease(t *testing.T) {
	d, ok := open(t, config(bucket(t, minio.MakeBucketOptions{}))).(backup.Swapper)
	require.True(t, ok)
	keys, _, err := seal.New(seal.Options{Shop: "tea"})
	require.NoError(t, err)
	claim := func(node string) lease.Config {
		return lease.Config{
			Dest: d, Signer: keys, Clock: clock.System{}, Log: slog.New(slog.DiscardHandler),
			Claim: lease.Claim{Node: node, Run: node, TTL: lease.TTL, Now: time.Now},
		}
	}
	old, err := lease.Hold(t.Context(), claim("old"))
	require.NoError(t, err)
	results := make([]error, 4)
	var race sync.WaitGroup
	for i := range results {
		race.Go(func() {
			c := claim(string(rune('a' + i)))
			c.Claim.Promote, c.Claim.Depose = true, true
			_, results[i] = lease.Hold(t.Context(), c)
		})
	}
	race.Wait()
	won := 0
	for _, err := range results {
		if err == nil {
			won++
		} else {
			require.Contains(t, []string{"lease_raced", "lease_held"}, errs.CodeOf(err), "%v", err)
		}
	}
	require.Positive(t, won, "%v", errors.Join(results...))
	now, err := lease.Look(t.Context(), d, keys)
	require.NoError(t, err)
	require.EqualValues(t, 1+won, now.Epoch, "each that won raised the epoch of the one before")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	old.Run(ctx)
	require.Equal(t, "lease_lost", errs.CodeOf(old.Check()))
	require.NoError(t, lease.Tell(t.Context(), d, keys, lease.Follower{Node: "s", Transaction: 1}))
	all, err := lease.Followers(t.Context(), d, keys)
	require.NoError(t, err)
	require.Len(t, all, 1)
}
