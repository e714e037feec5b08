package routing

import (
	"context"
	"time"

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

// billing is a metered Provider whose platform makes bills. They have a gauge
// of their own: a slow bill takes no turn of a payment, and a bill that fails
// says nothing about payments.
type billing struct {
	metered
	biller payment.Biller
	bills  *gauge
}

// Bill implements payment.Biller.
func (b billing) Bill(ctx context.Context, date time.Time) (bill payment.Bill, err error) {
	err = b.bills.call(ctx, func() (err error) { bill, err = b.biller.Bill(ctx, date); return err })
	return bill, err
}
