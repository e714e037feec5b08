package wechatpay

import (
	"errors"
	"time"

	"panshi/internal/money"
	"panshi/internal/payment"
	"panshi/internal/payment/wire"
)

// transaction is an order in the platform's words, alike in a query's answer
// and in a callback.
type transaction struct {
	AppID         string `json:"appid"`
	MchID         string `json:"mchid"`
	OutTradeNo    string `json:"out_trade_no"`
	TransactionID string `json:"transaction_id"`
	TradeState    string `json:"trade_state"`
	SuccessTime   string `json:"success_time"`
	Amount        struct {
		Total    int64  `json:"total"`
		Currency string `json:"currency"`
	} `json:"amount"`
}

// refund is a refund in the platform's words; its state has one name in an
// answer and another in a callback.
type refund struct {
	MchID        string `json:"mchid"`
	OutRefundNo  string `json:"out_refund_no"`
	RefundID     string `json:"refund_id"`
	Status       string `json:"status"`
	RefundStatus string `json:"refund_status"`
	SuccessTime  string `json:"success_time"`
	Amount       struct {
		Refund   int64  `json:"refund"`
		Currency string `json:"currency"`
	} `json:"amount"`
}

var (
	errState   = errors.New("a state that the protocol does not name")
	errMissing = errors.New("a number that must be there is missing or not printable")
	errAmount  = errors.New("an amount out of range")
	errTime    = errors.New("a time that is not RFC 3339")
)

func tradeState(s string) (payment.State, error) {
	switch s {
	case "SUCCESS", "REFUND":
		return payment.StatePaid, nil
	case "NOTPAY", "USERPAYING":
		return payment.StateOpen, nil
	case "CLOSED":
		return payment.StateClosed, nil
	case "REVOKED":
		return payment.StateReversed, nil
	case "PAYERROR":
		return payment.StateFailed, nil
	}
	return "", errState
}

func refundState(s string) (payment.RefundState, error) {
	switch s {
	case "SUCCESS":
		return payment.RefundSucceeded, nil
	case "PROCESSING":
		return payment.RefundProcessing, nil
	case "CLOSED", "ABNORMAL":
		return payment.RefundFailed, nil
	}
	return "", errState
}

// report translates. What says "paid" must be complete; an unpaid order has no
// transaction id and no time yet.
func (t transaction) report() (payment.Report, error) {
	state, err := tradeState(t.TradeState)
	if err != nil {
		return payment.Report{}, err
	}
	paid := state == payment.StatePaid
	if !wire.Printable(t.OutTradeNo, maxOutTradeNo) || !known(t.MchID, paid) || !known(t.AppID, paid) || !known(t.TransactionID, paid) {
		return payment.Report{}, errMissing
	}
	if t.Amount.Total < 0 || t.Amount.Total > maxFen || (paid && t.Amount.Total == 0) || !wire.Printable(currency(t.Amount.Currency), 16) {
		return payment.Report{}, errAmount
	}
	at, err := moment(t.SuccessTime, t.TradeState == "SUCCESS")
	if err != nil {
		return payment.Report{}, err
	}
	return payment.Report{
		State: state, PaymentNo: t.OutTradeNo, TransactionID: t.TransactionID,
		Amount:      money.Of(t.Amount.Total, money.Currency(currency(t.Amount.Currency))),
		MerchantRef: t.MchID, AppID: t.AppID, PaidAt: at, GivenBack: t.TradeState == "REFUND",
	}, nil
}

// report translates; status is the field that holds the state here.
func (r refund) report(status string) (payment.RefundReport, error) {
	state, err := refundState(status)
	if err != nil {
		return payment.RefundReport{}, err
	}
	if !wire.Printable(r.OutRefundNo, maxOutRefundNo) || !wire.Printable(r.RefundID, 64) {
		return payment.RefundReport{}, errMissing
	}
	if r.Amount.Refund <= 0 || r.Amount.Refund > maxFen || !wire.Printable(currency(r.Amount.Currency), 16) {
		return payment.RefundReport{}, errAmount
	}
	at, err := moment(r.SuccessTime, state == payment.RefundSucceeded)
	if err != nil {
		return payment.RefundReport{}, err
	}
	return payment.RefundReport{
		State: state, RefundNo: r.OutRefundNo, RefundID: r.RefundID,
		Amount: money.Of(r.Amount.Refund, money.Currency(currency(r.Amount.Currency))), DoneAt: at,
	}, nil
}

// known: printable, or absent where that is allowed.
func known(s string, must bool) bool { return wire.Printable(s, 64) || (s == "" && !must) }

// currency: the platform leaves it out where only CNY is possible.
func currency(s string) string {
	if s == "" {
		return string(money.CNY)
	}
	return s
}

func moment(s string, must bool) (time.Time, error) {
	if s == "" && !must {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return time.Time{}, errTime
	}
	return t.UTC(), nil
}
