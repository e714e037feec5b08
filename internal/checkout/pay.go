package checkout

import (
	"context"
	"errors"
	"time"

	"panshi/internal/db"
	"panshi/internal/errs"
	"panshi/internal/fault"
	"panshi/internal/id"
	"panshi/internal/order"
	"panshi/internal/payment"
	"panshi/internal/payment/wire"
)

// The questions to a platform while a payment is open: after 5 s, after 15 s,
// then every 30 s (DESIGN.md, "Lost callbacks").
const (
	firstQuestion  = 5 * time.Second
	secondQuestion = 10 * time.Second
	laterQuestions = 30 * time.Second
	buyersQuestion = 10 * time.Second // a waiting buyer may have one asked in this time
)

// maxPayments is how many payments one order may start.
const maxPayments = 20

// PayRequest asks to pay an order.
type PayRequest struct {
	MerchantID id.ID
	OrderNo    string
	Token      string // the order's access token
	Key        string // Idempotency-Key
	BodyDigest []byte
	Channel    id.ID // any account of a channel; zero: the first channel
	ClientIP   string
	PayerID    string      // of "jsapi": the payer's openid under the account's application
	ReturnURL  string      // where a browser comes back to; "": the order's page
	Client     string      // "web", "miniprogram", "api"; "": not told
	Credit     CreditProof // of a channel of store credit

	within time.Duration // how long a platform may take
}

var (
	errNotPayable      = errs.New(errs.Conflict, "order_not_payable", "this order cannot be paid any more")
	errTooManyPayments = errs.New(errs.Conflict, "too_many_payments", "this order started too many payments")
)

// StartPayment registers a payment of an order at a platform and returns it
// with what the buyer needs to pay. The payment is written before the platform
// hears of it, so that a crash in between leaves something to ask about; a
// repeat with the same key asks the platform again with the same number. Store
// credit pays at once: the payment comes back paid.
func (s *Service) StartPayment(ctx context.Context, r PayRequest) (payment.Payment, error) {
	if err := checkKey(r.Key); err != nil {
		return payment.Payment{}, err
	}
	candidates, err := s.providers.Candidates(ctx, r.MerchantID, r.Channel)
	if err != nil {
		return payment.Payment{}, err
	}
	if err := checkPayer(candidates[0], r.PayerID); err != nil {
		return payment.Payment{}, err
	}
	if err := checkCredit(candidates[0], r.Credit); err != nil {
		return payment.Payment{}, err
	}
	if candidates[0].Provider == payment.Balance {
		return s.payByCredit(ctx, r, candidates)
	}
	return s.startRouted(ctx, r, candidates)
}

// checkPayer wants the payer where the platform must know who pays.
func checkPayer(account payment.Account, payerID string) error {
	switch {
	case payment.KindOf(account.Method) != payment.KindJSAPI:
		return nil
	case payerID == "":
		return errs.Field("payer_id", "payer_id_missing", "this channel needs the payer's openid")
	case wire.WantToken(payerID, 128) != nil:
		return errs.Field("payer_id", "payer_id_invalid", "this is not an openid")
	}
	return nil
}

// beginPaymentTx finds the payment that a key started, or writes a new one at
// the first of the accounts that takes it.
func (s *Service) beginPaymentTx(tx *db.Tx, r PayRequest, candidates []payment.Account) (order.Order, payment.Payment, error) {
	o, err := s.orderOfBuyerTx(tx, r.MerchantID, r.OrderNo, r.Token)
	if err != nil {
		return o, payment.Payment{}, err
	}
	if o, err = lockOrderTx(tx, o); err != nil {
		return o, payment.Payment{}, err
	}
	p := payment.Payment{ID: id.New()}
	owner, fresh, err := s.payKey(o, r).claimTx(tx, p.ID)
	if err != nil {
		return o, payment.Payment{}, err
	}
	if !fresh {
		p, err = payment.ByIDTx(tx, o.MerchantID, owner)
		return o, p, err
	}
	p, err = s.newPaymentTx(tx, o, p.ID, r, candidates)
	return o, p, err
}

// newPaymentTx writes a payment that no platform has heard of yet.
func (s *Service) newPaymentTx(tx *db.Tx, o order.Order, paymentID id.ID, r PayRequest, candidates []payment.Account) (payment.Payment, error) {
	if o.Status != order.Pending || !tx.Now().Before(o.ExpiresAt) {
		return payment.Payment{}, errNotPayable
	}
	earlier, err := payment.OfOrderTx(tx, o.MerchantID, o.ID)
	if err != nil {
		return payment.Payment{}, err
	}
	if len(earlier) >= maxPayments {
		return payment.Payment{}, errTooManyPayments
	}
	account, err := payment.ChooseTx(tx, candidates, payment.Want{Amount: o.Total, Client: r.Client})
	if err != nil {
		return payment.Payment{}, err
	}
	p := payment.Payment{
		ID: paymentID, MerchantID: o.MerchantID, OrderID: o.ID, AccountID: account.ID,
		No: id.Number("P", tx.Now().In(shopZone())), Provider: account.Provider, Method: account.Method,
		Status: payment.Creating, Amount: o.Total, NextQueryAt: tx.Now().Add(firstQuestion), Counted: account.Counts(),
	}
	return p, payment.InsertTx(tx, p)
}

// register tells the platform of a payment and notes its answer.
func (s *Service) register(ctx context.Context, o order.Order, p payment.Payment, r PayRequest) (payment.Payment, error) {
	_, provider, err := s.providers.Provider(ctx, p.AccountID)
	if err != nil {
		return payment.Payment{}, err
	}
	calling, cancel := context.WithTimeout(ctx, r.within)
	defer cancel()
	instruction, err := provider.Create(calling, payment.Request{
		PaymentNo: p.No, Method: p.Method, Description: s.cfg.description(o), Amount: p.Amount,
		NotifyURL: s.cfg.notifyURL(p), ReturnURL: s.cfg.returnURL(o, r),
		ExpiresAt: o.ExpiresAt, ClientIP: r.ClientIP, PayerID: r.PayerID,
	})
	if err != nil {
		s.log.Warn("payment not created", "payment_no", p.No, "provider", p.Provider, "code", errs.CodeOf(err), "error", err)
		return payment.Payment{}, createFailure(err)
	}
	fault.Point("checkout.pay.registered")
	var opened payment.Payment
	err = s.db.Update(ctx, func(tx *db.Tx) (err error) {
		if err = payment.OpenedTx(tx, p, instruction); err != nil {
			return err
		}
		if patient, ok := provider.(payment.Patient); ok {
			if err = order.ExtendTx(tx, o, o.CreatedAt.Add(patient.Patience())); err != nil {
				return err
			}
		}
		opened, err = payment.ByIDTx(tx, p.MerchantID, p.ID)
		return err
	})
	if err == nil && opened.Status == payment.Closed {
		return opened, errNotPayable
	}
	return opened, err
}

// createFailure is what a buyer reads when a platform took no payment: never a
// technical error.
func createFailure(err error) error {
	if errors.Is(err, payment.ErrAlreadyPaid) {
		return errNotPayable
	}
	return errs.Wrap(err, payment.ErrProviderBusy.Kind, payment.ErrProviderBusy.Code, payment.ErrProviderBusy.Msg)
}

// notifyURL is where a payment's platform tells of it and of its refunds.
func (c Config) notifyURL(p payment.Payment) string {
	return c.PublicURL + "/notify/" + p.Provider + "/" + p.AccountID.String()
}

// returnURL is where a browser comes back to from a platform's page. The page
// there asks; coming back proves nothing.
func (c Config) returnURL(o order.Order, r PayRequest) string {
	if r.ReturnURL != "" {
		return r.ReturnURL
	}
	return c.PublicURL + "/orders/" + o.No
}

func (Config) description(o order.Order) string { return "Panshi " + o.No }

// nextQuestion tells when to ask a platform again about a payment that it says
// is not paid; the zero time: never.
func nextQuestion(p payment.Payment, now time.Time) time.Time {
	if p.Status != payment.Closed {
		if p.Provider == payment.Offline {
			return now.Add(time.Hour) // nobody is asked; only its order may have ended
		}
		if p.Queries == 0 {
			return now.Add(secondQuestion)
		}
		return now.Add(laterQuestions)
	}
	for _, after := range []time.Duration{5 * time.Minute, 10 * time.Minute, 30 * time.Minute} {
		if at := p.ClosedAt.Add(after); at.After(now) {
			return at
		}
	}
	return time.Time{}
}

// Nudge lets a waiting buyer have the platform asked sooner, at most once in
// 10 s.
func (s *Service) Nudge(ctx context.Context, merchantID, orderID id.ID) error {
	due := false
	err := s.db.View(ctx, func(tx *db.Tx) error {
		payments, err := payment.OfOrderTx(tx, merchantID, orderID)
		due = false
		for _, p := range payments {
			asked := p.CreatedAt
			if p.LastQueryAt.After(asked) {
				asked = p.LastQueryAt
			}
			due = due || (p.Status == payment.Open && tx.Now().Sub(asked) >= buyersQuestion && p.NextQueryAt.After(tx.Now()))
		}
		return err
	})
	if err != nil || !due {
		return err
	}
	return s.db.Update(ctx, func(tx *db.Tx) error {
		_, err := payment.HurryTx(tx, merchantID, orderID, buyersQuestion)
		return err
	})
}
