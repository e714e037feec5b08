package ledger

import (
	"panshi/internal/dataclass"
	"panshi/internal/db"
	"panshi/internal/errs"
	"panshi/internal/id"
	"panshi/internal/invariant"
	"panshi/internal/money"
)

// Accounts that every merchant has.
const (
	Sales      = "sales"
	Suspense   = "suspense"
	RefundsDue = "refunds_due"
	Fees       = "fees"           // what the platforms keep for themselves
	Goodwill   = "credit_granted" // what store credit was granted for nothing, less what was taken back
	// Adjustments is what a person decided that differs between a platform's
	// bill and the books.
	Adjustments = "adjustments"
)

// Provider names the account of the money that lies at a payment account.
func Provider(accountID id.ID) string { return "provider/" + accountID.String() }

// Leg is one side of an entry; debit is positive, credit negative.
type Leg struct {
	Account string
	Amount  money.Amount
}

// Entry is one booking. Kind and subject together happen once.
type Entry struct {
	MerchantID id.ID
	Kind       string // "payment", "suspense", "refund_due", "refund_paid", …
	SubjectID  id.ID  // the payment or refund that is booked
	Legs       []Leg
}

// Transfer is the common entry: amount moves from one account to another.
func Transfer(merchantID id.ID, kind string, subject id.ID, from, to string, amount money.Amount) Entry {
	return Entry{MerchantID: merchantID, Kind: kind, SubjectID: subject, Legs: []Leg{
		{Account: to, Amount: amount}, {Account: from, Amount: amount.Neg()},
	}}
}

// PostTx books e in the caller's transaction. An entry whose legs do not sum
// to zero is refused; the same kind of entry for the same subject is
// db.ErrUnique.
func PostTx(tx *db.Tx, e Entry) error {
	if err := e.balanced(); err != nil {
		return err
	}
	entryID := id.New()
	if _, err := tx.Exec(`INSERT INTO ledger_entries (id, merchant_id, kind, subject_id, created_at)
		VALUES ($1, $2, $3, $4, $5)`, entryID, e.MerchantID, e.Kind, e.SubjectID, db.Millis(tx.Now())); err != nil {
		return err
	}
	for i, l := range e.Legs {
		if _, err := tx.Exec(`INSERT INTO ledger_postings (entry_id, leg, merchant_id, account, amount, currency)
			VALUES ($1, $2, $3, $4, $5, $6)`, entryID, i+1, e.MerchantID, l.Account, l.Amount.Minor,
			string(l.Amount.Currency)); err != nil {
			return err
		}
	}
	return nil
}

// LegsTx reads the legs of the one entry of a kind for a subject, none if there
// is no such entry. Those of the archive it does not find.
func LegsTx(tx *db.Tx, merchantID id.ID, kind string, subject id.ID) ([]Leg, error) {
	return db.Collect(tx, func(rows db.Rows) (l Leg, err error) {
		err = rows.Scan(&l.Account, &l.Amount.Minor, &l.Amount.Currency)
		return l, err
	}, `SELECT p.account, p.amount, p.currency FROM ledger_entries e JOIN ledger_postings p ON p.entry_id = e.id
		WHERE e.merchant_id = $1 AND e.kind = $2 AND e.subject_id = $3 ORDER BY p.leg`, merchantID, kind, subject)
}

// balanced refuses an entry whose legs do not sum to zero in every currency.
func (e Entry) balanced() error {
	for _, l := range e.Legs {
		var sum int64
		for _, other := range e.Legs {
			if other.Amount.Currency == l.Amount.Currency {
				sum += other.Amount.Minor
			}
		}
		if sum != 0 {
			return errs.New(errs.Integrity, "unbalanced_entry", "a ledger entry does not sum to zero")
		}
	}
	return nil
}

// BalanceTx adds up an account's postings in one currency. Of the archive it
// reads a sum a month, of the rest every posting.
func BalanceTx(tx *db.Tx, merchantID id.ID, account string, currency money.Currency) (money.Amount, error) {
	var sum int64
	err := tx.Get([]any{&sum}, `SELECT COALESCE(SUM(amount), 0) FROM
		(SELECT amount FROM ledger_postings WHERE merchant_id = $1 AND account = $2 AND currency = $3
		UNION ALL SELECT amount FROM ledger_month_sums WHERE merchant_id = $1 AND account = $2 AND currency = $3) b`,
		merchantID, account, string(currency))
	return money.Of(sum, currency), err
}

// Invariants declares what `panshi check` verifies of the books.
func Invariants() []invariant.Invariant {
	return []invariant.Invariant{
		{
			Name: "ledger.entries_sum_to_zero", About: "the legs of every entry sum to zero in each currency",
			Query: `SELECT entry_id, currency || ' ' || SUM(amount) FROM all_ledger_postings
				GROUP BY entry_id, currency HAVING SUM(amount) <> 0`,
		},
		{
			Name: "ledger.no_empty_entry", About: "every entry has at least two legs",
			Query: `SELECT e.id, e.kind FROM ledger_entries e LEFT JOIN
				(SELECT entry_id, COUNT(*) AS legs FROM all_ledger_postings GROUP BY entry_id) p ON p.entry_id = e.id
				WHERE COALESCE(p.legs, 0) < 2`,
		},
		{
			Name: "ledger.no_orphan_posting", About: "every posting belongs to an entry of its merchant",
			Query: `SELECT p.entry_id, p.account FROM all_ledger_postings p
				LEFT JOIN ledger_entries e ON e.id = p.entry_id AND e.merchant_id = p.merchant_id
				WHERE e.id IS NULL`,
		},
		{
			Name: "ledger.live_or_archived", About: "the legs of an entry are all archived or none is",
			Query: `SELECT a.entry_id, a.account FROM archived_ledger_postings a JOIN ledger_postings p ON p.entry_id = a.entry_id`,
		},
		{
			Name: "ledger.months_add_up", About: "the kept sums of the archive are what its postings add up to",
			Query: `SELECT b.account, b.currency || ' archived ' || SUM(b.posted) || ', kept ' || SUM(b.kept) FROM
				(SELECT merchant_id, account, currency, amount AS posted, 0 AS kept FROM archived_ledger_postings
				UNION ALL SELECT merchant_id, account, currency, 0, amount FROM ledger_month_sums) b
				GROUP BY b.merchant_id, b.account, b.currency HAVING SUM(b.posted) <> SUM(b.kept)`,
		},
	}
}

// Columns declares the data classes of this package's tables.
func Columns() []dataclass.Table {
	posting := []string{"entry_id", "leg", "merchant_id", "account", "amount", "currency"}
	return []dataclass.Table{
		dataclass.Of("ledger_entries", dataclass.Trade, []string{"id", "merchant_id", "kind", "subject_id", "created_at"}),
		dataclass.Of("ledger_postings", dataclass.Trade, posting),
		dataclass.Of("archived_ledger_postings", dataclass.Trade, posting),
		dataclass.Of("ledger_month_sums", dataclass.Trade, []string{"merchant_id", "account", "currency", "month", "amount"}),
	}
}
