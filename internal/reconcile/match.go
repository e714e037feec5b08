package reconcile

import (
	"slices"

	"panshi/internal/db"
	"panshi/internal/id"
	"panshi/internal/payment"
)

// pageLines is how many lines are compared at a time: each may make two cases
// in one transaction.
const pageLines = 240

// pair is a line of the bill with what the shop has of it. Ours is zero if the
// shop has nothing.
type pair struct {
	kind          payment.BillKind
	paymentNo     string
	transactionID string
	refundNo      string
	amount, fee   int64
	word          string // the platform's state

	account  id.ID // of our payment
	known    bool  // the payment or the refund is in the shop
	owner    id.ID // of the transaction or refund: the payment
	payment  id.ID // that has the number
	ours     int64
	currency string
	done     bool // our side says that the money moved
	ledger   int64
}

// number is what names the pair for a person.
func (p pair) number() string {
	if p.kind == payment.BillRefund {
		return p.refundNo
	}
	return p.paymentNo
}

// signed is what an amount of the pair means at the platform.
func (p pair) signed(amount int64) int64 {
	if p.kind == payment.BillRefund {
		return -amount
	}
	return amount
}

// key is where a page of one kind goes on.
type key struct{ transactionID, refundNo string }

// booked is what the entries of one transaction (of its payment o) or refund
// moved at the platform, live or archived.
const (
	bookedLive = `COALESCE((SELECT SUM(b.amount) FROM ledger_entries e JOIN ledger_postings b ON b.entry_id = e.id
		WHERE b.account >= 'provider/' AND b.account < 'provider0' AND `
	bookedOld = `COALESCE((SELECT SUM(b.amount) FROM ledger_entries e JOIN archived_ledger_postings b ON b.entry_id = e.id
		WHERE b.account >= 'provider/' AND b.account < 'provider0' AND `
	ofTransaction = `e.subject_id = o.id AND (e.kind = 'suspense/' || t.transaction_id
		OR (e.kind = 'payment' AND o.transaction_id = t.transaction_id))), 0)`
	ofRefund = `e.subject_id = r.id AND e.kind = 'refund_paid'), 0)`
)

// paymentsTx reads a page of the bill's payments behind after.
func paymentsTx(tx *db.Tx, d Day, after key) ([]pair, error) {
	return db.Collect(tx, func(rows db.Rows) (pair, error) {
		p := pair{kind: payment.BillPayment}
		var account, owner, paymentID id.ID
		var has int64
		err := rows.Scan(&p.paymentNo, &p.transactionID, &p.refundNo, &p.amount, &p.fee, &p.word,
			&account, &paymentID, &has, &owner, &p.ours, &p.currency, &p.ledger)
		p.account, p.payment, p.owner = account, paymentID, owner
		p.known, p.done = has == 1, has == 1
		return p, err
	}, `SELECT l.payment_no, l.transaction_id, l.refund_no, l.amount, l.fee, l.state, p.account_id, p.id,
		CASE WHEN t.transaction_id IS NULL THEN 0 ELSE 1 END, t.payment_id, COALESCE(t.amount, 0), COALESCE(t.currency, ''),
		`+bookedLive+ofTransaction+` + `+bookedOld+ofTransaction+`
		FROM reconcile_lines l LEFT JOIN payments p ON p.payment_no = l.payment_no AND p.merchant_id = l.merchant_id
		LEFT JOIN payment_transactions t ON t.provider = p.provider AND t.account_id = p.account_id
			AND t.transaction_id = l.transaction_id
		LEFT JOIN payments o ON o.id = t.payment_id
		WHERE l.merchant_id = $1 AND l.day_id = $2 AND l.kind = 'payment' AND (l.transaction_id, l.refund_no) > ($3, $4)
		ORDER BY l.transaction_id, l.refund_no LIMIT $5`, d.MerchantID, d.ID, after.transactionID, after.refundNo, pageLines)
}

// refundsTx reads a page of the bill's refunds behind after.
func refundsTx(tx *db.Tx, d Day, after key) ([]pair, error) {
	return db.Collect(tx, func(rows db.Rows) (pair, error) {
		p := pair{kind: payment.BillRefund}
		var status string
		err := rows.Scan(&p.paymentNo, &p.transactionID, &p.refundNo, &p.amount, &p.fee, &p.word,
			&p.account, &p.payment, &p.owner, &p.ours, &p.currency, &status, &p.ledger)
		p.known, p.done, p.ledger = status != "", status == string(payment.RefundDone), -p.ledger
		return p, err
	}, `SELECT l.payment_no, l.transaction_id, l.refund_no, l.amount, l.fee, l.state, p.account_id, p.id, r.payment_id,
		COALESCE(r.amount, 0), COALESCE(r.currency, ''), COALESCE(r.status, ''),
		`+bookedLive+ofRefund+` + `+bookedOld+ofRefund+`
		FROM reconcile_lines l LEFT JOIN payments p ON p.payment_no = l.payment_no AND p.merchant_id = l.merchant_id
		LEFT JOIN refunds r ON r.refund_no = l.refund_no AND r.merchant_id = l.merchant_id
		WHERE l.merchant_id = $1 AND l.day_id = $2 AND l.kind = 'refund' AND (l.transaction_id, l.refund_no) > ($3, $4)
		ORDER BY l.transaction_id, l.refund_no LIMIT $5`, d.MerchantID, d.ID, after.transactionID, after.refundNo, pageLines)
}

// unfinished are the platforms' words for refunds whose money has not moved.
func unfinished(word string) bool {
	return slices.Contains([]string{"PROCESSING", "FAIL", "CHANGE", "ABNORMAL", "CLOSED"}, word)
}

// verdict tells what does not agree about a pair; "" if all does. Fees are
// judged apart.
func (p pair) verdict(g group, currency string) (Kind, Remedy) {
	switch {
	case !p.known && p.kind == payment.BillRefund:
		return TheirsOnly, RecordRefund
	case !p.known && p.account.IsZero():
		return TheirsOnly, CheckPlatform
	case !p.known:
		return TheirsOnly, AskAgain
	case p.owner != p.payment, !g.has(p.account):
		return Status, SeeHoldDesk
	case p.ours != p.amount || p.currency != currency:
		return Amount, CheckAmount
	case p.kind == payment.BillRefund && (!p.done || unfinished(p.word)):
		return Status, AwaitRefund
	case p.ledger != p.ours:
		return Books, CheckLedger
	}
	return "", ""
}

// maxFee is what a platform may keep of an amount at most, in 1/10,000: twice
// the 0.6 % of most contracts. More, a negative fee of a payment, or a refund
// that brings back more than it could have cost is a case.
const maxFee = 120

func (p pair) feeFits() bool {
	fee := p.fee
	if p.kind == payment.BillRefund {
		fee = -fee
	}
	return fee >= 0 && fee <= (p.amount*maxFee+9999)/10000
}

// caseOf makes a case of a pair.
func (p pair) caseOf(k Kind, r Remedy) Case {
	c := Case{
		Kind: k, Remedy: r, LineKind: p.kind, TransactionID: p.transactionID, Number: p.number(),
		BillAmount: p.amount, OurAmount: p.ours, LedgerAmount: p.ledger, account: p.account,
	}
	switch {
	case k == Fee:
		c.BillAmount, c.OurAmount, c.LedgerAmount = p.fee, 0, 0
	case k == Books:
		c.OurAmount = p.ledger
	case k == Status && !p.done:
		c.OurAmount = 0
	}
	return c
}
