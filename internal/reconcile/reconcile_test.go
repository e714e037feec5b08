package reconcile

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/audit"
	"panshi/internal/checkout"
	"panshi/internal/id"
	"panshi/internal/money"
	"panshi/internal/payment"
)

// A day of payments, two refunds in part and one of all, and a payment at the last
// second that the shop notes the next day: the day closes by itself, its fee is
// booked, and a second run finds nothing to do.
func TestDayCloses(t *testing.T) {
	onBoth(t, testDayCloses)
}

func testDayCloses(t *testing.T, s *shop) {
	_, p := s.buy()
	s.refund(p, 100)
	s.refund(p, 200)
	o, _ := s.buy()
	_, err := s.checkout.RefundOrder(t.Context(), checkout.RefundRequest{
		MerchantID: s.merchant.ID, OrderNo: o.No, Key: "1", Reason: "not wanted",
	})
	require.NoError(t, err)
	s.pushed()
	now := s.clock.Now().In(Zone())
	s.clock.Advance(time.Date(now.Year(), now.Month(), now.Day(), 23, 59, 59, 0, Zone()).Sub(now))
	date := s.clock.Now().In(Zone()).Format(time.DateOnly)
	_, err = s.svc.Reconcile(t.Context(), Request{Date: date}, nil)
	require.ErrorIs(t, err, ErrDayNotOver)
	s.buy()
	next := s.clock.Now().In(Zone())
	require.NotEqual(t, date, next.Format(time.DateOnly), "the shop noted it the next day")

	require.Equal(t, int64(1), s.number(`SELECT COUNT(*) FROM payment_transactions WHERE paid_at < $1 AND created_at >= $2`,
		next.Truncate(time.Minute).UnixMilli(), next.Truncate(time.Minute).UnixMilli()), "the platform's time is kept")

	_, err = s.svc.sweep(t.Context())
	require.NoError(t, err)
	require.Equal(t, int64(1), s.number(`SELECT COUNT(*) FROM reconcile_days WHERE day = $1 AND state = 'open'`, date), "not due before ten")
	s.clock.Advance(10 * time.Hour)
	for more := true; more; {
		more, err = s.svc.sweep(t.Context())
		require.NoError(t, err)
	}
	d := s.reconcile(date)
	require.Equal(t, Closed, d.State)
	require.Empty(t, d.Problem)
	require.Empty(t, d.Cases)
	require.Equal(t, []int64{6, 3000, 1300, 1700, 10}, []int64{d.BillCount, d.BillPaid, d.BillRefunded, d.LedgerNet, d.Fees})
	require.Equal(t, int64(10), s.number(`SELECT SUM(amount) FROM ledger_postings WHERE account = 'fees'`))
	require.Equal(t, int64(1), s.number(`SELECT COUNT(*) FROM audit_records WHERE action = 'reconcile.day_closed' AND subject_id = $1`, d.ID))
	require.Empty(t, s.broken())

	day := s.tomorrow()
	empty := s.reconcile(day)
	require.Equal(t, []any{Closed, int64(0), int64(0)}, []any{empty.State, empty.BillCount, empty.OurCount}, "a day without trade is told from one without a bill")

	s.exec(`UPDATE ledger_postings SET amount = amount + 1 WHERE account = 'fees'`)
	require.Contains(t, s.broken(), "reconcile.fees_booked")
	s.exec(`UPDATE payment_transactions SET amount = amount - 1 WHERE payment_id = $1`, p.ID)
	require.Contains(t, s.broken(), "reconcile.closed_day_has_payments")
	again := s.reconcile(date)
	require.Equal(t, []any{Closed, "reconcile_closed_differs"}, []any{again.State, again.Problem})
}

// Each difference is its case and no other, a second run does not double it,
// and when its cause is gone the day closes.
func TestEachDifferenceIsItsCase(t *testing.T) {
	onBoth(t, testEachDifferenceIsItsCase)
}

func testEachDifferenceIsItsCase(t *testing.T, s *shop) {
	_, p := s.buy()
	s.refund(p, 300)
	s.buy()
	date := s.tomorrow()
	one := func(change func(l *payment.BillLine)) func(*draft) {
		return func(b *draft) { change(&b.lines[0]) }
	}
	for _, c := range []struct {
		name       string
		bend       func(*draft)
		faults     map[string]any
		do, undo   string
		kind       Kind
		line       payment.BillKind
		remedy     Remedy
		bill, ours int64
	}{
		{name: "payment not in the bill", faults: map[string]any{"bills": map[string]any{"omit": 1}}, kind: OursOnly, line: payment.BillPayment, remedy: CheckPlatform, ours: 1000},
		{name: "payment that nobody knows", faults: map[string]any{"bills": map[string]any{"extra": 1}}, kind: TheirsOnly, line: payment.BillPayment, remedy: CheckPlatform, bill: 100},
		{name: "a fen more", faults: map[string]any{"bills": map[string]any{"amount": true}}, kind: Amount, line: payment.BillPayment, remedy: CheckAmount, bill: 1001, ours: 1000},
		{name: "refund not in the bill", bend: func(b *draft) {
			for i, l := range b.lines {
				if l.Kind == payment.BillRefund {
					b.GivenUp.Minor -= l.Amount.Minor
					b.lines = append(b.lines[:i], b.lines[i+1:]...)
					return
				}
			}
		}, kind: OursOnly, line: payment.BillRefund, remedy: CheckPlatform, ours: 300},
		{name: "refund of somebody else", bend: func(b *draft) { foreignRefunds(b, 1) }, kind: TheirsOnly, line: payment.BillRefund, remedy: RecordRefund, bill: 7},
		{name: "refund not finished there", bend: func(b *draft) {
			for i := range b.lines {
				if b.lines[i].Kind == payment.BillRefund {
					b.lines[i].State = "PROCESSING"
				}
			}
		}, kind: Status, line: payment.BillRefund, remedy: AwaitRefund, bill: 300, ours: 300},
		{name: "fee too high", bend: one(func(l *payment.BillLine) { l.Fee.Minor = 13 }), kind: Fee, line: payment.BillPayment, remedy: CheckFee, bill: 13},
		{
			name: "books", do: `UPDATE ledger_postings SET amount = amount + 1 WHERE leg = 1 AND account LIKE 'provider/%'`,
			undo: `UPDATE ledger_postings SET amount = amount - 1 WHERE leg = 1 AND account LIKE 'provider/%'`,
			kind: Books, line: payment.BillPayment, remedy: CheckLedger, bill: 1000, ours: 1001,
		},
	} {
		if c.faults != nil {
			s.faults(c.faults)
		}
		if c.do != "" {
			s.exec(c.do)
		}
		s.bend = c.bend
		s.reconcile(date)
		d := s.reconcile(date)
		require.Equal(t, Differs, d.State, c.name)
		want := 1
		if c.kind == Books {
			want = 2 // of both payments
		}
		require.Len(t, d.Cases, want, c.name)
		got := d.Cases[0]
		require.Equal(t, []any{c.kind, c.line, c.remedy, c.bill, c.ours}, []any{got.Kind, got.LineKind, got.Remedy, got.BillAmount, got.OurAmount}, c.name)
		if c.undo != "" {
			s.exec(c.undo)
		}
		s.faults(map[string]any{})
		s.bend = one(func(l *payment.BillLine) { l.Fee.Minor = 14 }) // keeps the day open
		require.Equal(t, Differs, s.reconcile(date).State)
	}
	last := s.reconcile(date)
	require.Len(t, last.Cases, 1, "what agrees by now is closed by itself")
	s.decideFee(last)
	require.Equal(t, Closed, s.reconcile(date).State, "a fee that a person accepted keeps no day open")
}

// decideFee resolves the one case that is left.
func (s *shop) decideFee(d DayReport) {
	s.t.Helper()
	ctx, caseID := s.byChen(), d.Cases[0].ID
	require.ErrorContains(s.t, s.svc.Resolve(ctx, s.merchant.ID, caseID, Verdict{AcceptFee, 0, " "}), "reconcile_reason")
	require.ErrorIs(s.t, s.svc.Resolve(ctx, id.New(), caseID, Verdict{AcceptFee, 0, "theirs"}), ErrCaseUnknown)
	require.ErrorIs(s.t, s.svc.Resolve(ctx, s.merchant.ID, caseID, Verdict{AcceptState, 0, "no state"}), ErrDecision)
	require.NoError(s.t, s.svc.Resolve(ctx, s.merchant.ID, caseID, Verdict{AcceptFee, 0, "the contract changed"}))
	require.ErrorIs(s.t, s.svc.Resolve(ctx, s.merchant.ID, caseID, Verdict{AcceptFee, 0, "again"}), ErrCaseUnknown)
	c, err := s.svc.Case(ctx, s.merchant.ID, caseID)
	require.NoError(s.t, err)
	require.Equal(s.t, []any{"chen", "the contract changed", AcceptFee, CaseDecided}, []any{c.ResolvedBy, c.Reason, c.Decision, c.State()})
}

// byChen is a context in which a member of staff acts.
func (s *shop) byChen() context.Context {
	return audit.WithOrigin(s.t.Context(), audit.Actor{Kind: "staff", ID: "chen"}, "")
}

// foreignRefunds puts refunds into a bill that the shop knows nothing of.
func foreignRefunds(b *draft, n int) {
	for i := range n {
		b.lines = append(b.lines, payment.BillLine{
			Kind: payment.BillRefund, PaymentNo: "X", TransactionID: "4200", RefundNo: fmt.Sprintf("X%04d", i), State: "SUCCESS",
			Amount: money.Of(7, money.CNY), Fee: money.Of(0, money.CNY), At: b.Date,
		})
		b.GivenUp.Minor += 7
	}
}

// Money that the platform told nobody of comes in through the one door, and so
// does the end of a refund; a bill alone moves nothing.
func TestLostMoneyIsSettledByAsking(t *testing.T) {
	onBoth(t, testLostMoneyIsSettledByAsking)
}

func testLostMoneyIsSettledByAsking(t *testing.T, s *shop) {
	s.buy()
	s.pay()
	date := s.tomorrow()
	s.faults(map[string]any{"api": map[string]any{"status_5xx": 1000, "paths": []string{"query", "alipay.trade.query"}}})
	d := s.reconcile(date)
	require.Equal(t, []any{Differs, 1}, []any{d.State, len(d.Cases)})
	require.Equal(t, []any{TheirsOnly, AskAgain}, []any{d.Cases[0].Kind, d.Cases[0].Remedy})
	require.Equal(t, int64(1000), d.Difference())
	s.reconcile(date)
	told := func(state string) int64 {
		return s.number(`SELECT COUNT(*) FROM alerts WHERE code = 'reconcile_differs' AND count = 1 AND state = '` + state + `' AND args LIKE '%"10.00"%'`)
	}
	require.Equal(t, []int64{1, 0}, []int64{told("open"), told("resolved")}, "one alert, however often it is compared")
	s.faults(map[string]any{})
	require.Equal(t, Closed, s.reconcile(date).State)
	require.Equal(t, []int64{0, 1}, []int64{told("open"), told("resolved")})
}

// A run that is killed between any two steps is finished by the next, and
// nothing is there twice.
func TestInterruptedRuns(t *testing.T) {
	onBoth(t, testInterruptedRuns)
}

func testInterruptedRuns(t *testing.T, s *shop) {
	s.buy()
	date := s.tomorrow()
	s.bend = func(b *draft) { foreignRefunds(b, 2*batchLines) }
	for _, step := range []string{"fetch", "store", "match"} {
		ctx, cancel := context.WithCancel(t.Context())
		_, err := s.svc.Reconcile(ctx, Request{Date: date}, func(at string, done, _ int64) {
			if at == step && (at != "store" || done == batchLines) {
				cancel()
			}
		})
		require.ErrorIs(t, err, context.Canceled, step)
		if step == "store" {
			require.Equal(t, int64(batchLines), s.number(`SELECT COUNT(*) FROM reconcile_lines`))
		}
	}
	d := s.reconcile(date)
	require.Equal(t, []int64{2*batchLines + 1, 2 * batchLines}, []int64{s.number(`SELECT COUNT(*) FROM reconcile_lines`), d.Open})
	s.bend = nil
	d = s.reconcile(date)
	require.Equal(t, []any{Closed, int64(0), int64(1)}, []any{d.State, d.Open, s.number(`SELECT COUNT(*) FROM reconcile_lines`)})
	require.Empty(t, s.broken())
}
