-- +goose Up
-- Staff of a merchant, how they prove who they are, and their sessions. What
-- is random and long (links, sessions, recovery codes) is stored as SHA-256
-- only; second-factor secrets are sealed by the vault.

-- A login is unique in the whole installation: the sign-in page asks for no
-- merchant, and what the browser claims about it would not be believed.
CREATE TABLE staff (
    id               BLOB NOT NULL PRIMARY KEY,
    merchant_id      BLOB NOT NULL REFERENCES merchants (id),
    login            TEXT NOT NULL UNIQUE,
    role             TEXT NOT NULL CHECK (role IN
        ('owner', 'operator', 'support', 'engineer', 'auditor', 'custodian')),
    status           TEXT NOT NULL CHECK (status IN ('active', 'disabled')),
    password_hash    TEXT NOT NULL,
    password_at      INTEGER NOT NULL,
    totp_sealed      BLOB NOT NULL,
    totp_step        INTEGER NOT NULL,
    failures         INTEGER NOT NULL DEFAULT 0 CHECK (failures >= 0),
    retry_at         INTEGER,
    signed_in_at     INTEGER,
    created_at       INTEGER NOT NULL,
    updated_at       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX staff_merchant ON staff (merchant_id, id);

CREATE TABLE staff_recovery_codes (
    staff_id    BLOB NOT NULL REFERENCES staff (id),
    code_hash   BLOB NOT NULL,
    merchant_id BLOB NOT NULL REFERENCES merchants (id),
    used_at     INTEGER,
    PRIMARY KEY (staff_id, code_hash)
) STRICT, WITHOUT ROWID;

CREATE TABLE staff_sessions (
    token_hash  BLOB NOT NULL PRIMARY KEY,
    id          BLOB NOT NULL UNIQUE,
    merchant_id BLOB NOT NULL REFERENCES merchants (id),
    staff_id    BLOB NOT NULL REFERENCES staff (id),
    created_at  INTEGER NOT NULL,
    seen_at     INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX staff_sessions_staff ON staff_sessions (staff_id);

-- The one-time way in for a merchant's owner. staff_id is the owner to be:
-- the secret under enrolment is sealed for this row.
CREATE TABLE staff_setup_links (
    staff_id    BLOB NOT NULL PRIMARY KEY,
    merchant_id BLOB NOT NULL REFERENCES merchants (id),
    token_hash  BLOB NOT NULL UNIQUE,
    reissued    INTEGER NOT NULL DEFAULT 0 CHECK (reissued IN (0, 1)),
    totp_sealed BLOB,
    handle_hash BLOB,
    created_at  INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL,
    used_at     INTEGER,
    CHECK ((totp_sealed IS NULL) = (handle_hash IS NULL))
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX staff_setup_links_open ON staff_setup_links (merchant_id) WHERE used_at IS NULL;

-- Failed sign-ins of logins that nobody has, so that they are delayed like
-- those of real ones. Logins share 4,096 buckets: whoever invents logins fills
-- no disk. They belong to no merchant.
CREATE TABLE staff_unknown_logins (
    bucket      INTEGER NOT NULL PRIMARY KEY,
    merchant_id BLOB,
    failures    INTEGER NOT NULL DEFAULT 0 CHECK (failures >= 0),
    retry_at    INTEGER
) STRICT;
