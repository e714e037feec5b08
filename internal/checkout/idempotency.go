package checkout

import (
	"bytes"
	"context"
	"errors"
	"time"

	"panshi/internal/db"
	"panshi/internal/errs"
	"panshi/internal/id"
	"panshi/internal/vault"
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

// keepable makes a request's digest fit to be stored. The digest covers the
// contact, of which there are few enough to try them all; under a key of the
// vault it tells a thief of the disk nothing.
func (s *Service) keepable(merchantID id.ID, digest []byte) []byte {
	return s.vault.Fingerprint(vault.PII, merchantID, "idempotency_keys.body", digest)
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

// claimTx takes the key for subject; one whose time is over is free, whether it
// was purged or not. If the key was used for the same request before it returns
// the earlier subject and fresh = false; if for another
// request, errKeyReused.
func (k idempotency) claimTx(tx *db.Tx, subject id.ID) (owner id.ID, fresh bool, err error) {
	until := db.Millis(tx.Now().Add(keyLife))
	taken, err := tx.Exec(`INSERT INTO idempotency_keys (merchant_id, scope, key, body_digest, subject_id, expires_at)
		VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (merchant_id, scope, key) DO NOTHING`,
		k.merchantID, k.scope, k.key, k.digest, subject, until)
	if err == nil && taken == 0 {
		taken, err = tx.Exec(`UPDATE idempotency_keys SET body_digest = $1, subject_id = $2, expires_at = $3
			WHERE merchant_id = $4 AND scope = $5 AND key = $6 AND expires_at <= $7`,
			k.digest, subject, until, k.merchantID, k.scope, k.key, db.Millis(tx.Now()))
	}
	if err != nil || taken == 1 {
		return subject, true, err
	}
	owner, _, err = k.findTx(tx)
	return owner, false, err
}

// findTx looks a key up without taking it.
func (k idempotency) findTx(tx *db.Tx) (owner id.ID, found bool, err error) {
	var digest []byte
	err = tx.Get([]any{&digest, &owner}, `SELECT body_digest, subject_id FROM idempotency_keys
		WHERE merchant_id = $1 AND scope = $2 AND key = $3 AND expires_at > $4`, k.merchantID, k.scope, k.key,
		db.Millis(tx.Now()))
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

// usedBefore looks a key up as findTx does, together with others who do so at
// the same time.
func (s *Service) usedBefore(ctx context.Context, k idempotency) (bool, error) {
	digest, found, err := s.uses.Ask(ctx, k.name())
	if err == nil && found && !bytes.Equal(digest, k.digest) {
		return false, errKeyReused
	}
	return found, err
}

// readUses reads the digests of what keys were used for.
func (s *Service) readUses(ctx context.Context, keys []keyName) (uses map[keyName][]byte, err error) {
	err = s.db.View(ctx, func(tx *db.Tx) (err error) {
		uses, err = usesTx(tx, keys)
		return err
	})
	return uses, err
}

// keyName is what makes a key the same.
type keyName struct {
	merchantID id.ID
	scope, key string
}

func (k idempotency) name() keyName { return keyName{k.merchantID, k.scope, k.key} }

// usesTx gives the digests of the requests for which keys are in use.
func usesTx(tx *db.Tx, keys []keyName) (map[keyName][]byte, error) {
	if tx.Engine() == db.SQLite {
		return usesOneByOneTx(tx, keys)
	}
	merchants, scopes, names := make([]id.ID, len(keys)), make([]string, len(keys)), make([]string, len(keys))
	for i, k := range keys {
		merchants[i], scopes[i], names[i] = k.merchantID, k.scope, k.key
	}
	uses := make(map[keyName][]byte)
	_, err := db.Collect(tx, func(rows db.Rows) (none struct{}, err error) {
		var name keyName
		var digest []byte
		err = rows.Scan(&name.merchantID, &name.scope, &name.key, &digest)
		uses[name] = digest
		return none, err
	}, `SELECT k.merchant_id, k.scope, k.key, k.body_digest
		FROM UNNEST($1::BYTEA[], $2::TEXT[], $3::TEXT[]) AS u(merchant_id, scope, key)
		JOIN idempotency_keys k ON k.merchant_id = u.merchant_id AND k.scope = u.scope AND k.key = u.key
		WHERE k.expires_at > $4`, merchants, scopes, names, db.Millis(tx.Now()))
	return uses, err
}

// usesOneByOneTx is usesTx where a statement costs no round trip.
func usesOneByOneTx(tx *db.Tx, keys []keyName) (map[keyName][]byte, error) {
	uses := make(map[keyName][]byte)
	for _, k := range keys {
		var digest []byte
		err := tx.Get([]any{&digest}, `SELECT body_digest FROM idempotency_keys
			WHERE merchant_id = $1 AND scope = $2 AND key = $3 AND expires_at > $4`, k.merchantID, k.scope, k.key,
			db.Millis(tx.Now()))
		switch {
		case errors.Is(err, db.ErrNoRows):
		case err != nil:
			return nil, err
		default:
			uses[k] = digest
		}
	}
	return uses, nil
}

// claimKeysTx takes keys, each for the subject at the same place, as claimTx
// does, and tells which subjects got theirs. No two keys may be the same. It is
// for PostgreSQL.
func claimKeysTx(tx *db.Tx, keys []idempotency, subjects []id.ID) (fresh map[id.ID]bool, err error) {
	n := len(keys)
	merchants, scopes, names, digests := make([]id.ID, n), make([]string, n), make([]string, n), make([][]byte, n)
	for i, k := range keys {
		merchants[i], scopes[i], names[i], digests[i] = k.merchantID, k.scope, k.key, k.digest
	}
	fresh = make(map[id.ID]bool, n)
	_, err = db.Collect(tx, func(rows db.Rows) (none struct{}, err error) {
		var subject id.ID
		err = rows.Scan(&subject)
		fresh[subject] = true
		return none, err
	}, `INSERT INTO idempotency_keys (merchant_id, scope, key, body_digest, subject_id, expires_at)
		SELECT u.*, $1 FROM UNNEST($2::BYTEA[], $3::TEXT[], $4::TEXT[], $5::BYTEA[], $6::BYTEA[]) AS u
		ON CONFLICT (merchant_id, scope, key)
		DO UPDATE SET body_digest = excluded.body_digest, subject_id = excluded.subject_id, expires_at = excluded.expires_at
		WHERE idempotency_keys.expires_at <= $7 RETURNING subject_id`,
		db.Millis(tx.Now().Add(keyLife)), merchants, scopes, names, digests, subjects, db.Millis(tx.Now()))
	return fresh, err
}

// purgeKeysTx forgets keys whose time is over.
func purgeKeysTx(tx *db.Tx) (more bool, err error) {
	gone, err := tx.Exec(`DELETE FROM idempotency_keys WHERE (merchant_id, scope, key) IN
		(SELECT merchant_id, scope, key FROM idempotency_keys WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)`,
		db.Millis(tx.Now()), db.MaxRows)
	return gone == db.MaxRows, err
}
