package reconcile

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"panshi/internal/db"
	"panshi/internal/ledger"
	"panshi/internal/money"
	"panshi/internal/payment"
)

// planted is a difference of each kind that a person can decide about, and what
// the decision books at the platform.
type planted struct {
	kind     Kind
	line     payment.BillKind
	decision Decision
	books    int64
}

func differences() []planted {
	return []planted{
		{OursOnly, payment.BillPayment, WriteOff, -1000},
		{OursOnly, payment.BillRefund, VoidRefund, 300},
		{TheirsOnly, payment.BillPayment, BookPayment, 77},
		{TheirsOnly, payment.BillRefund, BookRefund, -7},
		{Amount, payment.BillPayment, BookDifference, 1},
		{Amount, payment.BillRefund, BookDifference, -2},
		{Status, payment.BillRefund, AcceptState, 0},
		{Status, payment.BillRefund, BookDifference, -400}, // failed here, done there
		{Fee, payment.BillPayment, AcceptFee, 0},
		{Books, payment.BillPayment, CorrectBooks, -5},
	}
}

// at finds a line of a bill.
func (d *draft) at(kind payment.BillKind, paymentNo string) int {
	return slices.IndexFunc(d.lines, func(l payment.BillLine) bool { return l.Kind == kind && l.PaymentNo == paymentNo })
}

// change changes a line of a bill; the sums follow.
func (d *draft) change(kind payment.BillKind, paymentNo string, change func(l *payment.BillLine)) {
	l := &d.lines[d.at(kind, paymentNo)]
	before := *l
	change(l)
	d.Fees.Minor += l.Fee.Minor - before.Fee.Minor
	if kind == payment.BillRefund {
		d.GivenUp.Minor += l.Amount.Minor - before.Amount.Minor
	} else {
		d.Paid.Minor += l.Amount.Minor - before.Amount.Minor
	}
}

// drop takes a line out of a bill.
func (d *draft) drop(kind payment.BillKind, paymentNo string) {
	d.change(kind, paymentNo, func(l *payment.BillLine) { l.Amount.Minor, l.Fee.Minor = 0, 0 })
	i := d.at(kind, paymentNo)
	d.lines = append(d.lines[:i], d.lines[i+1:]...)
}

// invent puts a line into a bill that the shop knows nothing of.
func (d *draft) invent(kind payment.BillKind, fen int64) {
	l := payment.BillLine{
		Kind: kind, PaymentNo: "X1", TransactionID: "4200X1", State: "SUCCESS", Amount: money.Of(fen, money.CNY), Fee: money.Of(0, money.CNY), At: d.Date,
	}
	if kind == payment.BillRefund {
		l.RefundNo = "XR1"
	}
	d.Add(l)
	d.lines = append(d.lines, l)
}

// plant makes a day with one difference of each kind.
func (s *shop) plant() (date string) {
	var p []payment.Payment
	for range 8 {
		_, paid := s.buy()
		p = append(p, paid)
	}
	for i, fen := range map[int]int64{1: 300, 3: 200, 4: 100} {
		s.refund(p[i], fen)
	}
	failed := s.refund(p[5], 400)
	s.exec(`UPDATE refunds SET status = 'failed' WHERE refund_no = $1`, failed)
	s.exec(`DELETE FROM ledger_postings WHERE entry_id IN (SELECT e.id FROM ledger_entries e JOIN refunds r ON r.id = e.subject_id
		WHERE e.kind = 'refund_paid' AND r.refund_no = $1)`, failed)
	s.exec(`UPDATE ledger_postings SET amount = amount + 5 * amount / 1000 WHERE entry_id IN (SELECT id FROM ledger_entries
		WHERE kind = 'payment' AND subject_id = $1)`, p[7].ID)
	s.bend = func(d *draft) {
		d.drop(payment.BillPayment, p[0].No)
		d.drop(payment.BillRefund, p[1].No)
		d.invent(payment.BillPayment, 77)
		d.invent(payment.BillRefund, 7)
		d.change(payment.BillPayment, p[2].No, func(l *payment.BillLine) { l.Amount.Minor++ })
		d.change(payment.BillRefund, p[3].No, func(l *payment.BillLine) { l.Amount.Minor += 2 })
		d.change(payment.BillRefund, p[4].No, func(l *payment.BillLine) { l.State = "ABNORMAL" })
		d.change(payment.BillPayment, p[6].No, func(l *payment.BillLine) { l.Fee.Minor = 500 })
	}
	return s.tomorrow()
}

// Whatever differs, people's decisions close the day and nothing less does:
// postings sum to zero, books and bill agree to the fen.
func TestEveryDifferenceCanBeDecided(t *testing.T) {
	onBoth(t, testEveryDifferenceCanBeDecided)
}

func testEveryDifferenceCanBeDecided(t *testing.T, s *shop) {
	date := s.plant()
	wanted := differences()
	for len(wanted) > 0 {
		d := s.reconcile(date)
		require.Equal(t, Differs, d.State)
		require.Len(t, d.Cases, len(wanted))
		at := slices.IndexFunc(d.Cases, func(c Case) bool { return wanted[0].is(c) })
		require.GreaterOrEqual(t, at, 0, "%+v in %+v", wanted[0], d.Cases)
		s.decide(d.Cases[at], wanted[0])
		wanted = wanted[1:]
	}
	before := s.books()
	for more, err := true, error(nil); more; more, err = s.svc.sweep(t.Context()) {
		require.NoError(t, err)
	}
	d := s.reconcile(date)
	require.Equal(t, []any{Closed, int64(0), ""}, []any{d.State, d.Difference(), d.Problem}, "%+v", d)
	require.Equal(t, d.BillPaid-d.BillRefunded-d.Fees, s.books(), "the books have what the platform says")
	require.Equal(t, before-d.Fees, s.books())
	require.Equal(t, int64(-1000+300+77-7+1-2-400-5), d.Decided.Net)
	for _, name := range s.broken() {
		require.NotContains(t, name, "reconcile.")
		require.NotEqual(t, "ledger.entries_sum_to_zero", name)
	}
	s.breakDecided(date)
}

// breakDecided changes what a closed day stands on: the check sees each.
func (s *shop) breakDecided(date string) {
	const posting = `UPDATE ledger_postings SET amount = amount + $1 WHERE account LIKE 'provider/%' AND entry_id IN
		(SELECT id FROM ledger_entries WHERE kind = 'adjustment/1' AND subject_id IN (SELECT id FROM reconcile_cases WHERE kind = 'amount' AND line_kind = 'payment'))`
	s.exec(posting, 1)
	require.Subset(s.t, s.broken(), []string{"reconcile.decisions_in_books", "reconcile.closed_day_in_books"})
	s.exec(posting, -1)
	for _, change := range []string{`decided_net = decided_net + $1`, `our_paid = our_paid + $1`, `ledger_net = ledger_net + $1`} {
		s.exec(`UPDATE reconcile_days SET `+change+` WHERE day = '`+date+`'`, 1)
		require.Contains(s.t, s.broken(), "reconcile.closed_day_agrees")
		s.exec(`UPDATE reconcile_days SET `+change+` WHERE day = '`+date+`'`, -1)
	}
	s.exec(`UPDATE reconcile_cases SET decision = '', resolved_at = NULL WHERE kind = 'theirs_only' AND line_kind = 'payment'`)
	require.Subset(s.t, s.broken(), []string{"reconcile.closed_day_agrees", "reconcile.closed_day_has_payments"})
	require.Equal(s.t, "reconcile_closed_differs", s.reconcile(date).Problem)
}

func (p planted) is(c Case) bool {
	return c.Kind == p.kind && c.LineKind == p.line && c.Missing() == p.books
}

// books is what lies at the account, by the books.
func (s *shop) books() int64 {
	s.t.Helper()
	var a money.Amount
	require.NoError(s.t, s.db.View(s.t.Context(), func(tx *db.Tx) (err error) {
		a, err = ledger.BalanceTx(tx, s.merchant.ID, ledger.Provider(s.account.ID), money.CNY)
		return err
	}))
	return a.Minor
}

// decide tries what must not work, then decides.
func (s *shop) decide(found Case, c planted) {
	s.t.Helper()
	t, ctx := s.t, s.byChen()
	require.Contains(t, found.Decisions(), c.decision)
	v := Verdict{c.decision, c.books, "asked the platform"}
	if !c.decision.books() {
		require.ErrorIs(t, s.svc.Adjust(ctx, s.merchant.ID, found.ID, v), ErrDecision)
		require.NoError(t, s.svc.Resolve(ctx, s.merchant.ID, found.ID, v))
		return
	}
	require.ErrorIs(t, s.svc.Resolve(ctx, s.merchant.ID, found.ID, v), ErrDecision)
	require.ErrorIs(t, s.svc.Adjust(ctx, s.merchant.ID, found.ID, Verdict{c.decision, c.books + 1, "old page"}), ErrCaseChanged)
	require.ErrorIs(t, s.svc.Adjust(ctx, s.merchant.ID, found.ID, Verdict{"", c.books, "nothing"}), ErrDecision)
	before := s.books()
	require.NoError(t, s.svc.Adjust(ctx, s.merchant.ID, found.ID, v))
	require.Equal(t, before+c.books, s.books())
	require.ErrorIs(t, s.svc.Adjust(ctx, s.merchant.ID, found.ID, v), ErrCaseUnknown, "once")
	require.Equal(t, int64(1), s.number(`SELECT COUNT(*) FROM audit_records WHERE action = 'reconcile.case_decided' AND subject_id = $1 AND actor_id = 'chen'`, found.ID))
}

// A decision holds for what it was made for. When the difference is another
// one, or gone, its posting is booked back before the day closes.
func TestDecisionsAreTakenBack(t *testing.T) {
	onBoth(t, testDecisionsAreTakenBack)
}

func testDecisionsAreTakenBack(t *testing.T, s *shop) {
	_, p := s.buy()
	s.buy()
	date := s.tomorrow()
	off := func(fen int64) func(*draft) {
		return func(d *draft) {
			d.change(payment.BillPayment, p.No, func(l *payment.BillLine) { l.Amount.Minor += fen })
		}
	}
	keep := func(bend func(*draft)) func(*draft) { // a second difference keeps the day open
		return func(d *draft) { bend(d); d.invent(payment.BillRefund, 9) }
	}
	amount := func(d DayReport) Case {
		return d.Cases[slices.IndexFunc(d.Cases, func(c Case) bool { return c.Kind == Amount })]
	}
	s.bend = keep(off(5))
	found := amount(s.reconcile(date))
	require.NoError(t, s.svc.Adjust(s.byChen(), s.merchant.ID, found.ID, Verdict{BookDifference, 5, "seen"}))
	s.reconcile(date)
	require.Equal(t, int64(2005), s.books(), "it holds")

	s.bend = keep(off(8))
	again := amount(s.reconcile(date))
	require.Equal(t, []any{found.ID, int64(8), CaseOpen}, []any{again.ID, again.Missing(), again.State()}, "another amount is open again")
	require.Equal(t, int64(2000), s.books())
	require.NoError(t, s.svc.Adjust(s.byChen(), s.merchant.ID, found.ID, Verdict{BookDifference, 8, "seen again"}))
	require.Equal(t, int64(2008), s.books())

	s.bend = nil
	d := s.reconcile(date)
	require.Equal(t, []any{Closed, int64(0)}, []any{d.State, d.Decided.Net})
	require.Equal(t, 2000-d.Fees, s.books())
	c, err := s.svc.Case(t.Context(), s.merchant.ID, found.ID)
	require.NoError(t, err)
	require.Equal(t, []any{CaseAgreed, int64(0), Decision("")}, []any{c.State(), c.Adjusted, c.Decision})
	require.Equal(t, int64(2), s.number(`SELECT COUNT(*) FROM audit_records WHERE action = 'reconcile.decision_taken_back'`))
	require.Empty(t, s.broken())
	require.ErrorIs(t, s.svc.Adjust(s.byChen(), s.merchant.ID, found.ID, Verdict{BookDifference, 8, "late"}), ErrCaseUnknown)
}

// What the shop itself may still book is not a person's to book.
func TestAMovingRefundIsNotBooked(t *testing.T) {
	t.Parallel()
	s := newShop(t, "wechatpay")
	_, p := s.buy()
	no := s.refund(p, 300)
	date := s.tomorrow()
	s.exec(`UPDATE refunds SET status = 'processing' WHERE refund_no = $1`, no)
	s.exec(`DELETE FROM ledger_postings WHERE entry_id IN (SELECT id FROM ledger_entries WHERE kind = 'refund_paid')`)
	s.faults(map[string]any{"api": map[string]any{"status_5xx": 1000, "paths": []string{"refund"}}})
	d := s.reconcile(date)
	require.Len(t, d.Cases, 1)
	require.Equal(t, []any{Status, AwaitRefund, int64(-300)}, []any{d.Cases[0].Kind, d.Cases[0].Remedy, d.Cases[0].Missing()})
	v := Verdict{BookDifference, -300, "impatient"}
	require.ErrorIs(t, s.svc.Adjust(s.byChen(), s.merchant.ID, d.Cases[0].ID, v), ErrStillMoving)
	require.ErrorIs(t, s.svc.Resolve(s.byChen(), s.merchant.ID, d.Cases[0].ID, Verdict{AcceptState, 0, "impatient"}), ErrDecision)
}

// The tables of states say what the code does.
func TestStates(t *testing.T) {
	t.Parallel()
	require.Empty(t, dayMoves()[Closed], "a closed day never changes")
	for from, list := range dayMoves() {
		for _, to := range list {
			require.Contains(t, dayMoves(), to)
			require.NotEqual(t, Open, to, "%s: no day is forgotten", from)
		}
	}
	for from, list := range caseMoves() {
		require.NotEmpty(t, list, "%s: every case may differ again", from)
		require.NotContains(t, list, from)
	}
}

// A run that is under way while somebody decides ends nothing: the next one,
// due at once, knows of the decision.
func TestADecisionOvertakesARun(t *testing.T) {
	t.Parallel()
	s := newShop(t, "wechatpay")
	s.buy()
	date := s.tomorrow()
	s.bend = func(d *draft) { d.invent(payment.BillPayment, 77) }
	found := s.reconcile(date).Cases[0]
	report, err := s.svc.Reconcile(t.Context(), Request{Date: date}, func(step string, done, _ int64) {
		if step == "match" && done > 0 {
			require.NoError(t, s.svc.Adjust(s.byChen(), s.merchant.ID, found.ID, Verdict{BookPayment, 77, "seen"}))
		}
	})
	require.NoError(t, err)
	require.Equal(t, []any{Differs, errOvertaken.Code}, []any{report.Days[0].State, report.Days[0].Problem})
	more, err := s.svc.sweep(t.Context())
	require.NoError(t, err)
	require.True(t, more, "due")
	require.Equal(t, int64(1), s.number(`SELECT COUNT(*) FROM reconcile_days WHERE state = 'closed'`))
	require.Empty(t, s.broken())
}

// Sums are compared too: a day whose lines all match, and whose bill says
// another sum, is not closed.
func TestSumsAreComparedToo(t *testing.T) {
	t.Parallel()
	s := newShop(t, "wechatpay")
	s.buy()
	date := s.tomorrow()
	s.bend = func(d *draft) { d.Paid.Minor++ }
	d := s.reconcile(date)
	require.Equal(t, []any{Differs, int64(0), int64(1)}, []any{d.State, d.Open, d.Difference()})
}
