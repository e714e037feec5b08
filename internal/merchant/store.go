package merchant

import (
	"errors"
	"strings"

	"panshi/internal/cache"
	"panshi/internal/db"
	"panshi/internal/errs"
	"panshi/internal/id"
	"panshi/internal/money"
)

const columns = `id, slug, host, is_default, name, name_en, tagline, tagline_en,
	notice, notice_en, currency, status, created_at, updated_at`

func scan(rows db.Rows) (Merchant, error) {
	var m Merchant
	var isDefault int64
	var currency, status string
	var created, updated db.Time
	err := rows.Scan(&m.ID, &m.Slug, &m.Host, &isDefault, &m.Name, &m.NameEN, &m.Tagline, &m.TaglineEN,
		&m.Notice, &m.NoticeEN, &currency, &status, &created, &updated)
	m.IsDefault, m.Open = isDefault == 1, status == "open"
	m.Currency = money.Currency(currency)
	m.CreatedAt, m.UpdatedAt = created.Time, updated.Time
	return m, err
}

func statusText(open bool) string {
	if open {
		return "open"
	}
	return "closed"
}

// AloneTx lets one transaction at a time change merchants, until it ends. Who
// decides by what it read of them calls it before the read; PutTx calls it
// itself.
func AloneTx(tx *db.Tx) error { return tx.Alone("merchants") }

// PutTx inserts a merchant or updates the one with the same slug, and returns
// it with its id.
func PutTx(tx *db.Tx, m Merchant) (Merchant, error) {
	m.Host = strings.ToLower(m.Host)
	if err := m.Validate(); err != nil {
		return Merchant{}, err
	}
	if err := AloneTx(tx); err != nil {
		return Merchant{}, err
	}
	if err := checkHostTx(tx, m); err != nil {
		return Merchant{}, err
	}
	old, err := bySlugTx(tx, m.Slug)
	switch {
	case errors.Is(err, ErrNotFound):
		return insertTx(tx, m)
	case err != nil:
		return Merchant{}, err
	}
	m.ID, m.CreatedAt, m.UpdatedAt = old.ID, old.CreatedAt, tx.Now()
	_, err = tx.Exec(`UPDATE merchants SET host = $1, name = $2, name_en = $3, tagline = $4, tagline_en = $5,
		notice = $6, notice_en = $7, status = $8, updated_at = $9 WHERE id = $10`,
		m.Host, m.Name, m.NameEN, m.Tagline, m.TaglineEN, m.Notice, m.NoticeEN, statusText(m.Open),
		db.Millis(m.UpdatedAt), m.ID)
	if err != nil {
		return Merchant{}, err
	}
	return m, cache.BumpTx(tx, m.ID)
}

func checkHostTx(tx *db.Tx, m Merchant) error {
	var others int64
	err := tx.Get([]any{&others}, `SELECT COUNT(*) FROM merchants WHERE host = $1 AND host <> '' AND slug <> $2`, m.Host, m.Slug)
	if err == nil && others > 0 {
		return errs.Field("host", "host_taken", "another shop has this host name")
	}
	return err
}

func insertTx(tx *db.Tx, m Merchant) (Merchant, error) {
	all, err := AllTx(tx)
	if err != nil {
		return Merchant{}, err
	}
	m.ID, m.IsDefault = id.New(), len(all) == 0
	m.CreatedAt, m.UpdatedAt = tx.Now(), tx.Now()
	isDefault := 0
	if m.IsDefault {
		isDefault = 1
	}
	_, err = tx.Exec(`INSERT INTO merchants (`+columns+`)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)`,
		m.ID, m.Slug, m.Host, isDefault, m.Name, m.NameEN, m.Tagline, m.TaglineEN,
		m.Notice, m.NoticeEN, string(m.Currency), statusText(m.Open),
		db.Millis(m.CreatedAt), db.Millis(m.UpdatedAt))
	if err != nil {
		return Merchant{}, err
	}
	return m, cache.BumpTx(tx, m.ID)
}

func bySlugTx(tx *db.Tx, slug string) (Merchant, error) {
	found, err := db.Collect(tx, scan, `SELECT `+columns+` FROM merchants WHERE slug = $1`, slug)
	if err != nil {
		return Merchant{}, err
	}
	if len(found) == 0 {
		return Merchant{}, ErrNotFound
	}
	return found[0], nil
}

// AllTx returns all merchants, the default one first.
func AllTx(tx *db.Tx) ([]Merchant, error) {
	return db.Collect(tx, scan, `SELECT `+columns+` FROM merchants ORDER BY is_default DESC, id`)
}

// CurrencyTx reads what currency a merchant sells in.
func CurrencyTx(tx *db.Tx, merchantID id.ID) (money.Currency, error) {
	var currency string
	err := tx.Get([]any{&currency}, `SELECT currency FROM merchants WHERE id = $1`, merchantID)
	if errors.Is(err, db.ErrNoRows) {
		err = ErrNotFound
	}
	return money.Currency(currency), err
}
