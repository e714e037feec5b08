package account

import (
	"panshi/internal/db"
	"panshi/internal/id"
	"panshi/internal/ledger"
	"panshi/internal/money"
)

const columns = `id, merchant_id, number, contact_kind, contact_sealed, contact_index, balance, currency, state, code_version, created_at`

func scan(rows db.Rows) (Credit, error) {
	var c Credit
	var currency, state string
	var created db.Time
	err := rows.Scan(&c.ID, &c.MerchantID, &c.Number, &c.ContactKind, &c.ContactSealed, &c.ContactIndex, &c.Balance.Minor,
		&currency, &state, &c.CodeVersion, &created)
	c.Balance.Currency, c.State, c.CreatedAt = money.Currency(currency), State(state), created.Time
	return c, err
}

func one(found []Credit, err error) (Credit, error) {
	if err == nil && len(found) == 0 {
		err = ErrUnknown
	}
	if err != nil {
		return Credit{}, err
	}
	return found[0], nil
}

// OpenTx writes a new account with a number of its own. Its id is the caller's,
// since the contact is sealed for it; its balance is zero.
func OpenTx(tx *db.Tx, c Credit) (Credit, error) {
	c.Number, c.State, c.CodeVersion, c.CreatedAt, c.Balance.Minor = id.Short("C"), Open, 1, tx.Now(), 0
	_, err := tx.Exec(`INSERT INTO credit_accounts (id, merchant_id, number, contact_kind, contact_sealed, contact_index,
		currency, state, code_version, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		c.ID, c.MerchantID, c.Number, c.ContactKind, c.ContactSealed, c.ContactIndex, string(c.Balance.Currency),
		string(c.State), c.CodeVersion, db.Millis(c.CreatedAt))
	return c, err
}

// ByIDTx reads an account.
func ByIDTx(tx *db.Tx, merchantID, creditID id.ID) (Credit, error) {
	return one(db.Collect(tx, scan, `SELECT `+columns+` FROM credit_accounts WHERE id = $1 AND merchant_id = $2`, creditID, merchantID))
}

// ByNumberTx reads the account with a number.
func ByNumberTx(tx *db.Tx, merchantID id.ID, number string) (Credit, error) {
	return one(db.Collect(tx, scan, `SELECT `+columns+` FROM credit_accounts WHERE merchant_id = $1 AND number = $2`, merchantID, number))
}

// OfContactTx lists the accounts of a contact, the newest first, at most 100.
func OfContactTx(tx *db.Tx, merchantID id.ID, contactIndex []byte) ([]Credit, error) {
	return db.Collect(tx, scan, `SELECT `+columns+` FROM credit_accounts
		WHERE merchant_id = $1 AND contact_index = $2 ORDER BY id DESC LIMIT 100`, merchantID, contactIndex)
}

// ListTx lists a merchant's accounts, the newest first; before is the last id of
// the page before, zero for the first page.
func ListTx(tx *db.Tx, merchantID, before id.ID, limit int) ([]Credit, error) {
	return db.Collect(tx, scan, `SELECT `+columns+` FROM credit_accounts
		WHERE merchant_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3`, merchantID, below(before), limit)
}

// below is an id as an upper end; for the zero id one that is above all.
func below(before id.ID) []byte {
	if before.IsZero() {
		for i := range before {
			before[i] = 0xff
		}
	}
	return before[:]
}

// OfSubjectTx reads the account that a kind of movement moved for a subject: a
// payment was spent from it, a grant went to it.
func OfSubjectTx(tx *db.Tx, merchantID id.ID, k Kind, subject id.ID) (Credit, error) {
	return one(db.Collect(tx, scan, `SELECT `+columns+` FROM credit_accounts WHERE merchant_id = $1 AND id =
		(SELECT credit_id FROM credit_movements WHERE kind = $2 AND subject_id = $3)`, merchantID, string(k), subject))
}

// SetStateTx moves an account to another state; closing needs a balance of zero.
func SetStateTx(tx *db.Tx, c Credit, to State) error {
	if !CanMove(c.State, to) {
		return ErrState
	}
	changed, err := tx.Exec(`UPDATE credit_accounts SET state = $1 WHERE id = $2 AND merchant_id = $3 AND state = $4
		AND (balance = 0 OR $5 <> 'closed')`, string(to), c.ID, c.MerchantID, string(c.State), string(to))
	if err == nil && changed != 1 {
		err = ErrState
	}
	return err
}

// RenewCodeTx makes the codes that were given out open nothing, and gives the
// account with the version of the next one.
func RenewCodeTx(tx *db.Tx, c Credit) (Credit, error) {
	if _, err := tx.Exec(`UPDATE credit_accounts SET code_version = code_version + 1 WHERE id = $1 AND merchant_id = $2`,
		c.ID, c.MerchantID); err != nil {
		return c, err
	}
	return ByIDTx(tx, c.MerchantID, c.ID)
}

// Change is what MoveTx does to a balance.
type Change struct {
	Kind       Kind
	Minor      int64 // below zero: goes out
	SubjectID  id.ID
	Against    string // the ledger's account on the other side
	OrderNo    string
	ApprovalID id.ID
}

// booking names the entry of the ledger by which a kind is booked: paying and
// giving back are booked as they are at a platform.
func (k Kind) booking() string {
	switch k {
	case Spent:
		return "payment"
	case Returned:
		return "refund_paid"
	case Granted, TakenBack:
	}
	return "credit_" + string(k)
}

// MoveTx changes a balance, writes the movement and books it. Nothing is left of
// it if the state does not allow the kind (ErrState) or the balance would be
// below zero (ErrInsufficient). A kind happens once to a subject: db.ErrUnique.
func MoveTx(tx *db.Tx, c Credit, ch Change) (Movement, error) {
	states := takes(ch.Kind)
	changed, err := tx.Exec(`UPDATE credit_accounts SET balance = balance + $1 WHERE id = $2 AND merchant_id = $3
		AND balance + $4 >= 0 AND balance + $5 <= $6 AND state IN ($7, $8, $9)`, ch.Minor, c.ID, c.MerchantID, ch.Minor, ch.Minor,
		int64(MaxBalance), string(states[0]), string(states[1]), string(states[2]))
	if err != nil {
		return Movement{}, err
	}
	if c, err = ByIDTx(tx, c.MerchantID, c.ID); err != nil {
		return Movement{}, err
	}
	if changed != 1 {
		return Movement{}, refusal(c, ch)
	}
	m := Movement{
		ID: id.New(), CreditID: c.ID, Kind: ch.Kind, Amount: money.Of(ch.Minor, c.Balance.Currency), Balance: c.Balance,
		SubjectID: ch.SubjectID, OrderNo: ch.OrderNo, ApprovalID: ch.ApprovalID, At: tx.Now(),
	}
	if err := insertTx(tx, c.MerchantID, m); err != nil {
		return Movement{}, err
	}
	return m, ledger.PostTx(tx, ledger.Transfer(c.MerchantID, ch.Kind.booking(), ch.SubjectID, c.Book(), ch.Against, m.Amount))
}

// refusal says why a balance was not changed.
func refusal(c Credit, ch Change) error {
	after := money.Of(c.Balance.Minor+ch.Minor, c.Balance.Currency)
	states := takes(ch.Kind)
	switch {
	case c.State != states[0] && c.State != states[1] && c.State != states[2]:
		return ErrState
	case after.Minor < 0:
		return Insufficient(after.Neg())
	}
	return ErrTooMuch
}

func insertTx(tx *db.Tx, merchantID id.ID, m Movement) error {
	_, err := tx.Exec(`INSERT INTO credit_movements (id, merchant_id, credit_id, kind, amount, currency, balance, subject_id,
		order_no, approval_id, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
		m.ID, merchantID, m.CreditID, string(m.Kind), m.Amount.Minor, string(m.Amount.Currency), m.Balance.Minor, m.SubjectID,
		m.OrderNo, m.ApprovalID, db.Millis(m.At))
	return err
}

const movementColumns = `id, credit_id, kind, amount, balance, currency, subject_id, order_no, approval_id, created_at`

func scanMovement(rows db.Rows) (Movement, error) {
	var m Movement
	var kind, currency string
	var at db.Time
	err := rows.Scan(&m.ID, &m.CreditID, &kind, &m.Amount.Minor, &m.Balance.Minor, &currency, &m.SubjectID, &m.OrderNo, &m.ApprovalID, &at)
	m.Kind, m.At = Kind(kind), at.Time
	m.Amount.Currency, m.Balance.Currency = money.Currency(currency), money.Currency(currency)
	return m, err
}

// MovementsTx lists an account's movements, the newest first; before is the last
// id of the page before, zero for the first page.
func MovementsTx(tx *db.Tx, c Credit, before id.ID, limit int) ([]Movement, error) {
	return db.Collect(tx, scanMovement, `SELECT `+movementColumns+` FROM credit_movements
		WHERE credit_id = $1 AND id < $2 AND merchant_id = $3 ORDER BY id DESC LIMIT $4`, c.ID, below(before), c.MerchantID, limit)
}

// GrantedAloneTx adds up what single persons of a merchant granted in a currency
// since an id was made.
func GrantedAloneTx(tx *db.Tx, merchantID, since id.ID, currency money.Currency) (sum int64, err error) {
	err = tx.Get([]any{&sum}, `SELECT COALESCE(SUM(amount), 0) FROM credit_movements
		WHERE merchant_id = $1 AND id >= $2 AND kind = 'granted' AND approval_id IS NULL AND currency = $3`,
		merchantID, since, string(currency))
	return sum, err
}
