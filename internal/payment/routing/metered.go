package routing

import (
	"context"

	"panshi/internal/payment"
)

// metered is a Provider whose every call goes through its account's gauge.
type metered struct {
	provider payment.Provider
	gauge    *gauge
}

// Create implements payment.Provider.
func (m metered) Create(ctx context.Context, r payment.Request) (i payment.Instruction, err error) {
	err = m.gauge.call(ctx, func() (err error) { i, err = m.provider.Create(ctx, r); return err })
	return i, err
}

// Query implements payment.Provider.
func (m metered) Query(ctx context.Context, paymentNo string) (r payment.Report, err error) {
	err = m.gauge.call(ctx, func() (err error) { r, err = m.provider.Query(ctx, paymentNo); return err })
	return r, err
}

// Close implements payment.Provider.
func (m metered) Close(ctx context.Context, paymentNo string) error {
	return m.gauge.call(ctx, func() error { return m.provider.Close(ctx, paymentNo) })
}

// Refund implements payment.Provider.
func (m metered) Refund(ctx context.Context, r payment.RefundRequest) (report payment.RefundReport, err error) {
	err = m.gauge.call(ctx, func() (err error) { report, err = m.provider.Refund(ctx, r); return err })
	return report, err
}

// QueryRefund implements payment.Provider.
func (m metered) QueryRefund(ctx context.Context, paymentNo, refundNo string) (report payment.RefundReport, err error) {
	err = m.gauge.call(ctx, func() (err error) { report, err = m.provider.QueryRefund(ctx, paymentNo, refundNo); return err })
	return report, err
}
