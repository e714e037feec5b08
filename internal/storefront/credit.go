package storefront

import (
	"crypto/sha256"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"panshi/internal/account"
	"panshi/internal/checkout"
	"panshi/internal/errs"
	"panshi/internal/id"
	"panshi/internal/money"
	"panshi/internal/order"
	"panshi/internal/payment"
	"panshi/internal/web"
)

// payCreditData is the form by which store credit pays an order.
type payCreditData struct {
	OrderNo   string
	Total     money.Amount
	ExpiresAt time.Time
	Channel   string
	Several   bool // there are other channels
	Number    string
	Problem   string
}

// creditData is the page of a store credit: the form, or what it found.
type creditData struct {
	Number    string
	Problem   string
	Shown     bool
	Balance   money.Amount
	State     account.State
	Movements []account.Movement
}

// creditMovements is how many movements the page shows.
const creditMovements = 50

func (s *Shop) showPayCredit(v *visit, status int, d payCreditData) error {
	return s.show(v, status, "paycredit", screen{
		Title: s.text(v, "shop.credit.pay_title"), Private: true, Back: "/orders/" + d.OrderNo + "/pay?channel=" + d.Channel, Data: d,
	})
}

// proofOf reads number and code of a form. What can be neither is not asked
// about.
func proofOf(form url.Values) (p checkout.CreditProof, possible bool) {
	p = checkout.CreditProof{
		Number: strings.ToUpper(strings.TrimSpace(form.Get("number"))), Code: strings.TrimSpace(form.Get("code")),
	}
	return p, p.Number != "" && len(p.Number) <= maxOrderNo && validToken(p.Code)
}

// payCredit pays an order with store credit. What the buyer can mend is told at
// the form; the code is not put into it again.
func (s *Shop) payCredit(v *visit) error {
	return s.withOrder(v, func(h held) error {
		form, err := v.form()
		if err != nil {
			return err
		}
		if h.Order.Status != order.Pending {
			return v.see(h.path())
		}
		channel, several, err := s.creditChannel(v, form.Get("channel"))
		if err != nil {
			return err
		}
		proof, possible := proofOf(form)
		if err = account.ErrUnknown; possible {
			err = s.startCredit(v, h, channel, proof)
		}
		switch errs.CodeOf(err) {
		case account.ErrUnknown.Code, account.ErrInsufficient.Code, account.ErrState.Code, "credit_currency", "channel_unfit":
			p := web.ProblemOf(v.r.Context(), v.w.Header(), err)
			return s.showPayCredit(v, p.Status, payCreditData{
				OrderNo: h.no, Total: h.Order.Total, ExpiresAt: h.Order.ExpiresAt, Channel: channel.ID.String(), Several: several,
				Number: clip(proof.Number, maxOrderNo), Problem: p.Detail,
			})
		}
		if err != nil && errs.CodeOf(err) != "order_not_payable" {
			return err
		}
		return v.see(h.path()) // which says what became of it
	})
}

// creditChannel finds the channel of store credit that a form names.
func (s *Shop) creditChannel(v *visit, named string) (channel payment.Account, several bool, err error) {
	channels, err := s.Channels.Channels(v.r.Context(), v.shop.ID)
	if err != nil {
		return channel, false, err
	}
	at := slices.IndexFunc(channels, func(c payment.Account) bool {
		return c.ID.String() == named && c.Provider == payment.Balance
	})
	if at < 0 {
		return channel, false, payment.ErrNoAccount
	}
	return channels[at], len(channels) > 1, nil
}

// startCredit pays. The key is the same for the order: who sends the form twice
// pays once.
func (s *Shop) startCredit(v *visit, h held, channel payment.Account, proof checkout.CreditProof) error {
	const key = "page-credit"
	sum := sha256.Sum256([]byte("pay " + h.no + " " + key + " " + channel.ID.String() + " " + proof.Number + " " + proof.Code))
	_, err := s.Payments.StartPayment(v.r.Context(), checkout.PayRequest{
		MerchantID: v.shop.ID, OrderNo: h.no, Token: h.token, Key: key, BodyDigest: sum[:], Channel: channel.ID,
		Client: "web", ClientIP: web.ClientAddr(v.r.Context()).String(), Credit: proof,
	})
	return err
}

func (s *Shop) creditForm(v *visit) error { return s.showCredit(v, http.StatusOK, creditData{}) }

func (s *Shop) showCredit(v *visit, status int, d creditData) error {
	return s.show(v, status, "credit", screen{
		Title: s.text(v, "shop.credit.title"), Private: true, Back: "/credit", Data: d,
	})
}

// credit shows what a store credit has, to who has its number and its code.
func (s *Shop) credit(v *visit) error {
	form, err := v.form()
	if err != nil {
		return err
	}
	proof, possible := proofOf(form)
	var found checkout.CreditView
	if err = account.ErrUnknown; possible {
		found, err = s.Credits.Credit(v.r.Context(), v.shop.ID, proof, id.ID{}, creditMovements)
	}
	if errs.CodeOf(err) == account.ErrUnknown.Code {
		p := web.ProblemOf(v.r.Context(), v.w.Header(), err)
		return s.showCredit(v, p.Status, creditData{Number: clip(proof.Number, maxOrderNo), Problem: p.Detail})
	}
	if err != nil {
		return err
	}
	return s.showCredit(v, http.StatusOK, creditData{
		Shown: true, Balance: found.Credit.Balance, State: found.Credit.State, Movements: found.Movements,
	})
}
