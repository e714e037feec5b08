package alipay

import (
	"time"

	"panshi/internal/money"
	"panshi/internal/payment"
	"panshi/internal/payment/wire"
)

// trade is a trade in the platform's words, from an answer or a notification.
type trade struct {
	no, tradeNo, status, total, paidAt string
}

// queried is the answer to alipay.trade.query.
type queried struct {
	No      string `json:"out_trade_no"`
	TradeNo string `json:"trade_no"`
	Status  string `json:"trade_status"`
	Total   string `json:"total_amount"`
	PaidAt  string `json:"send_pay_date"`
}

func (q queried) trade() trade { return trade{q.No, q.TradeNo, q.Status, q.Total, q.PaidAt} }

// refunded is the answer to alipay.trade.fastpay.refund.query.
type refunded struct {
	No       string `json:"out_trade_no"`
	TradeNo  string `json:"trade_no"`
	RefundNo string `json:"out_request_no"`
	Amount   string `json:"refund_amount"`
	State    string `json:"refund_status"`
	DoneAt   string `json:"gmt_refund_pay"`
}

func (r refunded) report() (payment.RefundReport, error) {
	if r.State != "REFUND_SUCCESS" {
		return payment.RefundReport{}, errState
	}
	if !wire.Printable(r.TradeNo, 64) {
		return payment.RefundReport{}, errMissing
	}
	fen, err := parseYuan(r.Amount)
	if err != nil || fen == 0 {
		return payment.RefundReport{}, errAmount
	}
	at, err := moment(r.DoneAt)
	if err != nil {
		return payment.RefundReport{}, err
	}
	return payment.RefundReport{
		State: payment.RefundSucceeded, RefundNo: r.RefundNo, RefundID: refundID(r.TradeNo, r.RefundNo),
		Amount: money.Of(fen, money.CNY), DoneAt: at,
	}, nil
}

// refundID names a refund, which has no number of the platform's own.
func refundID(tradeNo, refundNo string) string { return tradeNo + "-" + refundNo }

// state reads a trade's status. A trade that was paid and then wholly refunded
// is closed and has a time of payment.
func (t trade) state() (payment.State, error) {
	switch {
	case t.status == "TRADE_SUCCESS", t.status == "TRADE_FINISHED", t.status == "TRADE_CLOSED" && t.paidAt != "":
		return payment.StatePaid, nil
	case t.status == "TRADE_CLOSED":
		return payment.StateClosed, nil
	case t.status == "WAIT_BUYER_PAY":
		return payment.StateOpen, nil
	}
	return "", errState
}

// report translates. What says "paid" must be complete.
func (t trade) report(sellerID, appID string) (payment.Report, error) {
	state, err := t.state()
	if err != nil {
		return payment.Report{}, err
	}
	if !wire.Printable(t.no, maxNumber) || !wire.Printable(t.tradeNo, 64) {
		return payment.Report{}, errMissing
	}
	fen, err := parseYuan(t.total)
	if err != nil || fen == 0 && state == payment.StatePaid {
		return payment.Report{}, errAmount
	}
	at, err := moment(t.paidAt)
	if err != nil {
		return payment.Report{}, err
	}
	return payment.Report{
		State: state, PaymentNo: t.no, TransactionID: t.tradeNo, Amount: money.Of(fen, money.CNY),
		MerchantRef: sellerID, AppID: appID, PaidAt: at, GivenBack: state == payment.StatePaid && t.status == "TRADE_CLOSED",
	}, nil
}

// parseYuan reads an amount that cannot be negative, as fen.
func parseYuan(s string) (fen int64, err error) {
	amount, err := wire.ParseYuan(s)
	if err != nil || amount.Minor < 0 {
		return 0, errAmount
	}
	return amount.Minor, nil
}

// moment reads a time in Beijing's zone; "" is the zero time.
func moment(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	t, err := time.ParseInLocation(timeLayout, s, wire.Beijing())
	if err != nil {
		return time.Time{}, errTime
	}
	return t.UTC(), nil
}
