package reconcile

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/id"
	"panshi/internal/payment"
)

// other is the shop as another merchant sees it, with an account at the same
// platform.
func (s *shop) other(slug string) *shop {
	o := *s
	o.merchant, o.sku = s.open(slug)
	o.account = s.enlist(o.merchant.ID, slug)
	return &o
}

// speaks is what speaks to the platform for a shop's account.
func (s *shop) speaks() payment.Provider {
	s.t.Helper()
	_, p, err := s.accounts.Provider(s.t.Context(), s.account.ID)
	require.NoError(s.t, err)
	return p.(bent).Provider
}

// days reconciles a merchant's accounts, by account.
func (s *shop) days(date string) map[id.ID]DayReport {
	s.t.Helper()
	report, err := s.svc.Reconcile(s.t.Context(), Request{Date: date, MerchantID: s.merchant.ID}, func(string, int64, int64) {})
	require.NoError(s.t, err)
	all := map[id.ID]DayReport{}
	for _, d := range report.Days {
		all[d.AccountID] = d
	}
	return all
}

// sells leaves one account of a merchant on.
func (s *shop) sells(a payment.Account) {
	s.exec(`UPDATE payment_accounts SET status = CASE WHEN id = $1 THEN 'on' ELSE 'off' END WHERE merchant_id = $2`, a.ID, s.merchant.ID)
}

// Two merchants whose bills the platform swaps: nothing of one is booked or
// believed for the other, both days stay open, and close when the bills are
// the right ones.
func TestSwappedBills(t *testing.T) {
	onBoth(t, testSwappedBills)
}

func testSwappedBills(t *testing.T, one *shop) {
	two := one.other("second")
	one.buy()
	two.buy()
	two.buy()
	date := one.tomorrow()
	first, second := one.speaks(), two.speaks()
	one.instead = func(p payment.Provider) payment.Provider {
		if p == first {
			return second
		}
		return first
	}
	for s, want := range map[*shop][2]int{one: {1, 2}, two: {2, 1}} { // its own, which no bill has; the other's
		d := s.days(date)[s.account.ID]
		require.Equal(t, Differs, d.State)
		kinds := map[Kind]int{}
		for _, c := range d.Cases {
			kinds[c.Kind]++
			require.NotEqual(t, SeeHoldDesk, c.Remedy)
		}
		require.Equal(t, map[Kind]int{OursOnly: want[0], TheirsOnly: want[1]}, kinds)
		require.Equal(t, int64(1000*want[0]), s.books(), "what it sold")
	}
	one.instead = nil
	for _, s := range []*shop{one, two} {
		d := s.days(date)[s.account.ID]
		require.Equal(t, []any{Closed, int64(0), int64(0)}, []any{d.State, d.Open, d.Difference()})
	}
	require.Empty(t, one.broken())
}

// One merchant with two merchant numbers: each has its own bill and day. If the
// platform swaps those, the lines are another account's; nothing is closed.
func TestTwoAccountsOfOneMerchant(t *testing.T) {
	onBoth(t, testTwoAccountsOfOneMerchant)
}

func testTwoAccountsOfOneMerchant(t *testing.T, s *shop) {
	first := s.account
	second := s.enlist(s.merchant.ID, "second")
	s.exec(`UPDATE payment_accounts SET sandbox = 0 WHERE merchant_id = $1`, s.merchant.ID)
	s.sells(first)
	s.buy()
	s.sells(second)
	s.buy()
	s.buy()
	date := s.tomorrow()
	one := s.speaks()
	s.account = second
	two := s.speaks()
	s.instead = func(p payment.Provider) payment.Provider {
		if p == one {
			return two
		}
		return one
	}
	var moved Case
	for _, d := range s.days(date) {
		require.Equal(t, Differs, d.State)
		require.NotEmpty(t, d.Cases)
		for _, c := range d.Cases {
			if c.Kind == OursOnly { // the day before it had not stored its lines yet
				continue
			}
			require.Equal(t, []any{Status, SeeHoldDesk}, []any{c.Kind, c.Remedy})
			require.ErrorIs(t, s.svc.Resolve(s.byChen(), s.merchant.ID, c.ID, Verdict{AcceptState, 0, "it is all the same"}), ErrDecision,
				"its money stands in the books of another account")
			moved = c
		}
	}
	before := s.books()
	require.NoError(t, s.svc.Adjust(s.byChen(), s.merchant.ID, moved.ID, Verdict{BookDifference, 0, "the bill says so"}))
	require.NotEqual(t, before, s.books(), "from the one account to the other")
	s.instead = nil
	days := s.days(date)
	require.Len(t, days, 2, "an account that is off has a bill too")
	require.Equal(t, []any{Closed, int64(1)}, []any{days[first.ID].State, days[first.ID].BillCount})
	require.Equal(t, []any{Closed, int64(2)}, []any{days[second.ID].State, days[second.ID].BillCount})
	require.Equal(t, before-days[second.ID].Fees, s.books(), "and back, when the bill was the right one")
	require.Empty(t, s.broken())
}

// Accounts that differ in their method only share a number, a bill and a day.
func TestMethodsShareADay(t *testing.T) {
	onBoth(t, testMethodsShareADay)
}

func testMethodsShareADay(t *testing.T, s *shop) {
	s.buy()
	first := s.account
	s.method = map[string]string{"wechatpay": "h5", "alipay": "page"}[s.provider]
	second := s.enlist(s.merchant.ID, "test")
	require.Equal(t, first.ExternalRef, second.ExternalRef)
	require.NotEqual(t, first.ID, second.ID)
	s.sells(second)
	s.buy()
	date := s.tomorrow()
	days := s.days(date)
	require.Len(t, days, 1)
	require.Equal(t, []any{Closed, int64(2)}, []any{days[first.ID].State, days[first.ID].BillCount})
	require.Empty(t, s.broken())
}

// A simulator's account that is switched off while its day waits is not asked,
// and when it is back its day is reconciled as if nothing had been.
func TestAccountSwitchedOffMeanwhile(t *testing.T) {
	onBoth(t, testAccountSwitchedOffMeanwhile)
}

func testAccountSwitchedOffMeanwhile(t *testing.T, s *shop) {
	s.buy()
	date := s.tomorrow()
	swept := func() {
		for more, err := true, error(nil); more; more, err = s.svc.sweep(t.Context()) {
			require.NoError(t, err)
		}
	}
	state := func() int64 {
		return s.number(`SELECT COUNT(*) FROM reconcile_days WHERE day = $1 AND state = 'closed'`, date)
	}
	s.faults(map[string]any{"bills": map[string]any{"late": true}})
	_, err := s.svc.sweep(t.Context())
	require.NoError(t, err, "planned, asked for, not there yet")
	s.exec(`UPDATE payment_accounts SET status = 'off' WHERE id = $1`, s.account.ID)
	s.faults(map[string]any{})
	s.clock.Advance(time.Hour)
	swept()
	require.Zero(t, state())
	require.Equal(t, int64(1), s.number(`SELECT COUNT(*) FROM reconcile_days WHERE day = $1 AND problem = 'reconcile_no_account'`, date))
	s.exec(`UPDATE payment_accounts SET status = 'on' WHERE id = $1`, s.account.ID)
	s.clock.Advance(time.Hour)
	swept()
	require.Equal(t, int64(1), state())
	require.Empty(t, s.broken())
}
