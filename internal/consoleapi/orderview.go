package consoleapi

import (
	"time"

	"panshi/internal/audit"
	"panshi/internal/checkout"
	"panshi/internal/id"
	"panshi/internal/order"
	"panshi/internal/vault"
)

type maskedContact struct {
	Kind   string `json:"kind" enum:"email,phone" doc:"How the buyer can be reached."`
	Masked string `json:"masked" doc:"Enough to recognise it by."`
}

// OrderSummary is what lists show, embedded in the view of one order.
type OrderSummary struct {
	OrderNo     string        `json:"order_no" doc:"The order's number."`
	Status      string        `json:"status" enum:"pending,paid,delivered,completed,closed,refunding,refunded,held" doc:"paid: something is to be delivered by hand."`
	Total       int64         `json:"total" doc:"In minor units."`
	Currency    string        `json:"currency" doc:"ISO 4217."`
	Contact     maskedContact `json:"contact" doc:"Masked."`
	HoldReason  string        `json:"hold_reason,omitempty" doc:"Of a held order."`
	CreatedAt   time.Time     `json:"created_at" doc:"When it was placed."`
	ExpiresAt   time.Time     `json:"expires_at" doc:"When it closes if it is not paid."`
	PaidAt      *time.Time    `json:"paid_at,omitempty" doc:"Missing before."`
	DeliveredAt *time.Time    `json:"delivered_at,omitempty" doc:"Missing before."`
	ClosedAt    *time.Time    `json:"closed_at,omitempty" doc:"Missing before."`
}

type orderView struct {
	OrderSummary
	Refunded   int64          `json:"refunded" doc:"Given back or promised back, in minor units; what was refused does not count."`
	Refundable int64          `json:"refundable" doc:"What may still be given back, in minor units, without what lies on the hold desk."`
	Lines      []orderLine    `json:"lines" doc:"What was bought."`
	Payments   []orderPayment `json:"payments" doc:"Every attempt to pay, the oldest first."`
	Refunds    []orderRefund  `json:"refunds" doc:"What goes back or went back, the oldest first."`
	History    []AuditEvent   `json:"history" doc:"Who did what, the oldest first, at most 200."`
}

type orderLine struct {
	LineNo     int    `json:"line_no" doc:"From 1."`
	SKUID      string `json:"sku_id" doc:"What was bought."`
	Title      string `json:"title" doc:"As the buyer read it."`
	Kind       string `json:"kind" enum:"card,text,manual" doc:"How it is delivered."`
	Quantity   int    `json:"quantity" doc:"How many items."`
	UnitPrice  int64  `json:"unit_price" doc:"As sold, in minor units."`
	Amount     int64  `json:"amount" doc:"In minor units."`
	Delivered  int    `json:"delivered" doc:"How many items were delivered."`
	Refunded   int    `json:"refunded" doc:"How many items were given back by line."`
	Withdrawn  int    `json:"withdrawn" doc:"How many of those had not been made yet, and are not to be."`
	Refundable int    `json:"refundable" doc:"How many items may still be given back by line; other refunds leave less money for it."`
}

type orderPayment struct {
	PaymentNo     string     `json:"payment_no" doc:"The platform's out_trade_no."`
	Status        string     `json:"status" enum:"creating,open,paid,closed,held" doc:"held: the money did not fit."`
	Provider      string     `json:"provider" doc:"The platform."`
	Amount        int64      `json:"amount" doc:"Asked for, in minor units."`
	Received      int64      `json:"received" doc:"What the platform says it took."`
	Refunded      int64      `json:"refunded" doc:"Given back, or promised back."`
	Currency      string     `json:"currency" doc:"ISO 4217."`
	TransactionID string     `json:"transaction_id" doc:"The platform's number; nothing before."`
	SettledBy     string     `json:"settled_by" doc:"callback, query, close, approval (a confirmed transfer) or credit (store credit); nothing before."`
	PaidAt        *time.Time `json:"paid_at,omitempty" doc:"Missing before."`
}

type orderRefund struct {
	RefundNo string `json:"refund_no" doc:"The platform's out_refund_no."`
	Status   string `json:"status" enum:"requested,processing,succeeded,failed" doc:"failed: see the hold desk."`
	Amount   int64  `json:"amount" doc:"In minor units."`
	Currency string `json:"currency" doc:"ISO 4217."`
	Reason   string `json:"reason" doc:"Why."`
	CreditID string `json:"credit_id,omitempty" doc:"The account of store credit that it went to; missing: back to the platform."`

	PaymentNo string         `json:"payment_no" doc:"The payment that it is taken from."`
	ByStaff   bool           `json:"by_staff" doc:"Staff decided it, not the shop by itself; only this counts towards the limit."`
	CreatedAt time.Time      `json:"created_at" doc:"When it was promised."`
	DoneAt    *time.Time     `json:"done_at,omitempty" doc:"When it succeeded or failed; missing before."`
	Lines     []refundedLine `json:"lines" doc:"Which items it gives back; none if it is for an amount or for all."`
}

type refundedLine struct {
	LineNo   int   `json:"line_no" doc:"The order's line."`
	Quantity int   `json:"quantity" doc:"How many items."`
	Amount   int64 `json:"amount" doc:"In minor units."`
}

// AuditEvent is a record of the trail, embedded in the entries of its list.
type AuditEvent struct {
	At        time.Time         `json:"at" doc:"When."`
	ActorKind string            `json:"actor_kind" doc:"system, buyer, staff, platform or command."`
	Actor     string            `json:"actor" doc:"Who; nothing for the system and guests."`
	Action    string            `json:"action" doc:"What, dotted."`
	Detail    map[string]string `json:"detail,omitempty" doc:"Nothing secret."`
	RequestID string            `json:"request_id" doc:"In the log too."`
}

// summaryOf shows an order with its contact masked.
func (a *api) summaryOf(o order.Order) (OrderSummary, error) {
	value, err := a.deps.Vault.Unseal(vault.PII, order.ContactCell(o.ID), o.ContactSealed)
	if err != nil {
		return OrderSummary{}, err
	}
	return OrderSummary{
		OrderNo: o.No, Status: string(o.Status), Total: o.Total.Minor, Currency: string(o.Total.Currency),
		Contact: maskedOf(o.ContactKind, string(value)), HoldReason: o.HoldReason,
		CreatedAt: o.CreatedAt, ExpiresAt: o.ExpiresAt,
		PaidAt: momentOrNone(o.PaidAt), DeliveredAt: momentOrNone(o.DeliveredAt), ClosedAt: momentOrNone(o.ClosedAt),
	}, nil
}

func maskedOf(kind order.ContactKind, value string) maskedContact {
	mask := vault.MaskPhone
	if kind == order.Email {
		mask = vault.MaskEmail
	}
	return maskedContact{Kind: string(kind), Masked: mask(value)}
}

func momentOrNone(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// viewOf shows all of an order that staff may see: no card key is among it.
func (a *api) viewOf(v checkout.View, trail []audit.Record) (orderView, error) {
	summary, err := a.summaryOf(v.Order)
	out := orderView{
		OrderSummary: summary, Lines: make([]orderLine, len(v.Lines)), Payments: make([]orderPayment, len(v.Payments)),
		Refunds: refundsOf(v), Refunded: v.Refunded.Minor, Refundable: v.Refundable.Minor, History: make([]AuditEvent, len(trail)),
	}
	for i, l := range v.Lines {
		out.Lines[i] = orderLine{
			LineNo: l.No, SKUID: l.SKUID.String(), Title: l.Title, Kind: l.Kind, Quantity: l.Quantity,
			UnitPrice: l.UnitPrice.Minor, Amount: l.Amount.Minor, Delivered: l.Delivered,
			Refunded: l.Refunded, Withdrawn: l.Withdrawn, Refundable: v.RefundableItems(l),
		}
	}
	for i, p := range v.Payments {
		out.Payments[i] = orderPayment{
			PaymentNo: p.No, Status: string(p.Status), Provider: p.Provider, Amount: p.Amount.Minor, Received: p.Received,
			Refunded: p.Refunded, Currency: string(p.Amount.Currency), TransactionID: p.TransactionID,
			SettledBy: p.SettledBy, PaidAt: momentOrNone(p.PaidAt),
		}
	}
	for i, e := range trail {
		out.History[i] = eventOf(e)
	}
	return out, err
}

func eventOf(e audit.Record) AuditEvent {
	return AuditEvent{At: e.At, ActorKind: e.Actor.Kind, Actor: e.Actor.ID, Action: e.Action, Detail: e.Detail, RequestID: e.RequestID}
}

func refundsOf(v checkout.View) []orderRefund {
	payments := make(map[id.ID]string, len(v.Payments))
	for _, p := range v.Payments {
		payments[p.ID] = p.No
	}
	lines := make(map[id.ID][]refundedLine, len(v.RefundLines))
	for _, l := range v.RefundLines {
		lines[l.RefundID] = append(lines[l.RefundID], refundedLine{l.LineNo, l.Quantity, l.Amount})
	}
	out := make([]orderRefund, len(v.Refunds))
	for i, r := range v.Refunds {
		out[i] = orderRefund{
			RefundNo: r.No, Status: string(r.Status), Amount: r.Amount.Minor, Currency: string(r.Amount.Currency), Reason: r.Reason,
			CreditID: r.CreditID.String(), PaymentNo: payments[r.PaymentID], ByStaff: r.ByStaff, CreatedAt: r.CreatedAt, DoneAt: momentOrNone(r.DoneAt),
			Lines: append([]refundedLine{}, lines[r.ID]...),
		}
	}
	return out
}
