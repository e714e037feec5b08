package checkout

import (
	"context"
	"errors"

	"panshi/internal/db"
	"panshi/internal/errs"
	"panshi/internal/id"
	"panshi/internal/order"
	"panshi/internal/payment"
)

// Answer is what a platform said of one payment when staff had it asked.
type Answer struct {
	PaymentNo string
	State     payment.State // "" if the platform gave no answer
	Outcome   Outcome       // what that did: Settled, Repeated, …; Ignored if no money came
	Code      string        // of the error; "" if there was an answer
}

// AskPlatforms makes up for a callback that was lost: it asks the platforms of
// all payments of an order, whatever their state here, and settles what they
// call paid. Who asked and why is recorded first. Nothing but a platform's word
// settles, so that repeating it does no harm.
func (s *Service) AskPlatforms(ctx context.Context, merchantID id.ID, orderNo, reason string) (View, []Answer, error) {
	if err := checkText("reason", reason, 1, 200); err != nil {
		return View{}, nil, err
	}
	var o order.Order
	var payments []payment.Payment
	err := s.db.Update(ctx, func(tx *db.Tx) (err error) {
		if o, err = order.ByNoTx(tx, merchantID, orderNo); err != nil {
			return err
		}
		if err := recordStaffTx(ctx, tx, o, "order.platforms_asked", map[string]string{"reason": reason}); err != nil {
			return err
		}
		payments, err = payment.OfOrderTx(tx, merchantID, o.ID)
		return err
	})
	if err != nil {
		return View{}, nil, err
	}
	answers := make([]Answer, len(payments))
	places := make([]int, len(payments))
	for i := range places {
		places[i] = i
	}
	if _, err := each(ctx, places, func(ctx context.Context, i int) error {
		answers[i] = s.ask(ctx, payments[i])
		return nil
	}); err != nil {
		return View{}, nil, err
	}
	v, err := s.OrderForStaff(ctx, merchantID, orderNo)
	return v, answers, err
}

// ask asks one platform and settles by its word.
func (s *Service) ask(ctx context.Context, p payment.Payment) Answer {
	a := Answer{PaymentNo: p.No, Outcome: Ignored}
	account, provider, err := s.platform(ctx, p.AccountID)
	if err != nil {
		return a.failed(err)
	}
	report, err := provider.Query(ctx, p.No)
	if errors.Is(err, payment.ErrNotFound) {
		a.Code = payment.ErrNotFound.Code
		return a
	}
	if err != nil {
		s.log.Warn("payment not queried", "payment_no", p.No, "code", errs.CodeOf(err), "error", err)
		return a.failed(err)
	}
	a.State = report.State
	if a.Outcome, err = s.Settle(ctx, account, report, "query"); err != nil {
		return a.failed(err)
	}
	return a
}

func (a Answer) failed(err error) Answer {
	if a.Code = errs.CodeOf(err); a.Code == "" {
		a.Code = "internal"
	}
	return a
}
