package e2e

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/db"
	"panshi/internal/db/sqlite"
	"panshi/test/kit"
)

// Somebody took one order away and changed another one. The merchant sees which
// ones, from a copy of before and beside the running shop; what he gets is no
// shop, and holds nothing that may not be seen.
func TestLostRowsAreFoundInABackup(t *testing.T) {
	kit.OnlyOn(t, db.SQLite, "a server's database is backed up by other means")
	t.Parallel()
	platform := kit.NewPlatform(t)
	shop, dir, sheet := nas(t, platform)
	keys := kit.Keys("FOUND", 20)
	sku := shop.ImportCards("found", "1.00", keys)
	book := &kit.Book{}
	kept, err := kit.Buy(t.Context(), shop.Client(), platform, book, buyer(1), one(sku))
	require.NoError(t, err)
	changed, err := shop.Client().Place(t.Context(), buyer(2), one(sku))
	require.NoError(t, err)
	lost, err := shop.Client().Place(t.Context(), buyer(3), one(sku))
	require.NoError(t, err)
	shop.AwaitCopied()
	before := time.Now()
	require.Zero(t, shop.Stop(20*time.Second))
	tamper(t, shop.Data, changed.No, lost.No)
	shop.Start()
	added, err := shop.Client().Place(t.Context(), buyer(4), one(sku))
	require.NoError(t, err)
	shop.AwaitCopied()

	look := filepath.Join(t.TempDir(), "look")
	take := func(to string, flags ...string) kit.Result {
		args := []string{"restore", "--from", dir, "--sheet", sheet, "--at", before.Format(time.RFC3339Nano), "--to", to, "--json"}
		return shop.RunEnv(nil, append(args, flags...)...)
	}
	r := take(look, "--table", "orders", "--compare", shop.Data)
	require.Equal(t, 1, r.Code, "differences are findings: %s%s", r.Out, r.Err)
	var told struct {
		Differences []struct {
			Missing, Changed, New struct {
				Count int
				First []string
			}
		}
	}
	require.NoError(t, json.Unmarshal([]byte(r.Out), &told), "%s", r.Out)
	require.Len(t, told.Differences, 1)
	d := told.Differences[0]
	require.Equal(t, []int{1, 1, 1}, []int{d.Missing.Count, d.Changed.Count, d.New.Count}, "%s", r.Out)
	require.Contains(t, d.Changed.First[0], "total")
	require.NotContains(t, d.Changed.First[0], "status")
	rows, err := os.ReadFile(filepath.Join(look, "orders.jsonl"))
	require.NoError(t, err)
	for no, there := range map[string]bool{kept.Placed.No: true, changed.No: true, lost.No: true, added.No: false} {
		require.Equal(t, there, bytes.Contains(rows, []byte(no)), no)
	}

	hits, read := kit.NewScanner("shop.example").Dir(t, look)
	require.Empty(t, hits, "people are told by digests")
	require.Positive(t, read)

	r = take(filepath.Join(t.TempDir(), "one"), "--order", lost.No, "--compare", shop.Data)
	require.Equal(t, 1, r.Code, "%s%s", r.Out, r.Err)
	require.Contains(t, r.Out, "order_lines.jsonl")
	r = take(filepath.Join(t.TempDir(), "none"), "--order", added.No)
	require.NotZero(t, r.Code, "it was placed later")
	require.Contains(t, r.Err, "no order of this number")
	cards := filepath.Join(t.TempDir(), "cards")
	require.Zero(t, take(cards, "--table", "cards").Code)
	hits, read = kit.NewScanner(append(keys, "FOUND")...).Dir(t, cards)
	require.Empty(t, hits)
	require.Positive(t, read)

	served := shop.RunEnv(nil, "demo", "--data", look)
	require.NotZero(t, served.Code)
	require.Contains(t, served.Err, "taken out of a backup")
	require.NoFileExists(t, filepath.Join(look, sqlite.FileName))
}

// tamper changes one order and takes one away, as somebody does who has the
// file.
func tamper(t *testing.T, data, changed, lost string) {
	t.Helper()
	d, err := sqlite.Open(t.Context(), sqlite.Config{Dir: data})
	require.NoError(t, err)
	require.NoError(t, d.Update(t.Context(), func(tx *db.Tx) error {
		for _, change := range []struct{ query, no string }{
			{`UPDATE orders SET total = total + 1 WHERE order_no = $1`, changed},
			{`DELETE FROM order_lines WHERE order_id = (SELECT id FROM orders WHERE order_no = $1)`, lost},
			{`DELETE FROM orders WHERE order_no = $1`, lost},
		} {
			n, err := tx.Exec(change.query, change.no)
			require.NotZero(t, n, change.query)
			if err != nil {
				return err
			}
		}
		return nil
	}))
	require.NoError(t, d.Close())
}
