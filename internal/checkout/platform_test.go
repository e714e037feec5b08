package checkout_test

import (
	"context"
	"strconv"
	"sync"
	"time"

	"panshi/internal/payment"
)

// platform is a payment platform in memory: it keeps trades and refunds as a
// real one would and answers with what fail says.
type platform struct {
	mu      sync.Mutex
	trades  map[string]payment.Report       // by payment number
	refunds map[string]payment.RefundReport // by refund number
	closed  map[string]bool
	fail    error // every call answers this
	created int

	refuseRefunds bool          // Refund answers ErrRejected
	failed        error         // QueryRefund answers this
	lies          bool          // Close says "paid", Query says "open"
	hang          time.Duration // every call takes so long and fails
	asked         int           // calls of Query and Close
	requests      []payment.RefundRequest
}

// wait is the time that a platform takes that hangs.
func (p *platform) wait(ctx context.Context) error {
	p.mu.Lock()
	p.asked++
	p.mu.Unlock()
	return p.dawdle(ctx)
}

func (p *platform) dawdle(ctx context.Context) error {
	p.mu.Lock()
	hang := p.hang
	p.mu.Unlock()
	if hang == 0 {
		return nil
	}
	select {
	case <-time.After(hang):
		return payment.ErrProviderBusy
	case <-ctx.Done():
		return ctx.Err()
	}
}

func newPlatform() *platform {
	return &platform{trades: map[string]payment.Report{}, refunds: map[string]payment.RefundReport{}, closed: map[string]bool{}}
}

func (p *platform) Create(ctx context.Context, r payment.Request) (payment.Instruction, error) {
	if err := p.dawdle(ctx); err != nil {
		return payment.Instruction{}, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fail != nil {
		return payment.Instruction{}, p.fail
	}
	p.created++
	if _, ok := p.trades[r.PaymentNo]; !ok {
		p.trades[r.PaymentNo] = payment.Report{
			State: payment.StateOpen, PaymentNo: r.PaymentNo, Amount: r.Amount,
			MerchantRef: "1900000001", AppID: "wx1",
		}
	}
	if r.Method == "h5" {
		return payment.Instruction{Kind: "redirect", URL: "https://h5.example/" + strconv.Itoa(p.created) + "?back=" + r.ReturnURL}, nil
	}
	return payment.Instruction{Kind: "qr", CodeURL: "weixin://wxpay/bizpayurl?pr=" + r.PaymentNo}, nil
}

func (p *platform) Query(ctx context.Context, no string) (payment.Report, error) {
	if err := p.wait(ctx); err != nil {
		return payment.Report{}, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fail != nil {
		return payment.Report{}, p.fail
	}
	r, ok := p.trades[no]
	if !ok {
		return payment.Report{}, payment.ErrNotFound
	}
	return r, nil
}

func (p *platform) Close(ctx context.Context, no string) error {
	if err := p.wait(ctx); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fail != nil {
		return p.fail
	}
	if p.lies {
		return payment.ErrAlreadyPaid
	}
	if r, ok := p.trades[no]; ok {
		if r.State == payment.StatePaid {
			return payment.ErrAlreadyPaid
		}
		r.State = payment.StateClosed
		p.trades[no] = r
	}
	return nil
}

func (p *platform) Refund(_ context.Context, r payment.RefundRequest) (payment.RefundReport, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fail != nil {
		return payment.RefundReport{}, p.fail
	}
	p.requests = append(p.requests, r)
	if p.refuseRefunds {
		return payment.RefundReport{}, payment.ErrRejected
	}
	report := payment.RefundReport{State: payment.RefundSucceeded, RefundNo: r.RefundNo, RefundID: "rf" + r.RefundNo, Amount: r.Amount}
	p.refunds[r.RefundNo] = report
	return report, nil
}

func (p *platform) QueryRefund(_ context.Context, _, no string) (payment.RefundReport, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.failed != nil {
		return payment.RefundReport{}, p.failed
	}
	r, ok := p.refunds[no]
	if !ok {
		return payment.RefundReport{}, payment.ErrNotFound
	}
	return r, p.fail
}

// pay makes the platform record a payment and returns its report.
func (p *platform) pay(no string) payment.Report {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.trades[no]
	r.State, r.TransactionID, r.PaidAt = payment.StatePaid, "42000"+no, time.Now()
	p.trades[no] = r
	return r
}

func (p *platform) set(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fail = err
}
