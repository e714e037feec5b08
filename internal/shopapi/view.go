package shopapi

import (
	"time"

	"panshi/internal/checkout"
	"panshi/internal/payment"
)

type orderView struct {
	OrderNo   string         `json:"order_no" example:"20260504M7KQ2Z8R4T6V0XWY" doc:"The order's number."`
	Status    string         `json:"status" enum:"pending,paid,delivered,completed,closed,refunding,refunded,held" example:"delivered" doc:"paid: something is still delivered by hand; held: a person looks into the payment."`
	Lines     []orderLine    `json:"lines" doc:"What was bought."`
	Total     int64          `json:"total" example:"4900" doc:"In minor units."`
	Currency  string         `json:"currency" example:"CNY" doc:"ISO 4217."`
	CreatedAt time.Time      `json:"created_at" example:"2026-05-04T03:02:01.000Z" doc:"When it was placed."`
	ExpiresAt time.Time      `json:"expires_at" example:"2026-05-04T03:17:01.000Z" doc:"When it closes if it is not paid."`
	PaidAt    *time.Time     `json:"paid_at,omitempty" example:"2026-05-04T03:03:10.000Z" doc:"When it was paid; missing before."`
	ClosedAt  *time.Time     `json:"closed_at,omitempty" example:"2026-05-04T03:17:02.000Z" doc:"When it was closed unpaid; missing before."`
	Payments  []orderPayment `json:"payments" doc:"Every attempt to pay, the oldest first."`
	Refunded  int64          `json:"refunded" example:"0" doc:"Given back or on its way back to the buyer, in minor units. A part leaves the order's status."`
	Refunds   []orderRefund  `json:"refunds" doc:"What goes back or went back to the buyer, the oldest first."`
}

type orderLine struct {
	LineNo    int    `json:"line_no" example:"1" doc:"From 1."`
	SKUID     string `json:"sku_id" format:"uuid" example:"0198f3a0-0000-7000-8000-000000000002" doc:"What was bought."`
	ProductID string `json:"product_id" format:"uuid" example:"0198f3a0-0000-7000-8000-000000000001" doc:"Its product."`
	Title     string `json:"title" example:"Game card 50" doc:"As the buyer read it."`
	Kind      string `json:"kind" enum:"card,text,manual" example:"card" doc:"How it is delivered."`
	Quantity  int    `json:"quantity" example:"1" doc:"How many items."`
	UnitPrice int64  `json:"unit_price" example:"4900" doc:"As sold, in minor units."`
	Amount    int64  `json:"amount" example:"4900" doc:"Quantity times unit price, in minor units."`
	Delivered int    `json:"delivered" example:"1" doc:"How many items were delivered."`
	Refunded  int    `json:"refunded" example:"0" doc:"How many items were given back by line."`
}

type orderPayment struct {
	PaymentNo   string       `json:"payment_no" maxLength:"32" example:"P20260504M7KQ2Z8R4T6V0XWY" doc:"The platform's out_trade_no: at most 32 letters and digits."`
	Status      string       `json:"status" enum:"creating,open,paid,closed,held" example:"open" doc:"open can be paid; held: it did not fit the order, a person looks into it."`
	Channel     string       `json:"channel" format:"uuid" example:"0198f3a0-0000-7000-8000-000000000004" doc:"Id of the payment channel."`
	Amount      int64        `json:"amount" example:"4900" doc:"To pay, in minor units."`
	Currency    string       `json:"currency" example:"CNY" doc:"ISO 4217."`
	Instruction *instruction `json:"instruction,omitempty" doc:"What to do to pay; only while the payment is open."`
}

type orderRefund struct {
	RefundNo string `json:"refund_no" example:"R20260504M7KQ2Z8R4T6V0XWY" doc:"The platform's out_refund_no."`
	Status   string `json:"status" enum:"requested,processing,succeeded,failed" example:"succeeded" doc:"failed: a person looks into it."`
	Amount   int64  `json:"amount" example:"4900" doc:"In minor units."`
	Currency string `json:"currency" example:"CNY" doc:"ISO 4217."`
	To       string `json:"to,omitempty" enum:"credit" example:"credit" doc:"credit: it became store credit, or went back there; missing: back the way it came."`

	CreatedAt time.Time  `json:"created_at" example:"2026-05-05T01:02:03.000Z" doc:"When it was promised."`
	DoneAt    *time.Time `json:"done_at,omitempty" example:"2026-05-05T01:02:09.000Z" doc:"When the money was back, or the platform refused it; missing before."`
}

type instruction struct {
	Kind    string            `json:"kind" enum:"qr,redirect,jsapi,text" example:"qr" doc:"qr: show code_url as a QR code. redirect: open url in the buyer's browser. jsapi: hand params to WeChat. text: show text, which says where to transfer the money. What comes back from there proves nothing: ask for the order."`
	CodeURL string            `json:"code_url,omitempty" example:"weixin://wxpay/bizpayurl?pr=abcdefg" doc:"For qr: the text of the QR code."`
	URL     string            `json:"url,omitempty" example:"https://openapi.alipay.com/gateway.do?app_id=2021000000000000" doc:"For redirect: the platform's page."`
	Params  map[string]string `json:"params,omitempty" doc:"For jsapi: what WeixinJSBridge or wx.requestPayment takes: appId, timeStamp, nonceStr, package, signType, paySign."`
	Text    string            `json:"text,omitempty" example:"Bank of Examples, account 6222 0000" doc:"For text: what the buyer reads, with the number that the transfer must name."`
}

// viewOf shows an order to its buyer: every field here is meant for them, and
// neither contact nor goods are among them.
func viewOf(v checkout.View) orderView {
	o := v.Order
	out := orderView{
		OrderNo: o.No, Status: string(o.Status), Total: o.Total.Minor, Currency: string(o.Total.Currency),
		CreatedAt: moment(o.CreatedAt), ExpiresAt: moment(o.ExpiresAt),
		PaidAt: momentOrNone(o.PaidAt), ClosedAt: momentOrNone(o.ClosedAt),
		Lines:    make([]orderLine, len(v.Lines)),
		Payments: make([]orderPayment, len(v.Payments)),
		Refunds:  make([]orderRefund, len(v.Refunds)),
		Refunded: v.Refunded.Minor,
	}
	for i, l := range v.Lines {
		out.Lines[i] = orderLine{
			LineNo: l.No, SKUID: l.SKUID.String(), ProductID: l.ProductID.String(), Title: l.Title, Kind: l.Kind,
			Quantity: l.Quantity, UnitPrice: l.UnitPrice.Minor, Amount: l.Amount.Minor, Delivered: l.Delivered, Refunded: l.Refunded,
		}
	}
	for i, p := range v.Payments {
		out.Payments[i] = paymentOf(p)
	}
	for i, r := range v.Refunds {
		out.Refunds[i] = orderRefund{
			RefundNo: r.No, Status: string(r.Status), Amount: r.Amount.Minor, Currency: string(r.Amount.Currency),
			CreatedAt: moment(r.CreatedAt), DoneAt: momentOrNone(r.DoneAt),
		}
		if !r.CreditID.IsZero() {
			out.Refunds[i].To = "credit"
		}
	}
	return out
}

func paymentOf(p payment.Payment) orderPayment {
	out := orderPayment{
		PaymentNo: p.No, Status: string(p.Status), Channel: p.AccountID.String(),
		Amount: p.Amount.Minor, Currency: string(p.Amount.Currency),
	}
	if i, ok := p.Instruction(); ok && p.Status == payment.Open {
		out.Instruction = &instruction{i.Kind, i.CodeURL, i.URL, i.Params, i.Text}
	}
	return out
}
