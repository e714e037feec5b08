package checkout

import (
	"context"
	"errors"
	"sync"
	"time"

	"panshi/internal/clock"
	"panshi/internal/id"
	"panshi/internal/payment"
)

// silence remembers which accounts' platforms kept a sweep waiting a moment
// ago. They are left alone for a while, so that a platform that hangs costs the
// payments of others no time. A quick failure costs none and is not noted.
type silence struct {
	clock clock.Clock

	mu    sync.Mutex
	until map[id.ID]time.Time // guarded by mu; as many as there are accounts
}

const (
	slowAnswer  = 2 * time.Second
	silenceTime = 10 * time.Second
)

func (s *silence) is(account id.ID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.clock.Now().Before(s.until[account])
}

func (s *silence) note(account id.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.until == nil {
		s.until = map[id.ID]time.Time{}
	}
	s.until[account] = s.clock.Now().Add(silenceTime)
}

// platform finds what speaks to an account's platform for the sweeps: it fails
// at once with ErrProviderBusy while the platform is silent.
func (s *Service) platform(ctx context.Context, accountID id.ID) (payment.Account, payment.Provider, error) {
	if s.silent.is(accountID) {
		return payment.Account{}, nil, payment.ErrProviderBusy
	}
	account, provider, err := s.providers.Provider(ctx, accountID)
	if err != nil {
		return payment.Account{}, nil, err
	}
	return account, impatient{provider, accountID, &s.silent}, nil
}

// impatient notes when its Provider keeps callers waiting for nothing.
type impatient struct {
	payment.Provider
	account id.ID
	silent  *silence
}

// watch begins to measure; what it returns takes the call's error.
func (i impatient) watch() func(err error) {
	start := i.silent.clock.Now()
	return func(err error) {
		answered := err == nil || errors.Is(err, payment.ErrNotFound) || errors.Is(err, payment.ErrAlreadyPaid) ||
			errors.Is(err, payment.ErrRejected)
		if !answered && i.silent.clock.Now().Sub(start) >= slowAnswer {
			i.silent.note(i.account)
		}
	}
}

// Query implements payment.Provider.
func (i impatient) Query(ctx context.Context, paymentNo string) (payment.Report, error) {
	done := i.watch()
	report, err := i.Provider.Query(ctx, paymentNo)
	done(err)
	return report, err
}

// Close implements payment.Provider.
func (i impatient) Close(ctx context.Context, paymentNo string) error {
	done := i.watch()
	err := i.Provider.Close(ctx, paymentNo)
	done(err)
	return err
}

// Refund implements payment.Provider.
func (i impatient) Refund(ctx context.Context, r payment.RefundRequest) (payment.RefundReport, error) {
	done := i.watch()
	report, err := i.Provider.Refund(ctx, r)
	done(err)
	return report, err
}

// QueryRefund implements payment.Provider.
func (i impatient) QueryRefund(ctx context.Context, paymentNo, refundNo string) (payment.RefundReport, error) {
	done := i.watch()
	report, err := i.Provider.QueryRefund(ctx, paymentNo, refundNo)
	done(err)
	return report, err
}
