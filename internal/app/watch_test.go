package app

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/check"
	"panshi/internal/clock"
	"panshi/internal/db"
	"panshi/internal/db/dbtest"
	"panshi/internal/i18n"
	"panshi/internal/id"
	"panshi/internal/jobs"
	"panshi/internal/merchant"
	"panshi/internal/money"
	"panshi/internal/notify"
	"panshi/internal/payment"
	"panshi/internal/payment/routing"
)

// watched is a watcher over a real database, whose accounts, disk and clock a
// test turns.
type watched struct {
	*watcher
	t     *testing.T
	clock *clock.Manual
	bytes int64
	state map[id.ID]routing.Health
}

func newWatched(t *testing.T) *watched {
	t.Helper()
	k := &watched{t: t, clock: clock.NewManual(time.Now().Truncate(time.Second)), bytes: 100 << 30, state: map[id.ID]routing.Health{}}
	d := dbtest.Open(t, dbtest.Options{Clock: k.clock})
	texts, err := i18n.Load()
	require.NoError(t, err)
	log := slog.New(slog.DiscardHandler)
	k.watcher = &watcher{
		db: d, notify: notify.New(d, notify.Defaults(), notify.Ways{}, texts, func(id.ID) string { return "" }, k.clock, log),
		healths: func() map[id.ID]routing.Health { return k.state }, free: func() (int64, error) { return k.bytes, nil },
		clock: k.clock, log: log, due: map[string]time.Time{}, broken: map[id.ID]time.Time{},
	}
	return k
}

// lookNow takes every look and gives the codes of the open alerts.
func (k *watched) lookNow() (codes []string) {
	k.t.Helper()
	clear(k.due)
	_, err := k.look(k.t.Context())
	require.NoError(k.t, err)
	open, err := k.notify.Open(k.t.Context(), 100)
	require.NoError(k.t, err)
	for _, a := range open {
		codes = append(codes, a.Code)
	}
	report, err := check.Run(k.t.Context(), k.db, notify.Invariants(), func(string, int, int) {})
	require.NoError(k.t, err)
	require.Zero(k.t, report.Violations)
	return codes
}

func (k *watched) update(do func(tx *db.Tx) error) {
	k.t.Helper()
	require.NoError(k.t, k.db.Update(k.t.Context(), do))
}

// TestTheHoldDeskIsAlertedOfWhileItHasCases: one alert with a count, and its
// end when the last case is closed.
func TestTheHoldDeskIsAlertedOfWhileItHasCases(t *testing.T) {
	t.Parallel()
	k, one, two := newWatched(t), id.New(), id.New()
	for _, merchantID := range []id.ID{one, one, two} {
		k.update(func(tx *db.Tx) error {
			return payment.HoldTx(tx, payment.Hold{MerchantID: merchantID, Reason: "amount_mismatch", Amount: money.Of(1, money.CNY)})
		})
	}
	require.Equal(t, []string{"hold_opened", "hold_opened"}, k.lookNow())
	closeOne := func() {
		k.update(func(tx *db.Tx) error {
			open, err := payment.OpenHoldsTx(tx, one, id.ID{}, 1)
			if err != nil {
				return err
			}
			return payment.ResolveTx(tx, open[0], "dismiss")
		})
	}
	closeOne()
	require.Len(t, k.lookNow(), 2, "one case is left")
	closeOne()
	require.Len(t, k.lookNow(), 1, "the other merchant's")
}

// TestAccountsThatFailForMinutes: a breaker that opens for a moment is no
// alert; half-open is not well yet.
func TestAccountsThatFailForMinutes(t *testing.T) {
	t.Parallel()
	k := newWatched(t)
	m, err := merchant.NewService(k.db, k.clock).Put(t.Context(), merchant.Merchant{Slug: "m", Name: "m", Currency: money.CNY, Open: true})
	require.NoError(t, err)
	account := id.New()
	k.update(func(tx *db.Tx) error {
		_, err := tx.Exec(`INSERT INTO payment_accounts (id, merchant_id, provider, method, external_ref, name, config_sealed, status, created_at, updated_at)
			VALUES ($1, $2, 'wechatpay', 'native', '1900', 'shop', $3, 'on', 1, 1)`, account, m.ID, []byte{1})
		return err
	})
	breaker := func(state string, after time.Duration) []string {
		k.clock.Advance(after)
		k.state[account] = routing.Health{Breaker: state}
		return k.lookNow()
	}
	require.Empty(t, breaker("open", 0))
	require.Empty(t, breaker("closed", 2*time.Minute))
	require.Empty(t, breaker("open", time.Hour))
	require.Empty(t, breaker("half-open", 2*time.Minute))
	require.Equal(t, []string{"account_down"}, breaker("open", time.Minute))
	require.Equal(t, []string{"account_down"}, breaker("half-open", time.Hour))
	require.Empty(t, breaker("closed", time.Minute))
}

// TestJobsThatWereGivenUp are alerted of until they are gone.
func TestJobsThatWereGivenUp(t *testing.T) {
	t.Parallel()
	k := newWatched(t)
	k.update(func(tx *db.Tx) error { return jobs.EnqueueTx(tx, id.New(), "refund.send", id.New()) })
	require.Empty(t, k.lookNow())
	k.update(func(tx *db.Tx) error {
		_, err := tx.Exec(`UPDATE jobs SET dead = 1`)
		return err
	})
	require.Equal(t, []string{"jobs_dead"}, k.lookNow())
	require.Equal(t, []string{"jobs_dead"}, k.lookNow())
	k.update(func(tx *db.Tx) error {
		_, err := tx.Exec(`DELETE FROM jobs`)
		return err
	})
	require.Empty(t, k.lookNow())
}

// TestDiskNearlyFull: it begins below one bound and ends above another, so that
// a disk at the edge does not chatter.
func TestDiskNearlyFull(t *testing.T) {
	t.Parallel()
	k := newWatched(t)
	for _, step := range []struct {
		free int64
		want []string
	}{
		{diskLow, nil},
		{diskLow - 1, []string{"disk_low"}},
		{diskLow + 1, []string{"disk_low"}},
		{diskEnough, nil},
		{diskLow + 1, nil},
	} {
		k.bytes = step.free
		require.Equal(t, step.want, k.lookNow())
	}
}

// TestWatchingWritesNothingWhenNothingChanged: the sweeps run all day.
func TestWatchingWritesNothingWhenNothingChanged(t *testing.T) {
	t.Parallel()
	k := newWatched(t)
	k.bytes = 1
	k.lookNow()
	k.watcher.db = readOnly{k.db}
	k.watcher.notify = notify.New(readOnly{k.db}, notify.Defaults(), notify.Ways{}, nil, nil, k.clock, k.log)
	clear(k.due)
	_, err := k.look(t.Context())
	require.NoError(t, err)
}

// readOnly refuses to write.
type readOnly struct{ db.DB }

func (readOnly) Update(context.Context, func(tx *db.Tx) error) error { return db.ErrReadOnly }
