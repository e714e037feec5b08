package cache

import (
	"time"

	"panshi/internal/dataclass"
	"panshi/internal/db"
	"panshi/internal/id"
)

// The topics of messages.
const (
	topicMoved    = "catalog" // a version rose; the text is the merchant's id
	topicSupplies = "supply"  // how much is left changed, and the version did not rise; the text is the merchant's id
)

// RippleEvery is how often changes of what is left may raise a merchant's
// version, other than sold out and restock.
const RippleEvery = time.Second

// BumpTx raises a merchant's version: call it in each transaction that changes
// what pages and lists show of the merchant. Repeats in one transaction do no
// harm. It never waits for another transaction and makes none wait: on
// PostgreSQL it raises a row of the merchant's that nobody holds, or adds one,
// of which there are as many as bumps ever ran at once. So it takes part in no
// deadlock and may stand anywhere in the transaction.
func BumpTx(tx *db.Tx, merchantID id.ID) error {
	raised, err := tx.Exec(bump(tx.Engine()), db.Millis(tx.Now()), merchantID, merchantID)
	if err == nil && raised == 0 {
		_, err = tx.Exec(`INSERT INTO catalog_versions (merchant_id, slot, version, changed_at) VALUES ($1, $2, 1, $3)`,
			merchantID, id.New(), db.Millis(tx.Now()))
	}
	if err != nil {
		return err
	}
	tx.Tell(topicMoved, merchantID.String())
	return nil
}

func bump(engine db.Engine) string {
	if engine == db.Postgres {
		return bumpPostgres
	}
	return bumpSQLite
}

const bumpPostgres = `UPDATE catalog_versions SET version = version + 1, changed_at = $1
	WHERE merchant_id = $2 AND slot =
	(SELECT slot FROM catalog_versions WHERE merchant_id = $3 ORDER BY slot LIMIT 1 FOR UPDATE SKIP LOCKED)`

const bumpSQLite = `UPDATE catalog_versions SET version = version + 1, changed_at = $1
	WHERE merchant_id = $2 AND slot =
	(SELECT slot FROM catalog_versions WHERE merchant_id = $3 ORDER BY slot LIMIT 1)`

// SupplyTx notes that a transaction changed how many items of a merchant are
// left. Crossed tells that a SKU sold out or came back, which raises the
// version here and now; else Versions raises it after the commit, at most once
// in RippleEvery, so that a rush of orders writes nothing for it.
func SupplyTx(tx *db.Tx, merchantID id.ID, crossed bool) error {
	if crossed {
		return BumpTx(tx, merchantID)
	}
	tx.TellHere(topicSupplies, merchantID.String())
	return nil
}

// rippleTx raises the version of a merchant unless that happened within
// RippleEvery. A row from the future, which a clock that was set back leaves,
// does not count.
func rippleTx(tx *db.Tx, merchantID id.ID) (raised bool, err error) {
	var recent int64
	now := tx.Now()
	err = tx.Get([]any{&recent}, `SELECT COUNT(*) FROM catalog_versions
		WHERE merchant_id = $1 AND changed_at > $2 AND changed_at <= $3`,
		merchantID, db.Millis(now.Add(-RippleEvery)), db.Millis(now.Add(RippleEvery)))
	if err != nil || recent > 0 {
		return false, err
	}
	return true, BumpTx(tx, merchantID)
}

// version is how far one merchant is.
type version struct {
	merchant id.ID
	number   int64
}

func allVersionsTx(tx *db.Tx) ([]version, error) {
	return db.Collect(tx, func(rows db.Rows) (version, error) {
		var v version
		err := rows.Scan(&v.merchant, &v.number)
		return v, err
	}, `SELECT merchant_id, CAST(SUM(version) AS BIGINT) FROM catalog_versions GROUP BY merchant_id`)
}

// Columns declares the data classes of this package's table.
func Columns() []dataclass.Table {
	return []dataclass.Table{dataclass.Of("catalog_versions", dataclass.Public, []string{
		"merchant_id", "slot", "version", "changed_at",
	})}
}
