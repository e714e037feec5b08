package platforms_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"panshi/internal/db"
	"panshi/internal/errs"
	"panshi/internal/order"
	"panshi/internal/payment"
)

// TestFaultMatrix: each fault of a platform in each call to it, by each way to
// pay. The order's state stays true, the buyer reads a text of the catalogue,
// another account takes the new payment, and when the fault is over what was
// begun ends as if it had never been. (P106, P110)
func TestFaultMatrix(t *testing.T) {
	r := newRig(t)
	for _, w := range ways() {
		for _, fault := range faultNames() {
			t.Run(w.String()+" "+fault, func(t *testing.T) {
				t.Parallel()
				s := newTill(t, r, w)
				s.create(fault)
				s.queryAndRefund(fault)
				s.close(fault)
				s.ask()
				s.sound()
			})
		}
	}
}

// during runs a step while the first account's platform is broken, and goes on
// with a process that does not remember it.
func (s *till) during(fault string, step func()) {
	s.fault.Store(fault)
	step()
	s.fault.Store("")
	s.restart()
}

// kept is what a buyer reads whose payment no platform took.
const kept = `^Payment is busy\. Your order is kept until \d\d:\d\d \(UTC\+8\), and you have not been charged`

func (s *till) create(fault string) {
	o := s.order()
	s.during(fault, func() {
		pay, err := s.start(o)
		require.NoError(s.t, err)
		require.Equal(s.t, payment.Open, pay.Status)
		s.want(o, order.Pending)
		if !s.asks() {
			require.Equal(s.t, s.first.ID, pay.AccountID, "nobody was asked")
			return
		}
		require.Equal(s.t, s.next.ID, pay.AccountID)
		s.off(s.next, true)
		_, err = s.start(s.order())
		require.Equal(s.t, "payment_busy", errs.CodeOf(err))
		require.Regexp(s.t, kept, s.reads(err))
	})
	pay, err := s.start(o)
	require.NoError(s.t, err)
	require.Equal(s.t, s.asks(), s.next.ID == pay.AccountID, "what was created stays with its account, also of one that is off")
	s.pay(pay)
	s.ask()
	s.want(o, order.Paid)
}

// off takes an account out of sale, or brings it back.
func (s *till) off(acc payment.Account, off bool) {
	require.NoError(s.t, s.db.Update(s.t.Context(), func(tx *db.Tx) error {
		_, err := payment.SetRulesTx(tx, s.shop.ID, acc.ID, func(r *payment.Rules) { r.On = !off })
		return err
	}))
}

func (s *till) queryAndRefund(fault string) {
	o := s.order()
	pay, err := s.start(o)
	require.NoError(s.t, err)
	require.Equal(s.t, s.first.ID, pay.AccountID)
	s.pay(pay)
	s.during(fault, func() {
		s.ask()
		s.want(o, order.Pending)
	})
	s.ask()
	s.want(o, order.Paid)
	_, err = s.svc.RefundOrder(s.t.Context(), s.shop.ID, o.Order.No, "test")
	require.NoError(s.t, err)
	s.during(fault, func() { // the refund itself
		s.giveBack()
		s.want(o, order.Refunding)
	})
	s.during(fault, func() { // the question about it
		s.giveBack()
		s.want(o, order.Refunding)
	})
	for range 3 { // sent if it was not, then done
		s.giveBack()
	}
	s.want(o, order.Refunded)
}

func (s *till) close(fault string) {
	o := s.order()
	pay, err := s.start(o)
	require.NoError(s.t, err)
	s.approach(pay)
	s.during(fault, func() {
		_, err := s.svc.Cancel(s.t.Context(), s.shop.ID, o.Order.No, o.AccessToken)
		require.Equal(s.t, "payment_checking", errs.CodeOf(err))
		require.Contains(s.t, s.reads(err), "while we check whether it was paid")
		s.want(o, order.Pending)
	})
	_, err = s.svc.Cancel(s.t.Context(), s.shop.ID, o.Order.No, o.AccessToken)
	require.NoError(s.t, err)
	s.want(o, order.Closed)
}
