package ship_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/backup/backuptest"
	"panshi/internal/backup/restore"
	"panshi/internal/db"
	"panshi/internal/db/sqlite"
)

// digest is what a database says, row by row.
func digest(t testing.TB, d db.DB) string {
	t.Helper()
	sum := sha256.New()
	require.NoError(t, d.View(t.Context(), func(tx *db.Tx) error {
		rows, err := db.Collect(tx, func(rows db.Rows) (line string, err error) {
			var name, holder string
			var fence int64
			err = rows.Scan(&name, &holder, &fence)
			return fmt.Sprintln(name, holder, fence), err
		}, `SELECT name, holder, fence FROM leases ORDER BY name`)
		sum.Reset()
		sum.Write([]byte(strings.Join(rows, "")))
		return err
	}))
	return hex.EncodeToString(sum.Sum(nil))
}

// load writes from several goroutines, large rows, so that the log starts over
// several times.
func (s *shop) load(r *backuptest.Dice, n int) {
	var writers sync.WaitGroup
	for range 8 {
		seed := r.Split()
		writers.Go(func() {
			for range n {
				name, text := fmt.Sprint(seed.IntN(4000)), strings.Repeat(string(rune('a'+seed.IntN(26))), 1000+seed.IntN(20000))
				_ = s.db.Update(s.t.Context(), func(tx *db.Tx) error { // a failure shows as a missing row in no digest
					_, err := tx.Exec(`INSERT INTO leases (name, holder, fence, until_ms) VALUES ($1, $2, 1, 1)
						ON CONFLICT (name) DO UPDATE SET holder = $3, fence = leases.fence + 1`, name, text, text)
					return err
				})
			}
		})
	}
	writers.Wait()
}

// rounds is how many moments are looked at: a hundred on demand.
func rounds() int {
	if os.Getenv("PANSHI_TORTURE") != "" {
		return 100
	}
	return 6
}

// Every moment comes back as it was, under load, over restarts of the log, of
// the shop, after merging and a whole copy.
func TestEveryMomentComesBack(t *testing.T) {
	r := backuptest.NewDice(t)
	s := newShop(t)
	s.hasty = true
	s.open()
	type moment struct {
		at     time.Time
		digest string
	}
	var moments []moment
	restarts := 0
	for i := range rounds() {
		s.load(r, 40+r.IntN(80))
		s.shipped()
		moments = append(moments, moment{time.Now(), digest(t, s.db)})
		time.Sleep(2 * time.Millisecond) // names have whole milliseconds
		switch i % 5 {
		case 1:
			require.NoError(t, s.ship.Maintain(t.Context(), 120))
		case 2:
			require.NoError(t, s.ship.Full(t.Context()))
		case 3:
			s.close()
			restarts += s.ship.Restarts()
			s.open()
		}
	}
	status := s.shipped()
	require.Len(t, status.Generations, 1)
	s.close()
	restarts += s.ship.Restarts()
	t.Logf("%d transactions, %d bytes, the log started over %d times", status.Transaction, status.Bytes, restarts)
	require.Positive(t, restarts)
	for i, m := range moments {
		dir := t.TempDir()
		plan, err := s.tryRestore(restore.Target{At: m.at}, dir+"/"+sqlite.FileName)
		require.NoError(t, err, i)
		d, err := sqlite.Open(t.Context(), sqlite.Config{Dir: dir})
		require.NoError(t, err)
		require.Equal(t, m.digest, digest(t, d), "moment %d, from %d files", i, len(plan.Files))
		require.NoError(t, d.Close())
	}
}
