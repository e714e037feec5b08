package histories

import (
	"context"
	"sync"
	"time"

	"panshi/internal/payment"
)

// till is a payment platform in memory that many use at once. What it closed
// cannot be paid.
type till struct {
	mu      sync.Mutex
	trades  map[string]payment.Report // guarded by mu; by payment number
	refunds map[string]payment.RefundReport
	deaf    map[string]bool // guarded by mu; does not answer about these
}

func newTill() *till {
	return &till{trades: map[string]payment.Report{}, refunds: map[string]payment.RefundReport{}, deaf: map[string]bool{}}
}

// ignore makes the platform unreachable when it is asked about payments, so
// that their order can close while they stay payable.
func (p *till) ignore(numbers []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, no := range numbers {
		p.deaf[no] = true
	}
}

// pay gives the report of a payment that was paid, now or before; false if it
// cannot be.
func (p *till) pay(no string) (payment.Report, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r, ok := p.trades[no]
	if ok && r.State == payment.StateOpen {
		r.State, r.TransactionID, r.PaidAt = payment.StatePaid, "42"+no, time.Now()
		p.trades[no] = r
	}
	return r, ok && r.State == payment.StatePaid
}

// Create implements payment.Provider.
func (p *till) Create(_ context.Context, r payment.Request) (payment.Instruction, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, ok := p.trades[r.PaymentNo]; !ok {
		p.trades[r.PaymentNo] = payment.Report{
			State: payment.StateOpen, PaymentNo: r.PaymentNo, Amount: r.Amount, MerchantRef: "1900000001", AppID: "wx1",
		}
	}
	return payment.Instruction{Kind: "qr", CodeURL: "weixin://" + r.PaymentNo}, nil
}

// Query implements payment.Provider.
func (p *till) Query(_ context.Context, no string) (payment.Report, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if r, ok := p.trades[no]; ok {
		return r, nil
	}
	return payment.Report{}, payment.ErrNotFound
}

// Close implements payment.Provider.
func (p *till) Close(_ context.Context, no string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	r, ok := p.trades[no]
	switch {
	case p.deaf[no]:
		return payment.ErrProviderBusy
	case ok && r.State == payment.StatePaid:
		return payment.ErrAlreadyPaid
	case ok:
		r.State = payment.StateClosed
		p.trades[no] = r
	}
	return nil
}

// Refund implements payment.Provider.
func (p *till) Refund(_ context.Context, r payment.RefundRequest) (payment.RefundReport, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	report := payment.RefundReport{State: payment.RefundSucceeded, RefundNo: r.RefundNo, RefundID: "rf" + r.RefundNo, Amount: r.Amount}
	p.refunds[r.RefundNo] = report
	return report, nil
}

// QueryRefund implements payment.Provider.
func (p *till) QueryRefund(_ context.Context, _, no string) (payment.RefundReport, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if r, ok := p.refunds[no]; ok {
		return r, nil
	}
	return payment.RefundReport{}, payment.ErrNotFound
}
