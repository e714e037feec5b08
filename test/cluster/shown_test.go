package cluster

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/cache"
	"panshi/internal/db/dbtest"
	"panshi/test/kit"
)

// TestChangesReachEveryProcess changes a price at one process and looks at it
// at the other. The exact bound is shown by the clock of a bubble, in package
// cache; here a busy machine may be late, but not with most of nine changes.
func TestChangesReachEveryProcess(t *testing.T) {
	c := kit.NewCluster(t, dbtest.NewNode(t), kit.NewPlatform(t), []string{"all", "all"})
	put := func(yuan int) {
		sheet := kit.CatalogFile(t, t.TempDir(), fmt.Sprintf("moving,manual,Moving,moving,%d.00,", yuan))
		r := c.Run(0, "import", "catalog", sheet)
		require.Zero(t, r.Code, "%s%s", r.Out, r.Err)
	}
	put(1)
	there := c.Members[1].Client()
	var path string
	for _, product := range there.Products(t) {
		if product.Title == "Moving" {
			path = "/api/v1/products/" + product.ID
		}
	}
	require.NotEmpty(t, path)
	price := func() int64 {
		status, _, raw, err := there.Raw(t.Context(), http.MethodGet, path, nil, nil)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, status, "%s", raw)
		var product struct {
			SKUs []struct{ Price int64 }
		}
		require.NoError(t, json.Unmarshal(raw, &product))
		require.Len(t, product.SKUs, 1)
		return product.SKUs[0].Price
	}
	var took []time.Duration
	for yuan := 2; yuan <= 10; yuan++ {
		put(yuan)
		within(t, 10*time.Second, "the new price", func() bool { return price() == int64(yuan)*100 })
		seen := time.Now()
		changed, err := strconv.ParseInt(c.Text(`SELECT MAX(changed_at)::text FROM catalog_versions`), 10, 64)
		require.NoError(t, err)
		took = append(took, seen.Sub(time.UnixMilli(changed)))
	}
	slices.Sort(took)
	t.Logf("shown at the other process, counted from before the commit: median %v, longest %v", took[len(took)/2], took[len(took)-1])
	require.Less(t, took[len(took)/2], cache.ShownWithin)
}
