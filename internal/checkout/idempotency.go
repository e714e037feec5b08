package checkout

import (
	"bytes"
	"errors"
	"time"

	"panshi/internal/db"
	"panshi/internal/errs"
	"panshi/internal/id"
)

// keyLife is how long an idempotency key is kept at least.
const keyLife = 24 * time.Hour

// errKeyReused says that a key came with another request.
var errKeyReused = errs.New(errs.Conflict, "idempotency_conflict",
	"this Idempotency-Key was used with another request")

// idempotency is one use of a key.
type idempotency struct {
	merchantID id.ID
	scope      string
	key        string
	digest     []byte
}

// checkKey refuses keys that cannot be stored.
func checkKey(key string) error {
	switch {
	case key == "":
		return errs.Field("Idempotency-Key", "idempotency_key_missing", "the header Idempotency-Key is needed")
	case len(key) > 128:
		return errs.Field("Idempotency-Key", "idempotency_key_invalid", "an Idempotency-Key has 1 to 128 characters")
	}
	for _, c := range []byte(key) {
		if c < 0x21 || c > 0x7e {
			return errs.Field("Idempotency-Key", "idempotency_key_invalid", "an Idempotency-Key is visible ASCII")
		}
	}
	return nil
}

// claimTx takes the key for subject. If the key was used for the same request
// before it returns the earlier subject and fresh = false; if for another
// request, errKeyReused.
func (k idempotency) claimTx(tx *db.Tx, subject id.ID) (owner id.ID, fresh bool, err error) {
	digest := append([]byte{}, k.digest...) // an empty digest is stored as such, not as NULL
	inserted, err := tx.Exec(`INSERT INTO idempotency_keys (merchant_id, scope, key, body_digest, subject_id, expires_at)
		VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (merchant_id, scope, key) DO NOTHING`,
		k.merchantID, k.scope, k.key, digest, subject, db.Millis(tx.Now().Add(keyLife)))
	if err != nil || inserted == 1 {
		return subject, true, err
	}
	owner, _, err = k.findTx(tx)
	return owner, false, err
}

// findTx looks a key up without taking it.
func (k idempotency) findTx(tx *db.Tx) (owner id.ID, found bool, err error) {
	var digest []byte
	err = tx.Get([]any{&digest, &owner}, `SELECT body_digest, subject_id FROM idempotency_keys
		WHERE merchant_id = $1 AND scope = $2 AND key = $3`, k.merchantID, k.scope, k.key)
	switch {
	case errors.Is(err, db.ErrNoRows):
		return id.ID{}, false, nil
	case err != nil:
		return id.ID{}, false, err
	case !bytes.Equal(digest, k.digest):
		return id.ID{}, false, errKeyReused
	}
	return owner, true, nil
}

// purgeKeysTx forgets keys whose time is over.
func purgeKeysTx(tx *db.Tx) (more bool, err error) {
	gone, err := tx.Exec(`DELETE FROM idempotency_keys WHERE (merchant_id, scope, key) IN
		(SELECT merchant_id, scope, key FROM idempotency_keys WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)`,
		db.Millis(tx.Now()), db.MaxRows)
	return gone == db.MaxRows, err
}
