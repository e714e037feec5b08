package checkout_test

import (
	"fmt"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"panshi/internal/account"
	"panshi/internal/checkout"
	"panshi/internal/id"
	"panshi/internal/payment"
)

// purse is an account of store credit as its buyer knows it: what was granted,
// and what the shop shows for its number and code.
type purse struct {
	account.Credit
	proof   checkout.CreditProof
	granted int64
}

// newPurses switches paying by credit on and gives two buyers an account.
func (w *world) newPurses() {
	w.credit = w.creditChannel()
	for i := range 2 {
		c, proof := w.granted(fmt.Sprintf("purse%d", i), 300)
		w.purses = append(w.purses, &purse{c, proof, 300})
	}
}

func (w *world) grant(rt *rapid.T) {
	p := w.purses[rapid.IntRange(0, len(w.purses)-1).Draw(rt, "purse")]
	minor := rapid.Int64Range(1, 500).Draw(rt, "minor")
	w.grantTo(w.svc, p, minor, w.nextKey(), "credit_state")
}

func (w *world) nextKey() string {
	w.n++
	return fmt.Sprint(w.n)
}

// grantTo grants once, however often it is asked under the key.
func (w *world) grantTo(svc *checkout.Service, p *purse, minor int64, key string, codes ...string) {
	_, err := svc.GrantCredit(w.t.Context(), w.merchant.ID, key, checkout.Grant{CreditID: p.ID, Minor: minor, Reason: "sorry"})
	w.mayFail(err, codes...)
	if err == nil {
		p.granted += minor
	}
}

func (w *world) payByCredit(rt *rapid.T) {
	b := w.one(rt)
	p := w.purses[rapid.IntRange(0, len(w.purses)-1).Draw(rt, "purse")]
	key := w.nextKey()
	for range rapid.IntRange(1, 2).Draw(rt, "times") {
		w.payFrom(w.svc, b, p, key)
	}
}

func (w *world) payFrom(svc *checkout.Service, b *bought, p *purse, key string, codes ...string) {
	pay, err := svc.StartPayment(w.t.Context(), checkout.PayRequest{
		MerchantID: w.merchant.ID, OrderNo: b.Order.No, Token: b.AccessToken, Key: key, BodyDigest: []byte(p.Number),
		Channel: w.credit.ID, Credit: p.proof,
	})
	w.mayFail(err, append(codes, "order_not_payable", "too_many_payments", "credit_insufficient", "credit_state")...)
	if err == nil {
		require.Equal(w.t, payment.Paid, pay.Status)
	}
}

// refundToCredit gives an order back as store credit, of one of the buyers or in
// an account of its own.
func (w *world) refundToCredit(rt *rapid.T) { w.partToCredit(rt, checkout.Part{}) }

func (w *world) amountToCredit(rt *rapid.T) { w.partToCredit(rt, drawnAmount(rt)) }

func (w *world) lineToCredit(rt *rapid.T) { w.partToCredit(rt, drawnLine(rt)) }

func (w *world) partToCredit(rt *rapid.T, part checkout.Part) {
	b := w.one(rt)
	r := w.refundRequest(b, part)
	r.Target = w.target(rapid.IntRange(0, 1<<20).Draw(rt, "purse"))
	w.refundTwice(rt, b, r, "credit_state")
}

// target is one of the purses, or an account that is to be opened.
func (w *world) target(pick int) checkout.Target {
	t := checkout.Target{ToCredit: true}
	if i := pick % (len(w.purses) + 1); i < len(w.purses) {
		t.CreditID = w.purses[i].ID
	}
	return t
}

func (w *world) turnPurse(rt *rapid.T) {
	p := w.purses[rapid.IntRange(0, len(w.purses)-1).Draw(rt, "purse")]
	to := rapid.SampledFrom([]account.State{account.Open, account.Open, account.Frozen, account.Closed}).Draw(rt, "state")
	_, err := w.svc.SetCreditState(w.t.Context(), w.merchant.ID, p.ID, to, "odd")
	w.mayFail(err, "credit_state")
}

func (w *world) crashCredit(dying *checkout.Service) func() {
	b := w.picked()
	if b == nil {
		return nil
	}
	p, key := w.purses[w.pick%len(w.purses)], w.nextKey()
	w.payFrom(dying, b, p, key, "crashed")
	return func() { w.payFrom(w.svc, b, p, key) }
}

func (w *world) crashToCredit(dying *checkout.Service) func() {
	b := w.picked()
	if b == nil {
		return nil
	}
	r := w.refundRequest(b, checkout.Part{Minor: int64(w.pick % 3 * 40)})
	r.Target = w.target(w.pick)
	return w.crashRequest(dying, b, r, "credit_state")
}

func (w *world) crashGrant(dying *checkout.Service) func() {
	p, key := w.purses[w.pick%len(w.purses)], w.nextKey()
	_, err := dying.GrantCredit(w.t.Context(), w.merchant.ID, key, checkout.Grant{CreditID: p.ID, Minor: 7, Reason: "sorry"})
	w.mayFail(err, "crashed", "credit_state")
	return func() { w.grantTo(w.svc, p, 7, key, "credit_state") }
}

// creditOf tells what accounts show that an order cost and gave back.
func (w *world) creditOf(b *bought) (in, out int64) {
	all, err := w.svc.Credits(w.t.Context(), w.merchant.ID, id.ID{}, 1000)
	require.NoError(w.t, err)
	for _, c := range all {
		v, err := w.svc.CreditForStaff(w.t.Context(), w.merchant.ID, c.ID, id.ID{}, 1000)
		require.NoError(w.t, err)
		for _, m := range v.Movements {
			switch {
			case m.OrderNo != b.Order.No:
			case m.Amount.Minor < 0:
				in -= m.Amount.Minor
			default:
				out += m.Amount.Minor
			}
		}
	}
	return in, out
}

// verifyPurses weighs what buyers see of their accounts against what they were
// granted, spent and got back.
func (w *world) verifyPurses() {
	for _, p := range w.purses {
		v, err := w.svc.Credit(w.t.Context(), w.merchant.ID, p.proof, id.ID{}, 1000)
		require.NoError(w.t, err)
		sum, granted := int64(0), int64(0)
		for _, m := range v.Movements {
			sum += m.Amount.Minor
			if m.Kind == account.Granted {
				granted += m.Amount.Minor
			}
		}
		require.Equal(w.t, p.granted, granted)
		require.Equal(w.t, sum, v.Credit.Balance.Minor)
	}
}
