package imports

import (
	"bytes"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"panshi/internal/db/dbtest"
	"panshi/internal/errs"
)

// TestSameFileAtOnce: two nodes import the same file at once. One of them, or
// both one after the other, bring it to its end, each line once; who was in
// the way is told so.
func TestSameFileAtOnce(t *testing.T) {
	t.Parallel()
	const sheet = "slug,kind,title,sku,price,category,category_title\nx,card,X,X1,1.00,games,Games\ny,manual,Y,Y1,2.00,games,\n"
	for name, load := range map[string]func(s *shop) error{
		"cards": func(s *shop) error {
			_, err := s.Cards(t.Context(), s.request("KEY", keys(50)+"bad\x01line\n"), nil)
			return err
		},
		"catalogue": func(s *shop) error {
			_, err := s.Catalog(t.Context(), CatalogRequest{MerchantID: s.m.ID, Source: bytes.NewReader([]byte(sheet))}, nil)
			return err
		},
	} {
		s := newShop(t)
		nodes := *s
		nodes.Service = New(dbtest.Overlapping(s.db, 2), s.vault, s.log)
		failures := make([]error, 2)
		var wg sync.WaitGroup
		for i := range failures {
			wg.Go(func() { failures[i] = load(&nodes) })
		}
		wg.Wait()
		ended := 0
		for _, err := range failures {
			if err == nil {
				ended++
				continue
			}
			require.Equal(t, "import_busy", errs.CodeOf(err), "%s: %v", name, err)
		}
		require.Positive(t, ended, name)
		require.Zero(t, s.count(`SELECT COUNT(*) FROM import_batches WHERE status <> 'done'`), name)
		if name == "cards" {
			require.EqualValues(t, 50, s.level("KEY").Available)
			// Who came when the other had ended began anew, and found all of it there.
			again := s.count(`SELECT COUNT(*) FROM import_batches`) - 1
			require.Equal(t, 1+51*again, s.count(`SELECT COUNT(*) FROM import_findings`))
		}
		s.sound()
	}
}
