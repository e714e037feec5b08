package checkout

import (
	"context"
	"errors"
	"sync"
	"time"

	"panshi/internal/db"
	"panshi/internal/errs"
	"panshi/internal/fault"
	"panshi/internal/jobs"
	"panshi/internal/order"
	"panshi/internal/payment"
)

const (
	sweepBatch   = 100
	sweepWorkers = 16               // calls to platforms at a time
	itemTime     = 12 * time.Second // for one item: two calls of a platform
)

// Sweeps are the works that find themselves: every state in which an order
// must not stay for ever has one.
func (s *Service) Sweeps() []jobs.Sweep {
	return []jobs.Sweep{
		{Name: "payments.query", Every: time.Second, Run: s.queryPayments},
		{Name: "orders.expire", Every: time.Second, Run: s.expireOrders},
		{Name: "refunds.push", Every: time.Second, Run: s.pushRefunds},
		{Name: "orders.complete", Every: time.Minute, Run: s.completeOrders},
		{Name: "idempotency.purge", Every: 10 * time.Minute, Run: s.purgeKeys},
	}
}

// Handlers are the side effects that this package queues.
func (s *Service) Handlers() map[string]jobs.Handler {
	return map[string]jobs.Handler{RefundJob: s.SendRefund}
}

// each runs do for every item, some at a time, and joins the errors. One that
// panics is an error like any other, and none takes longer than itemTime. It
// tells whether the batch was full, so that more may be due.
func each[T any](ctx context.Context, items []T, do func(context.Context, T) error) (more bool, err error) {
	var wg sync.WaitGroup
	slots := make(chan struct{}, sweepWorkers)
	failures := make([]error, len(items))
	for i, item := range items {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			ctx, cancel := context.WithTimeout(ctx, itemTime)
			defer cancel()
			failures[i] = jobs.Guard(func() error { return do(ctx, item) })
		})
	}
	wg.Wait()
	return len(items) == sweepBatch, errors.Join(failures...)
}

func (s *Service) queryPayments(ctx context.Context) (more bool, err error) {
	var due []payment.Payment
	if err := s.db.View(ctx, func(tx *db.Tx) (err error) {
		due, err = payment.DueTx(tx, sweepBatch)
		return err
	}); err != nil {
		return false, err
	}
	return each(ctx, due, s.queryPayment)
}

// queryPayment asks the platform about one payment and acts on its word.
func (s *Service) queryPayment(ctx context.Context, p payment.Payment) error {
	account, provider, err := s.platform(ctx, p.AccountID)
	if errors.Is(err, payment.ErrProviderBusy) {
		return s.postpone(ctx, p)
	}
	if err != nil {
		return errors.Join(err, s.noteAsked(ctx, p))
	}
	report, err := provider.Query(ctx, p.No)
	fault.Point("checkout.query.platform-answered")
	switch {
	case errors.Is(err, payment.ErrNotFound):
		return s.noteUnpaid(ctx, p)
	case err != nil:
		s.log.Warn("payment not queried", "payment_no", p.No, "code", errs.CodeOf(err), "error", err)
		return s.noteAsked(ctx, p)
	case report.State == payment.StatePaid:
		_, err := s.Settle(ctx, account, report, "query")
		return errors.Join(err, s.noteAsked(ctx, p)) // what settled is not asked about again
	case report.State == payment.StateClosed && p.Status != payment.Closed:
		return s.notePaymentClosed(ctx, p)
	}
	return s.noteUnpaid(ctx, p)
}

// noteUnpaid plans the next question. A payment whose order needs no money any
// more is closed instead: a buyer who paid it would only get it back.
func (s *Service) noteUnpaid(ctx context.Context, p payment.Payment) error {
	wanted := true
	if err := s.db.View(ctx, func(tx *db.Tx) error {
		o, err := order.ByIDTx(tx, p.MerchantID, p.OrderID)
		wanted = o.Status == order.Pending || (reserves(o) && tx.Now().Before(o.ExpiresAt))
		return err
	}); err != nil {
		return errors.Join(err, s.noteAsked(ctx, p))
	}
	if wanted || p.Status == payment.Closed {
		return s.noteAsked(ctx, p)
	}
	if paid, err := s.closePayment(ctx, p); paid || err != nil {
		return errors.Join(err, s.noteAsked(ctx, p))
	}
	return s.notePaymentClosed(ctx, p)
}

func (s *Service) notePaymentClosed(ctx context.Context, p payment.Payment) error {
	return s.db.Update(ctx, func(tx *db.Tx) error {
		closed := p
		closed.Status, closed.ClosedAt = payment.Closed, tx.Now()
		return payment.ClosedTx(tx, closed, nextQuestion(closed, tx.Now()))
	})
}

func (s *Service) noteAsked(ctx context.Context, p payment.Payment) error {
	return s.db.Update(ctx, func(tx *db.Tx) error {
		return payment.AskedTx(tx, p, nextQuestion(p, tx.Now()))
	})
}

// postpone leaves a payment unasked while its platform is silent.
func (s *Service) postpone(ctx context.Context, p payment.Payment) error {
	return s.db.Update(ctx, func(tx *db.Tx) error {
		return payment.PostponeTx(tx, p, tx.Now().Add(silenceTime))
	})
}

func (s *Service) expireOrders(ctx context.Context) (more bool, err error) {
	var due []order.Order
	var now time.Time
	if err := s.db.View(ctx, func(tx *db.Tx) (err error) {
		now = tx.Now()
		due, err = order.DueTx(tx, order.Pending, sweepBatch)
		return err
	}); err != nil {
		return false, err
	}
	return each(ctx, due, func(ctx context.Context, o order.Order) error { return s.expireOne(ctx, o, now) })
}

func (s *Service) pushRefunds(ctx context.Context) (more bool, err error) {
	var due []payment.Refund
	if err := s.db.View(ctx, func(tx *db.Tx) (err error) {
		due, err = payment.DueRefundsTx(tx, sweepBatch)
		return err
	}); err != nil {
		return false, err
	}
	return each(ctx, due, s.pushRefund)
}

func (s *Service) completeOrders(ctx context.Context) (more bool, err error) {
	var done int
	err = s.db.Update(ctx, func(tx *db.Tx) error {
		due, err := order.DueTx(tx, order.Delivered, sweepBatch)
		if err != nil {
			return err
		}
		for _, o := range due {
			if _, err := order.MoveTx(tx, o, order.Completed, order.Change{}); err != nil && !errors.Is(err, order.ErrMove) {
				return err
			}
		}
		done = len(due)
		return nil
	})
	return done == sweepBatch, err
}

func (s *Service) purgeKeys(ctx context.Context) (more bool, err error) {
	err = s.db.Update(ctx, func(tx *db.Tx) (err error) {
		more, err = purgeKeysTx(tx)
		return err
	})
	return more, err
}
