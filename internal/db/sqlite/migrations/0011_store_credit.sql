-- +goose Up
-- A buyer's store credit. The balance is kept beside the movements that made
-- it and the postings that booked them, and changes with them only; it is never
-- below zero. What opens an account is a code that is computed, not stored; a
-- higher code_version makes the older codes open nothing.
CREATE TABLE credit_accounts (
    id             BLOB NOT NULL PRIMARY KEY,
    merchant_id    BLOB NOT NULL REFERENCES merchants (id),
    number         TEXT NOT NULL,
    contact_kind   TEXT NOT NULL CHECK (contact_kind IN ('email', 'phone')),
    contact_sealed BLOB NOT NULL,
    contact_index  BLOB NOT NULL,
    currency       TEXT NOT NULL,
    balance        INTEGER NOT NULL DEFAULT 0 CHECK (balance >= 0),
    state          TEXT NOT NULL CHECK (state IN ('open', 'frozen', 'closed')),
    code_version   INTEGER NOT NULL DEFAULT 1,
    created_at     INTEGER NOT NULL,
    UNIQUE (merchant_id, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX credit_accounts_merchant ON credit_accounts (merchant_id, id);
CREATE INDEX credit_accounts_contact ON credit_accounts (merchant_id, contact_index, id);

-- Why a balance changed. One kind of movement for one subject (a payment, a
-- refund, a grant) is unique for ever.
CREATE TABLE credit_movements (
    id          BLOB NOT NULL PRIMARY KEY,
    merchant_id BLOB NOT NULL REFERENCES merchants (id),
    credit_id   BLOB NOT NULL REFERENCES credit_accounts (id),
    kind        TEXT NOT NULL CHECK (kind IN ('granted', 'taken_back', 'spent', 'returned')),
    amount      INTEGER NOT NULL,
    currency    TEXT NOT NULL,
    balance     INTEGER NOT NULL CHECK (balance >= 0),
    subject_id  BLOB NOT NULL,
    order_no    TEXT NOT NULL DEFAULT '',
    approval_id BLOB,
    created_at  INTEGER NOT NULL,
    CHECK ((kind IN ('granted', 'returned')) = (amount > 0) AND amount <> 0),
    CHECK (kind <> 'taken_back' OR approval_id IS NOT NULL),
    UNIQUE (kind, subject_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX credit_movements_credit ON credit_movements (credit_id, id);
CREATE INDEX credit_movements_grants ON credit_movements (merchant_id, id) WHERE kind = 'granted' AND approval_id IS NULL;

-- A refund that went to a credit account and not back the way the money came.
ALTER TABLE refunds ADD COLUMN credit_id BLOB;
