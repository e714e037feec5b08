package checkout_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/account"
	"panshi/internal/catalog"
	"panshi/internal/check"
	"panshi/internal/checkout"
	"panshi/internal/db"
	"panshi/internal/errs"
	"panshi/internal/id"
	"panshi/internal/ledger"
	"panshi/internal/order"
	"panshi/internal/payment"
)

// creditChannel switches paying by store credit on.
func (s *shop) creditChannel() payment.Account {
	s.t.Helper()
	acc, err := s.accounts.Put(s.t.Context(), payment.Account{
		MerchantID: s.merchant.ID, Provider: payment.Balance, Method: payment.MethodCredit, ExternalRef: "balance",
		Name: "店铺余额", On: true, Position: 9,
	}, []byte(`{}`))
	require.NoError(s.t, err)
	return acc
}

// granted opens an account with a balance and gives what opens it.
func (s *shop) granted(key string, minor int64) (account.Credit, checkout.CreditProof) {
	s.t.Helper()
	contact, err := order.ParseContact(key+"@example.com", "")
	require.NoError(s.t, err)
	c, err := s.svc.GrantCredit(s.t.Context(), s.merchant.ID, key, checkout.Grant{
		Contact: contact, Minor: minor, Reason: "sorry",
	})
	require.NoError(s.t, err)
	return c, s.code(c)
}

func (s *shop) code(c account.Credit) checkout.CreditProof {
	s.t.Helper()
	c, code, err := s.svc.IssueCode(s.t.Context(), s.merchant.ID, c.ID, "for the buyer")
	require.NoError(s.t, err)
	return checkout.CreditProof{Number: c.Number, Code: code}
}

func (s *shop) payCredit(p checkout.Placed, channel payment.Account, key string, proof checkout.CreditProof) (payment.Payment, error) {
	return s.svc.StartPayment(s.t.Context(), checkout.PayRequest{
		MerchantID: s.merchant.ID, OrderNo: p.Order.No, Token: p.AccessToken, Key: key, BodyDigest: []byte(proof.Number + proof.Code),
		Channel: channel.ID, Credit: proof,
	})
}

// toCredit has staff give back a part of an order, or all, as store credit.
func (s *shop) toCredit(p checkout.Placed, creditID id.ID, part checkout.Part) (checkout.View, error) {
	return s.svc.RefundOrder(s.t.Context(), s.toCreditRequest(p, creditID, part))
}

func (s *shop) toCreditRequest(p checkout.Placed, creditID id.ID, part checkout.Part) checkout.RefundRequest {
	return checkout.RefundRequest{
		MerchantID: s.merchant.ID, OrderNo: p.Order.No, Key: id.New().String(), Reason: "rather so", Part: part,
		Target: checkout.Target{ToCredit: true, CreditID: creditID},
	}
}

// creditLeft is what an account has.
func (s *shop) creditLeft(c account.Credit) int64 {
	s.t.Helper()
	v, err := s.svc.CreditForStaff(s.t.Context(), s.merchant.ID, c.ID, id.ID{}, 100)
	require.NoError(s.t, err)
	return v.Credit.Balance.Minor
}

func TestCreditPaysAndComesBack(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	channel, sku := s.creditChannel(), s.product("card", catalog.Card, 4900)
	s.cards(sku, 2)
	c, proof := s.granted("chen", 5000)

	p := s.mustPlace("1", sku, 1)
	pay, err := s.payCredit(p, channel, "pay", proof)
	require.NoError(t, err)
	require.Equal(t, payment.Paid, pay.Status)
	require.Equal(t, "credit", pay.SettledBy)
	require.Equal(t, order.Delivered, s.status(p))
	goods, err := s.svc.Reveal(t.Context(), s.merchant.ID, p.Order.No, p.AccessToken)
	require.NoError(t, err)
	require.Len(t, goods, 1)
	require.EqualValues(t, 100, s.creditLeft(c))
	s.sound()

	again, err := s.payCredit(p, channel, "pay", proof)
	require.NoError(t, err)
	require.Equal(t, pay.ID, again.ID, "a repeat gets what was made")
	_, err = s.payCredit(p, channel, "another", proof)
	require.Equal(t, "order_not_payable", errs.CodeOf(err))
	require.EqualValues(t, 100, s.creditLeft(c))

	v, err := s.refund(p, checkout.Part{})
	require.NoError(t, err)
	require.Equal(t, order.Refunded, v.Order.Status, "at once: nobody is asked")
	require.EqualValues(t, 5000, s.creditLeft(c))
	_, err = s.refund(p, checkout.Part{})
	require.Error(t, err)
	view, err := s.svc.Credit(t.Context(), s.merchant.ID, proof, id.ID{}, 10)
	require.NoError(t, err)
	require.Equal(t, []account.Kind{account.Returned, account.Spent, account.Granted}, kinds(view))
	require.Equal(t, p.Order.No, view.Movements[1].OrderNo)
	s.refunds()
	s.sound()
}

func kinds(v checkout.CreditView) (all []account.Kind) {
	for _, m := range v.Movements {
		all = append(all, m.Kind)
	}
	return all
}

func TestCreditIsRefused(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	channel, sku := s.creditChannel(), s.product("work", catalog.Manual, 4900)
	c, proof := s.granted("chen", 4899)
	p := s.mustPlace("1", sku, 1)
	refused := func(code string, channel payment.Account, proof checkout.CreditProof) (told *errs.Error) {
		t.Helper()
		_, err := s.payCredit(p, channel, "pay", proof)
		require.Equal(t, code, errs.CodeOf(err), "%v", err)
		require.Equal(t, order.Pending, s.status(p))
		require.EqualValues(t, 4899, s.creditLeft(c))
		require.Zero(t, s.number(`SELECT COUNT(*) FROM payments`), "nothing is left of it")
		require.ErrorAs(t, err, &told)
		return told
	}
	require.Contains(t, refused("credit_insufficient", channel, proof).Params["missing"], "0.01")
	_ = refused("credit_missing", channel, checkout.CreditProof{})
	_ = refused("credit_not_taken", s.account, proof)
	wrong := refused("credit_unknown", channel, checkout.CreditProof{Number: proof.Number, Code: proof.Code[1:] + "A"})
	require.Equal(t, wrong, refused("credit_unknown", channel, checkout.CreditProof{Number: "C0000000000", Code: proof.Code}), "one answer")

	newer := s.code(c)
	_ = refused("credit_unknown", channel, proof) // a newer code took its place
	_ = refused("credit_insufficient", channel, newer)
	_, err := s.svc.SetCreditState(t.Context(), s.merchant.ID, c.ID, account.Frozen, "odd")
	require.NoError(t, err)
	_ = refused("credit_state", channel, newer)
	_, err = s.svc.SetCreditState(t.Context(), s.merchant.ID, c.ID, account.Closed, "odd")
	require.Equal(t, "credit_state", errs.CodeOf(err), "there is money in it")
	s.expire()
	_, err = s.payCredit(p, channel, "late", newer)
	require.Equal(t, "order_not_payable", errs.CodeOf(err))
	s.sound()
}

// TestCreditIsNeverOverspent has a thousand orders paid from one account at the
// same time.
func TestCreditIsNeverOverspent(t *testing.T) {
	t.Parallel()
	const buyers, price, enough = 1000, 30, 123
	s := newShop(t)
	channel, sku := s.creditChannel(), s.product("text", catalog.Text, price)
	s.shareText(sku)
	c, proof := s.granted("chen", price*enough+price-1)
	placed := make([]checkout.Placed, buyers)
	inParallel(buyers, func(i int) {
		p, err := s.place(id.New().String(), checkout.PlaceLine{SKUID: sku.ID, Quantity: 1})
		if err != nil {
			t.Error(err)
		}
		placed[i] = p
	})
	var paid, short atomic.Int64
	inParallel(buyers, func(i int) {
		_, err := s.payCredit(placed[i], channel, "pay", proof)
		switch {
		case err == nil:
			paid.Add(1)
		case errs.CodeOf(err) == "credit_insufficient":
			short.Add(1)
		default:
			t.Error(err)
		}
	})
	require.EqualValues(t, enough, paid.Load())
	require.EqualValues(t, buyers-enough, short.Load())
	require.EqualValues(t, price-1, s.creditLeft(c))
	require.EqualValues(t, enough, s.number(`SELECT COUNT(*) FROM orders WHERE status = 'delivered'`))
	s.sound()
}

func inParallel(n int, do func(i int)) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { do(i) })
	}
	wg.Wait()
}

// TestRefundBecomesCredit gives a platform's money back as store credit, beside
// money that goes the usual ways.
func TestRefundBecomesCredit(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	channel := s.creditChannel()
	sku := s.product("work", catalog.Manual, 4900)
	p, _ := s.bought("1", sku, 1)
	v, err := s.toCredit(p, id.ID{}, checkout.Part{})
	require.NoError(t, err)
	require.Equal(t, order.Refunded, v.Order.Status)
	require.Equal(t, payment.RefundDone, v.Refunds[0].Status)
	contact, err := order.ParseContact("BUYER-1@example.com", "")
	require.NoError(t, err)
	found, err := s.svc.CreditsOf(t.Context(), s.merchant.ID, contact)
	require.NoError(t, err)
	require.Len(t, found, 1, "opened for the order's contact")
	require.EqualValues(t, 4900, found[0].Balance.Minor)
	s.refunds()
	require.Empty(t, s.platform.refunds, "the platform was not asked")

	other, _ := s.bought("2", sku, 1)
	_, err = s.toCredit(other, id.New(), checkout.Part{})
	require.Equal(t, "credit_unknown", errs.CodeOf(err))
	_, err = s.toCredit(other, found[0].ID, checkout.Part{})
	require.NoError(t, err)
	require.EqualValues(t, 9800, s.creditLeft(found[0]))

	third := s.mustPlace("3", sku, 1)
	_, err = s.payCredit(third, channel, "pay", s.code(found[0]))
	require.NoError(t, err)
	_, err = s.toCredit(third, id.ID{}, checkout.Part{})
	require.NoError(t, err)
	require.EqualValues(t, 9800, s.creditLeft(found[0]), "credit returns where it came from")
	require.EqualValues(t, 1, s.number(`SELECT COUNT(*) FROM credit_accounts`), "no account is opened for it")
	s.sound()
}

// TestPartsBecomeCredit: a line and an amount of an order become store credit
// and leave its state; the last part ends it, at once or after what the
// platform has still to do.
func TestPartsBecomeCredit(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	c, _ := s.granted("chen", 1)
	sku := s.product("work", catalog.Manual, 100)
	p, _ := s.bought("1", sku, 3)
	r := s.toCreditRequest(p, c.ID, items(1, 1))
	for range 2 {
		v, err := s.svc.RefundOrder(t.Context(), r)
		require.NoError(t, err)
		require.Equal(t, order.Paid, v.Order.Status, "a part leaves the order")
		require.Equal(t, []int{1, 1, 2}, []int{v.Lines[0].Refunded, v.Lines[0].Withdrawn, v.RefundableItems(v.Lines[0])})
		require.Equal(t, []any{1, payment.RefundDone, c.ID}, []any{len(v.Refunds), v.Refunds[0].Status, v.Refunds[0].CreditID})
		require.EqualValues(t, 101, s.creditLeft(c), "a repeat gives nothing")
	}
	r.Target = checkout.Target{}
	_, err := s.svc.RefundOrder(t.Context(), r)
	require.Equal(t, "idempotency_conflict", errs.CodeOf(err), "elsewhere is another request")
	r.CreditID = c.ID
	_, err = s.svc.RefundOrder(t.Context(), r)
	require.Equal(t, "credit_not_taken", errs.CodeOf(err))
	_, err = s.toCredit(p, c.ID, amount(201))
	require.Equal(t, "refund_too_much", errs.CodeOf(err))
	s.sound()
	v, err := s.toCredit(p, c.ID, amount(200))
	require.NoError(t, err)
	require.Equal(t, order.Refunded, v.Order.Status, "nothing is under way")
	require.EqualValues(t, 301, s.creditLeft(c))
	require.Empty(t, s.platform.refunds)

	both, _ := s.bought("2", sku, 2)
	require.Equal(t, order.Paid, s.mustRefund(both, amount(50)).Order.Status)
	v, err = s.toCredit(both, c.ID, checkout.Part{})
	require.NoError(t, err)
	require.Equal(t, order.Refunding, v.Order.Status, "the platform has still to pay 50")
	s.refunds()
	s.refunds()
	require.Equal(t, order.Refunded, s.status(both))
	require.EqualValues(t, 451, s.creditLeft(c))
	s.sound()
}

// TestPartsToCreditCount: what became credit counts towards the limit of an
// order, and another person can let a part of it become credit.
func TestPartsToCreditCount(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	sku := s.product("work", catalog.Manual, checkout.DefaultRefundLimit)
	p, _ := s.bought("1", sku, 2)
	_, err := s.toCredit(p, id.ID{}, amount(checkout.DefaultRefundLimit))
	require.NoError(t, err)
	_, err = s.toCredit(p, id.ID{}, amount(1))
	require.Equal(t, "approval_required", errs.CodeOf(err))
	require.EqualValues(t, 1, s.number(`SELECT COUNT(*) FROM credit_accounts`), "what is refused opens none")
	s.sound()
}

// TestGrantsOfSinglePersonsAddUp: many small grants are one large one.
func TestGrantsOfSinglePersonsAddUp(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	c, _ := s.granted("chen", checkout.DefaultRefundLimit-1)
	repeat, _ := s.granted("chen", checkout.DefaultRefundLimit-1)
	require.Equal(t, c.ID, repeat.ID)
	require.EqualValues(t, checkout.DefaultRefundLimit-1, s.creditLeft(c), "a repeat grants nothing")
	var granted atomic.Int64
	inParallel(20, func(int) {
		_, err := s.svc.GrantCredit(t.Context(), s.merchant.ID, id.New().String(), checkout.Grant{
			CreditID: c.ID, Minor: 1, Reason: "more",
		})
		if err == nil {
			granted.Add(1)
		} else if errs.CodeOf(err) != "approval_required" {
			t.Error(err)
		}
	})
	require.EqualValues(t, 1, granted.Load())
	_, err := s.svc.GrantCredit(t.Context(), s.merchant.ID, "chen", checkout.Grant{CreditID: c.ID, Minor: 1, Reason: "x"})
	require.Equal(t, "idempotency_conflict", errs.CodeOf(err))
	s.sound()
}

// TestCreditOutlivesItsPostings archives the books of old payments: what an
// account has is still proved.
func TestCreditOutlivesItsPostings(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	channel, sku := s.creditChannel(), s.product("work", catalog.Manual, 30)
	c, proof := s.granted("chen", 100)
	_, err := s.payCredit(s.mustPlace("1", sku, 1), channel, "pay", proof)
	require.NoError(t, err)
	require.NoError(t, s.db.Update(t.Context(), func(tx *db.Tx) error {
		last, err := ledger.ArchiveTx(tx, id.ID{}, time.Now().Add(time.Hour))
		require.False(t, last.IsZero())
		return err
	}))
	require.Zero(t, s.number(`SELECT COUNT(*) FROM ledger_postings`))
	s.sound()
	require.EqualValues(t, 70, s.creditLeft(c))
	s.exec(`UPDATE credit_accounts SET balance = balance + 1`)
	require.Subset(t, s.violated(), []string{"account.balance_is_movements", "account.balance_is_booked"}, "check can fail")
}

// violated names the invariants that do not hold.
func (s *shop) violated() (names []string) {
	report, err := check.Run(s.t.Context(), s.db, invariants(), func(string, int, int) {})
	require.NoError(s.t, err)
	for _, r := range report.Results {
		if len(r.Violations) > 0 {
			names = append(names, r.Name)
		}
	}
	return names
}
