package app

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/superfly/ltx"
	"github.com/tink-crypto/tink-go/v2/tink"

	"panshi/internal/backup"
	"panshi/internal/backup/feed"
	"panshi/internal/backup/seal"
	"panshi/internal/backup/ship"
	"panshi/internal/backup/spool"
	"panshi/internal/clock"
	"panshi/internal/db"
	"panshi/internal/db/sqlite"
	"panshi/internal/errs"
	"panshi/internal/id"
	"panshi/internal/merchant"
	"panshi/internal/money"
	"panshi/internal/vault"
)

// countedShop is a shop that was shipped and added up, and is not copied yet.
type countedShop struct {
	cfg      Config
	dir      string // the destination
	sheet    seal.Sheet
	merchant id.ID
	shipper  *ship.Shipper
	counted  *counting
	cipher   tink.StreamingAEAD
	before   time.Time   // it was shipped, and not added up
	days     []time.Time // those with orders, oldest first; the last is today
}

// day writes orders of 100 each, and what they are in the books, with ids of a
// day.
func (s *countedShop) day(t *testing.T, d db.DB, at time.Time, orders int) {
	t.Helper()
	for i := range orders {
		v := id.New()
		lowest := id.Lowest(at)
		copy(v[:6], lowest[:6])
		require.NoError(t, d.Update(t.Context(), func(tx *db.Tx) error {
			_, err := tx.Exec(`INSERT INTO orders (id, merchant_id, order_no, status, currency, total, contact_kind, contact_sealed, contact_index,
				lang, expires_at, created_at) VALUES ($1, $2, $3, 'completed', 'CNY', 100, 'email', $4, $5, 'en', $6, $7)`,
				v, s.merchant, fmt.Sprintf("%d-%d", at.UnixMilli(), i), []byte("x"), []byte("x"), at.UnixMilli(), at.UnixMilli())
			if err != nil {
				return err
			}
			for leg, account := range []string{"provider", "merchant"} {
				if _, err := tx.Exec(`INSERT INTO ledger_postings (entry_id, leg, merchant_id, account, amount, currency)
					VALUES ($1, $2, $3, $4, $5, 'CNY')`, v, leg, s.merchant, account, 100-200*leg); err != nil {
					return err
				}
			}
			return nil
		}))
	}
}

// newCountedShop has orders of two days ago, yesterday and today; some of today
// come after it was added up.
func newCountedShop(t *testing.T) *countedShop {
	t.Helper()
	s := &countedShop{dir: filepath.Join(t.TempDir(), "nas")}
	var err error
	s.cfg, err = Load(Flags{Data: filepath.Join(t.TempDir(), "shop"), Set: []string{
		"backup.destinations=[{label: nas, kind: directory, same_device: true, dir: " + s.dir + "}]", "backup.interval=100ms",
	}})
	require.NoError(t, err)
	log := slog.New(slog.DiscardHandler)
	shop, err := OpenLocal(t.Context(), s.cfg, log)
	require.NoError(t, err)
	m, err := shop.merchants.Put(t.Context(), merchant.Merchant{Slug: "tea", Name: "tea", Currency: money.CNY, Open: true})
	require.NoError(t, err)
	_, err = shop.merchants.Put(t.Context(), merchant.Merchant{Slug: "other", Name: "other", Currency: money.CNY, Open: true})
	require.NoError(t, err)
	s.merchant = m.ID
	s.cipher = shop.vault.Backup()
	now := time.Now().UTC()
	s.days = []time.Time{now.AddDate(0, 0, -2), now.AddDate(0, 0, -1), now}
	for _, day := range s.days {
		s.day(t, shop.db, day.Truncate(time.Millisecond), 60)
	}
	require.NoError(t, shop.Close())
	r, err := NewRecovery(s.cfg, RecoveryOptions{Shop: "tea"}, now)
	require.NoError(t, err)
	require.NoError(t, r.Save())
	s.sheet, err = seal.ParseSheet(r.Sheet)
	require.NoError(t, err)
	s.ship(t, log)
	return s
}

func (s *countedShop) ship(t *testing.T, log *slog.Logger) {
	t.Helper()
	settings := s.cfg.Backup.Config
	settings.Spool = s.cfg.spoolDir()
	s.shipper = ship.New(settings, s.cfg.Data, filepath.Join(s.cfg.Data, sqlite.FileName), func(spool.File) bool { return true }, clock.System{}, log)
	d, err := openSQLite(t.Context(), s.cfg, log, s.shipper)
	require.NoError(t, err)
	v, err := vault.Open(vault.Config(s.cfg.Vault))
	require.NoError(t, err)
	require.NoError(t, startShipping(t.Context(), s.cfg, s.shipper, v))
	s.counted = newCounting(d, s.shipper, log)
	require.Eventually(t, func() bool { return s.shipper.Transaction() > 0 }, 10*time.Second, 10*time.Millisecond)
	s.before = time.Now()
	require.Eventually(t, func() bool { return time.Since(s.before) > 5*time.Millisecond }, time.Second, time.Millisecond, "file names have milliseconds")
	s.day(t, d, time.Now(), 1)
	require.Eventually(t, func() bool { return s.counted.count(t.Context()) == nil }, 10*time.Second, 50*time.Millisecond)
	sums, err := s.counted.sums(t.Context())
	require.NoError(t, err)
	require.Equal(t, int64(181), sums.Rows["orders"])
	s.day(t, d, time.Now(), 3)
	require.NoError(t, d.Close())
	require.NoError(t, s.shipper.Close())
}

// copyOut copies what is in the spool, as it is now, to the destination.
func (s *countedShop) copyOut(t *testing.T) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	secrets := vault.NewSecrets(vault.Config(s.cfg.Vault))
	keys, err := seal.Load(secrets)
	require.NoError(t, err)
	targets, err := Targets(s.cfg.Backup.Destinations, s.cfg.Data, secrets, clock.System{}, func(string, backup.Call) {})
	require.NoError(t, err)
	files, err := spool.Open(s.cfg.spoolDir(), s.cipher)
	require.NoError(t, err)
	source, err := feed.Open(ctx, files, s.cfg.mirrorDir())
	require.NoError(t, err)
	m, err := new(copies).mirrorOf(ctx, s.cfg, source, keys, targets, s.shipper, s.counted.sums, 0, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	ended := make(chan error, 1)
	go func() { ended <- m.Run(ctx) }()
	require.Eventually(t, func() bool {
		st := m.Status()[0]
		return st.Restorable && st.Pending == 0 && st.Listed == st.Objects
	}, 30*time.Second, 50*time.Millisecond)
	stop()
	require.NoError(t, <-ended)
	require.NoError(t, source.Close())
}

func (s *countedShop) restore(t *testing.T, r RestoreRequest) (Restored, error) {
	t.Helper()
	cfg, err := Load(Flags{Data: filepath.Join(t.TempDir(), "back")})
	require.NoError(t, err)
	r.From, r.Sheet = s.dir, &s.sheet
	done, err := Restore(t.Context(), cfg, r, slog.New(slog.DiscardHandler), func(string, int64, int64) {})
	if err != nil {
		require.NoDirExists(t, cfg.Data)
	}
	return done, err
}

// forge changes every whole copy in the spool by SQL and encrypts it anew: what
// somebody can do who has the vault's key on a machine that he broke into.
func (s *countedShop) forge(t *testing.T, change string, args ...any) {
	t.Helper()
	files, err := spool.Open(s.cfg.spoolDir(), s.cipher)
	require.NoError(t, err)
	all, err := files.List(t.Context(), "")
	require.NoError(t, err)
	forged := 0
	for _, f := range all {
		if !f.Whole() {
			continue
		}
		content, err := files.Read(t.Context(), f.Name)
		require.NoError(t, err)
		header, other := reforged(t, content, change, args)
		require.NoError(t, content.Close())
		require.NoError(t, files.Remove(t.Context(), f.Name))
		require.Equal(t, f.Last, uint64(header.MaxTXID))
		_, err = files.Write(t.Context(), f, other)
		require.NoError(t, err)
		forged++
	}
	require.Positive(t, forged)
}

// reforged opens a whole copy as a database, changes it, and closes it again.
func reforged(t *testing.T, content io.Reader, change string, args []any) (ltx.Header, io.Reader) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "forged.db")
	file, err := os.Create(path)
	require.NoError(t, err)
	d := ltx.NewDecoder(content)
	require.NoError(t, d.DecodeDatabaseTo(file))
	require.NoError(t, file.Close())
	header := d.Header()
	forged, err := sqlite.Open(t.Context(), sqlite.Config{Path: path})
	require.NoError(t, err)
	require.NoError(t, forged.Update(t.Context(), func(tx *db.Tx) error {
		n, err := tx.Exec(change, args...)
		require.Positive(t, n)
		return err
	}))
	require.NoError(t, forged.Close())
	pages, err := os.ReadFile(path)
	require.NoError(t, err)
	size := int(header.PageSize)
	header.Commit = uint32(len(pages) / size)
	header.Flags |= ltx.HeaderFlagNoChecksum
	header.PreApplyChecksum = 0
	var out bytes.Buffer
	e, err := ltx.NewEncoder(&out)
	require.NoError(t, err)
	require.NoError(t, e.EncodeHeader(header))
	for i := range int(header.Commit) {
		require.NoError(t, e.EncodePage(ltx.PageHeader{Pgno: uint32(i + 1)}, pages[i*size:(i+1)*size]))
	}
	require.NoError(t, e.Close())
	return header, &out
}

// bounds are the least and the greatest id of a day.
func bounds(day time.Time) []any {
	from, to := id.Lowest(day.UTC().Truncate(24*time.Hour)), id.Lowest(day.UTC().Truncate(24*time.Hour).AddDate(0, 0, 1))
	return []any{from[:], to[:]}
}

// A restore passes the state that the shop had added up, finds every amount and
// every row there, and goes on to the newest.
func TestARestoreIsComparedWithWhatTheShopCounted(t *testing.T) {
	t.Parallel()
	s := newCountedShop(t)
	s.copyOut(t)
	sums, err := s.counted.sums(t.Context())
	require.NoError(t, err)
	done, err := s.restore(t, RestoreRequest{})
	require.NoError(t, err)
	require.Empty(t, done.Sums.Differences)
	require.True(t, done.Sums.Exact)
	require.Equal(t, sums.Tx, done.Sums.Transaction)
	require.Greater(t, done.Transaction, sums.Tx, "the newest state is a later one")

	done, err = s.restore(t, RestoreRequest{At: s.before})
	require.NoError(t, err)
	require.Less(t, done.Transaction, sums.Tx)
	require.False(t, done.Sums.Exact)
	require.Equal(t, sums.Tx, done.Sums.Transaction, "closed days are compared with later sums")
}

// Copies that were forged with the vault's key, before they were signed for a
// destination, are refused with the day and the amounts: any day where the
// restore passes what was added up, and closed days everywhere.
func TestAForgedCopyIsRefused(t *testing.T) {
	t.Parallel()
	amount := `UPDATE orders SET total = total + 7 WHERE id = (SELECT MIN(id) FROM orders WHERE id >= $1 AND id < $2)`
	for name, forgery := range map[string]struct {
		day           int
		change, found string
	}{
		"an amount":          {0, amount, "60 for 6007 instead of 60 for 6000"},
		"an amount of today": {2, amount, "61 for 6107 instead of 61 for 6100"},
		"a day":              {0, `DELETE FROM orders WHERE id >= $1 AND id < $2`, "0 for 0 instead of 60 for 6000"},
		"the books": {
			0, `UPDATE ledger_postings SET amount = amount - 1 WHERE entry_id >= $1 AND entry_id < $2 AND account = 'merchant'`,
			"60 for -6060 instead of 60 for -6000",
		},
		"another merchant": {
			0, `UPDATE orders SET merchant_id = (SELECT m.id FROM merchants m WHERE m.slug = 'other') WHERE id >= $1 AND id < $2`,
			"0 for 0 instead of 60 for 6000",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newCountedShop(t)
			s.forge(t, forgery.change, bounds(s.days[forgery.day])...)
			s.copyOut(t)
			_, err := s.restore(t, RestoreRequest{})
			require.Equal(t, codeSumsDiffer, errs.CodeOf(err), "%v", err)
			require.ErrorContains(t, err, s.days[forgery.day].Format(time.DateOnly))
			require.ErrorContains(t, err, forgery.found)
			if forgery.day == 0 {
				_, err = s.restore(t, RestoreRequest{At: s.before})
				require.ErrorContains(t, err, forgery.found, "a closed day before what was added up")
			}
			done, err := s.restore(t, RestoreRequest{AcceptSums: true})
			require.NoError(t, err)
			require.NotEmpty(t, done.Sums.Differences)
		})
	}
}
