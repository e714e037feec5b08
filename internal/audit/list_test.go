package audit_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"panshi/internal/audit"
	"panshi/internal/db"
	"panshi/internal/db/dbtest"
	"panshi/internal/id"
)

// Every record of a merchant is on exactly one page, and nobody else's on any,
// also where others' records fill whole windows between.
func TestListShowsEveryRecordOnce(t *testing.T) {
	t.Parallel()
	d := dbtest.Open(t, dbtest.Options{})
	mine, others := id.New(), id.New()
	record := func(merchantID id.ID, n int, actor string) {
		for done := 0; done < n; done += 500 {
			require.NoError(t, d.Update(t.Context(), func(tx *db.Tx) error {
				for range min(500, n-done) {
					if err := audit.RecordTx(tx, audit.Record{MerchantID: merchantID, Actor: audit.Actor{Kind: actor}, Action: "test.done", SubjectKind: "test"}); err != nil {
						return err
					}
				}
				return nil
			}))
		}
	}
	record(mine, 7, "staff")
	record(others, 11_000, "buyer")
	record(mine, 6, "system")

	walk := func(actor string) (seen map[id.ID]bool, pages int) {
		seen = map[id.ID]bool{}
		f := audit.Filter{Limit: 5, ActorKind: actor}
		for {
			page, next, err := audit.NewReader(d).List(t.Context(), mine, f)
			require.NoError(t, err)
			pages++
			for _, e := range page {
				require.False(t, seen[e.ID])
				require.Equal(t, mine, e.MerchantID)
				seen[e.ID] = true
			}
			if next.IsZero() {
				return seen, pages
			}
			f.Before = next
		}
	}
	all, pages := walk("")
	require.Len(t, all, 13)
	require.LessOrEqual(t, pages, 7)
	staff, _ := walk("staff")
	require.Len(t, staff, 7)
}
