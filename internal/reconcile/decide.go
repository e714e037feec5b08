package reconcile

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"panshi/internal/audit"
	"panshi/internal/db"
	"panshi/internal/errs"
	"panshi/internal/id"
	"panshi/internal/ledger"
	"panshi/internal/money"
	"panshi/internal/payment"
)

// Decision is how a person ends a case. In all of them the bill is right.
type Decision string

// The decisions. The first two book nothing.
const (
	AcceptFee      Decision = "accept_fee"      // the fee is what the contract says
	AcceptState    Decision = "accept_state"    // both have the money, and one side's word for it is wrong
	BookPayment    Decision = "book_payment"    // money at the platform that belongs to no order
	BookRefund     Decision = "book_refund"     // given back at the platform, not by the shop
	WriteOff       Decision = "write_off"       // the money never came
	VoidRefund     Decision = "void_refund"     // the money was never given back
	BookDifference Decision = "book_difference" // the amount in the bill is right
	CorrectBooks   Decision = "correct_books"   // payment and bill agree, the books follow
)

// books tells whether a decision makes a posting.
func (d Decision) books() bool { return d != AcceptFee && d != AcceptState }

// Decisions lists what a person may decide about a case.
func (c Case) Decisions() []Decision {
	switch c.Kind {
	case Fee:
		return []Decision{AcceptFee}
	case Status:
		return []Decision{AcceptState, BookDifference}
	case Amount:
		return []Decision{BookDifference}
	case Books:
		return []Decision{CorrectBooks}
	case TheirsOnly:
		if c.LineKind == payment.BillRefund {
			return []Decision{BookRefund}
		}
		return []Decision{BookPayment}
	case OursOnly:
		if c.LineKind == payment.BillRefund {
			return []Decision{VoidRefund}
		}
		return []Decision{WriteOff}
	}
	return nil
}

// Missing is what the books gain at the platform when they follow the bill:
// negative if they have too much.
func (c Case) Missing() int64 {
	if c.Kind == Fee {
		return 0 // booked with the day
	}
	if c.LineKind == payment.BillRefund {
		return c.LedgerAmount - c.BillAmount
	}
	return c.BillAmount - c.LedgerAmount
}

// Verdict is what a person decides about a case, and why. Amount is what it
// will book at the platform, as the person was shown it (Case.Missing); 0 for
// what books nothing.
type Verdict struct {
	Decision Decision `json:"decision"`
	Amount   int64    `json:"amount"`
	Reason   string   `json:"reason"`
}

func (v Verdict) validate() error {
	if n := utf8.RuneCountInString(strings.TrimSpace(v.Reason)); n < 1 || n > 500 || !utf8.ValidString(v.Reason) || strings.ContainsRune(v.Reason, 0) {
		return errs.Field("reason", "reconcile_reason", "a reason has 1 to 500 characters")
	}
	return nil
}

// Resolve notes a decision that books nothing.
func (s *Service) Resolve(ctx context.Context, merchantID, caseID id.ID, v Verdict) error {
	if v.Decision.books() {
		return ErrDecision
	}
	return s.decide(ctx, merchantID, caseID, v)
}

// Adjust makes the books follow the bill by a posting. Above what one person may
// give back it needs an approval (approval_required; RequestAdjust asks for it).
func (s *Service) Adjust(ctx context.Context, merchantID, caseID id.ID, v Verdict) error {
	if !v.Decision.books() {
		return ErrDecision
	}
	return s.decide(ctx, merchantID, caseID, v)
}

func (s *Service) decide(ctx context.Context, merchantID, caseID id.ID, v Verdict) error {
	actor, request := audit.Origin(ctx)
	return s.db.Update(ctx, func(tx *db.Tx) error {
		if err := decideTx(tx, decider{actor: actor, request: request}, merchantID, caseID, v); err != nil || !v.Decision.books() {
			return err
		}
		return s.door.UnderLimit(tx, merchantID, max(v.Amount, -v.Amount))
	})
}

// decider is who decides, under which request, and by which approval.
type decider struct {
	actor    audit.Actor
	request  string
	approval id.ID // zero: alone
}

// decideTx has a decision's effect in the caller's transaction, so that an
// approval by a second person has it and is used up at once. A case that is not
// what v was made for is ErrCaseChanged. The day's next run, which is due at
// once, closes the day if all agrees.
func decideTx(tx *db.Tx, by decider, merchantID, caseID id.ID, v Verdict) error {
	if err := v.validate(); err != nil {
		return err
	}
	c, d, err := decidableTx(tx, merchantID, caseID, v)
	if err != nil {
		return err
	}
	if v.Decision.books() {
		if err := postTx(tx, d, &c); err != nil {
			return err
		}
	}
	c.Decision, c.ResolvedBy, c.ResolvedAt, c.Reason = v.Decision, by.name(), tx.Now(), strings.TrimSpace(v.Reason)
	if err := saveTx(tx, merchantID, c); err != nil {
		return err
	}
	if err := dueNowTx(tx, d); err != nil {
		return err
	}
	detail := c.detail(d)
	if !by.approval.IsZero() {
		detail["approval"] = by.approval.String()
	}
	return audit.RecordTx(tx, audit.Record{
		MerchantID: merchantID, Actor: by.actor, RequestID: by.request, Action: "reconcile.case_decided",
		SubjectKind: "reconcile_case", SubjectID: c.ID, Detail: detail,
	})
}

// name is what the case says of who decided.
func (by decider) name() string {
	if by.actor.ID == "" {
		return by.actor.Kind
	}
	return by.actor.ID
}

// decidableTx locks a case about which v can be decided as it stands.
func decidableTx(tx *db.Tx, merchantID, caseID id.ID, v Verdict) (c Case, d Day, err error) {
	if c, d, err = lockCaseTx(tx, merchantID, caseID); err != nil {
		return c, d, err
	}
	if err = c.fits(v); err == nil && v.Decision.books() {
		err = stillTx(tx, merchantID, c)
	}
	return c, d, err
}

// lockCaseTx reads a case that nobody has decided about, and its day, which no
// run closes meanwhile.
func lockCaseTx(tx *db.Tx, merchantID, caseID id.ID) (c Case, d Day, err error) {
	found, err := caseByIDTx(tx, merchantID, caseID)
	if err != nil {
		return c, d, err
	}
	if d, err = lockDayTx(tx, merchantID, found.DayID); err != nil {
		return c, d, err
	}
	if c, err = caseByIDTx(tx, merchantID, caseID); err != nil { // again: it waited
		return c, d, err
	}
	if d.State == Closed || !c.State().may(CaseDecided) {
		return c, d, ErrCaseUnknown
	}
	return c, d, nil
}

// fits tells whether v can be decided about the case as it stands.
func (c Case) fits(v Verdict) error {
	switch {
	case !slices.Contains(c.Decisions(), v.Decision):
		return ErrDecision
	case v.Decision.books() && v.Amount != c.Missing():
		return ErrCaseChanged
	case v.Decision == AcceptState && (c.Missing() != 0 || c.OurAmount != c.BillAmount || c.Remedy == SeeHoldDesk):
		return ErrDecision // they do not have the same, or not at the same account
	}
	return nil
}

// stillTx refuses to book what the shop itself may still book: a refund that
// the platform was asked for.
func stillTx(tx *db.Tx, merchantID id.ID, c Case) error {
	if c.Kind != Status || c.LineKind != payment.BillRefund {
		return nil
	}
	var n int64
	err := tx.Get([]any{&n}, `SELECT COUNT(*) FROM refunds WHERE refund_no = $1 AND merchant_id = $2
		AND status IN ('requested', 'processing')`, c.Number, merchantID)
	if err == nil && n > 0 {
		return ErrStillMoving
	}
	return err
}

// postTx books what a case is about as the bill has it, and takes away what the
// books have, the difference against the adjustments.
func postTx(tx *db.Tx, d Day, c *Case) error {
	bill, books := c.BillAmount, c.LedgerAmount
	if c.LineKind == payment.BillRefund {
		bill, books = -bill, -books
	}
	of := func(account string, minor int64) ledger.Leg {
		return ledger.Leg{Account: account, Amount: money.Of(minor, money.Currency(c.Currency))}
	}
	if c.account.IsZero() {
		c.account = d.AccountID
	}
	at, err := billAccountTx(tx, d, c.account)
	if err != nil {
		return err
	}
	c.posted++
	c.Adjusted = bill - books
	legs := []ledger.Leg{of(ledger.Provider(at), c.Adjusted), of(ledger.Adjustments, -c.Adjusted)}
	if at != c.account { // its money stands in the books of an account with another bill
		legs = []ledger.Leg{of(ledger.Provider(at), bill), of(ledger.Provider(c.account), -books), of(ledger.Adjustments, -c.Adjusted)}
	}
	return ledger.PostTx(tx, ledger.Entry{MerchantID: d.MerchantID, Kind: adjustment(c.posted), SubjectID: c.ID, Legs: legs})
}

// adjustment is the kind of a case's n-th posting.
func adjustment(n int64) string { return "adjustment/" + strconv.FormatInt(n, 10) }

// billAccountTx is the account whose books the bill of a day is about: the one
// that is asked for if it shares that bill, else the one that stands for all.
func billAccountTx(tx *db.Tx, d Day, accountID id.ID) (id.ID, error) {
	accounts, err := payment.AccountsTx(tx, d.MerchantID)
	if err != nil {
		return id.ID{}, err
	}
	for _, g := range grouped(accounts, money.Currency(d.Currency)) {
		if g.has(d.AccountID) && g.has(accountID) {
			return accountID, nil
		}
	}
	return d.AccountID, nil
}

// detail is what the audit record of a case says.
func (c Case) detail(d Day) map[string]string {
	return map[string]string{
		"date": d.Date, "kind": string(c.Kind), "line_kind": string(c.LineKind), "number": c.Number, "transaction_id": c.TransactionID,
		"bill_amount": strconv.FormatInt(c.BillAmount, 10), "ledger_amount": strconv.FormatInt(c.LedgerAmount, 10),
		"currency": c.Currency, "decision": string(c.Decision), "adjusted": strconv.FormatInt(c.Adjusted, 10), "reason": c.Reason,
	}
}
