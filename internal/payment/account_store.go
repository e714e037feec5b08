package payment

import (
	"errors"

	"panshi/internal/db"
	"panshi/internal/id"
	"panshi/internal/money"
)

const accountColumns = `id, merchant_id, provider, method, external_ref, app_ref, sandbox, name, name_en, status,
	position, version, min_amount, max_amount, day_amount, day_count, currency, clients, hours, weight`

func scanAccount(rows db.Rows) (Account, error) {
	var a Account
	var status string
	var sandbox int64
	var currency string
	l := &a.Limits
	err := rows.Scan(&a.ID, &a.MerchantID, &a.Provider, &a.Method, &a.ExternalRef, &a.AppRef, &sandbox, &a.Name, &a.NameEN,
		&status, &a.Position, &a.Version, &l.MinAmount, &l.MaxAmount, &l.DayAmount, &l.DayCount, &currency, &l.Clients, &l.Hours, &l.Weight)
	l.Currency = money.Currency(currency)
	a.On, a.Sandbox = status == "on", sandbox == 1
	return a, err
}

// AccountsTx returns all accounts of a merchant, those that are off too.
func AccountsTx(tx *db.Tx, merchantID id.ID) ([]Account, error) {
	return db.Collect(tx, scanAccount, `SELECT `+accountColumns+` FROM payment_accounts
		WHERE merchant_id = $1 ORDER BY position, id`, merchantID)
}

// accountsAfterTx gives the ids of the accounts of all merchants that follow an
// id, in order.
func accountsAfterTx(tx *db.Tx, last id.ID, limit int) ([]id.ID, error) {
	return db.Collect(tx, func(rows db.Rows) (accountID id.ID, err error) {
		err = rows.Scan(&accountID)
		return accountID, err
	}, `SELECT id FROM payment_accounts WHERE id > $1 ORDER BY id LIMIT $2`, last[:], limit) // bytes: the zero id would be NULL
}

// AccountByIDTx reads an account of any merchant; ErrNoAccount if there is none.
func AccountByIDTx(tx *db.Tx, accountID id.ID) (Account, error) {
	found, err := db.Collect(tx, scanAccount, `SELECT `+accountColumns+` FROM payment_accounts WHERE id = $1`, accountID)
	if err != nil {
		return Account{}, err
	}
	if len(found) == 0 {
		return Account{}, ErrNoAccount
	}
	return found[0], nil
}

// sealedAccountTx reads an account with its configuration.
func sealedAccountTx(tx *db.Tx, accountID id.ID) (acc Account, sealed []byte, err error) {
	if acc, err = AccountByIDTx(tx, accountID); err != nil {
		return Account{}, nil, err
	}
	err = tx.Get([]any{&sealed}, `SELECT config_sealed FROM payment_accounts WHERE id = $1`, accountID)
	return acc, sealed, err
}

// AccountTx reads a merchant's account, without its secrets.
func AccountTx(tx *db.Tx, merchantID, accountID id.ID) (Account, error) {
	acc, err := AccountByIDTx(tx, accountID)
	if errors.Is(err, ErrNoAccount) || (err == nil && acc.MerchantID != merchantID) {
		return Account{}, ErrAccountUnknown
	}
	return acc, err
}

// accountKeyTx finds the id and version that an account is to be stored under.
func accountKeyTx(tx *db.Tx, a Account) (accountID id.ID, version int64, err error) {
	err = tx.Get([]any{&accountID, &version}, `SELECT id, version FROM payment_accounts
		WHERE merchant_id = $1 AND provider = $2 AND external_ref = $3 AND method = $4`,
		a.MerchantID, a.Provider, a.ExternalRef, a.Method)
	if errors.Is(err, db.ErrNoRows) {
		return id.New(), 1, nil
	}
	return accountID, version + 1, err
}

func putAccountTx(tx *db.Tx, a Account, sealed []byte) error {
	status := "off"
	if a.On {
		status = "on"
	}
	_, err := tx.Exec(`INSERT INTO payment_accounts (id, merchant_id, provider, method, external_ref, app_ref, sandbox,
		name, name_en, config_sealed, status, position, version, created_at, updated_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
		ON CONFLICT (merchant_id, provider, external_ref, method) DO UPDATE SET app_ref = excluded.app_ref, name = excluded.name,
		name_en = excluded.name_en, config_sealed = excluded.config_sealed, status = excluded.status,
		position = excluded.position, version = excluded.version, updated_at = excluded.updated_at`,
		a.ID, a.MerchantID, a.Provider, a.Method, a.ExternalRef, a.AppRef, bit(a.Sandbox), a.Name, a.NameEN, sealed, status, a.Position,
		a.Version, db.Millis(tx.Now()), db.Millis(tx.Now()))
	return err
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}
