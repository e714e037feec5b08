package reconcile

import (
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/db"
	"panshi/internal/id"
	"panshi/internal/ledger"
	"panshi/internal/money"
	"panshi/internal/payment"
)

// billLines is how many lines the large bill has: PANSHI_BILL_LINES=100000
// makes it a large shop's.
func billLines(t *testing.T) int {
	n, err := strconv.Atoi(os.Getenv("PANSHI_BILL_LINES"))
	if err != nil {
		return 3000
	}
	require.Positive(t, n)
	return n
}

// A large day closes without a large transaction, and so does one of which
// every line differs.
func TestLargeBill(t *testing.T) {
	t.Parallel()
	s, n := newShop(t, "wechatpay"), billLines(t)
	s.buy()
	lines := s.sell(n)
	date := s.tomorrow()
	s.bend = func(d *draft) {
		for _, l := range lines {
			d.Add(l)
			d.lines = append(d.lines, l)
		}
	}
	begun := time.Now()
	d := s.reconcile(date)
	t.Logf("%d lines in %v", n, time.Since(begun).Round(time.Millisecond))
	require.Equal(t, []any{Closed, int64(n) + 1}, []any{d.State, d.BillCount})
	require.LessOrEqual(t, s.recorder.MostWritten(), int64(db.MaxRows))

	s.buy()
	date = s.tomorrow()
	s.bend = func(d *draft) { foreignRefunds(d, n) }
	begun = time.Now()
	d = s.reconcile(date)
	t.Logf("%d cases in %v", n, time.Since(begun).Round(time.Millisecond))
	require.Equal(t, []any{Differs, int64(n)}, []any{d.State, d.Open})
	s.bend = nil
	begun = time.Now()
	require.Equal(t, Closed, s.reconcile(date).State)
	t.Logf("%d cases agree after %v", n, time.Since(begun).Round(time.Millisecond))
	require.LessOrEqual(t, s.recorder.MostWritten(), int64(db.MaxRows))
}

// sell writes n payments as settling them leaves them, and gives their lines.
func (s *shop) sell(n int) (lines []payment.BillLine) {
	s.t.Helper()
	for begin := 0; begin < n; begin += 100 {
		require.NoError(s.t, s.db.Update(s.t.Context(), func(tx *db.Tx) error {
			for i := begin; i < min(n, begin+100); i++ {
				l := payment.BillLine{
					Kind: payment.BillPayment, PaymentNo: fmt.Sprintf("L%06d", i), TransactionID: fmt.Sprintf("42%012d", i), State: "SUCCESS",
					Amount: money.Of(1000, money.CNY), Fee: money.Of(6, money.CNY), At: tx.Now(),
				}
				lines = append(lines, l)
				if err := s.soldTx(tx, l); err != nil {
					return err
				}
			}
			return nil
		}))
	}
	return lines
}

func (s *shop) soldTx(tx *db.Tx, l payment.BillLine) error {
	paymentID, at := id.New(), db.Millis(tx.Now())
	if _, err := tx.Exec(`INSERT INTO payments (id, merchant_id, order_id, account_id, payment_no, provider, method, status, amount, currency,
		received, transaction_id, created_at, paid_at) VALUES ($1, $2, $3, $4, $5, $6, 'native', 'paid', $7, 'CNY', $8, $9, $10, $11)`,
		paymentID, s.merchant.ID, id.New(), s.account.ID, l.PaymentNo, s.provider, l.Amount.Minor, l.Amount.Minor, l.TransactionID, at, at); err != nil {
		return err
	}
	if _, err := tx.Exec(`INSERT INTO payment_transactions (provider, account_id, transaction_id, merchant_id, payment_id, amount, currency,
		created_at, paid_at) VALUES ($1, $2, $3, $4, $5, $6, 'CNY', $7, $8)`,
		s.provider, s.account.ID, l.TransactionID, s.merchant.ID, paymentID, l.Amount.Minor, at, at); err != nil {
		return err
	}
	return ledger.PostTx(tx, ledger.Transfer(s.merchant.ID, "payment", paymentID, ledger.Sales, ledger.Provider(s.account.ID), l.Amount))
}
