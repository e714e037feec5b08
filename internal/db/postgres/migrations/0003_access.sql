-- +goose Up
-- Staff of a merchant, how they prove who they are, and their sessions. What
-- is random and long (links, sessions, recovery codes) is stored as SHA-256
-- only; second-factor secrets are sealed by the vault.

-- A login is unique in the whole installation: the sign-in page asks for no
-- merchant, and what the browser claims about it would not be believed.
CREATE TABLE staff (
    id               BYTEA NOT NULL PRIMARY KEY,
    merchant_id      BYTEA NOT NULL REFERENCES merchants (id),
    login            TEXT COLLATE "C" NOT NULL UNIQUE,
    role             TEXT COLLATE "C" NOT NULL CHECK (role IN
        ('owner', 'operator', 'support', 'engineer', 'auditor', 'custodian')),
    status           TEXT COLLATE "C" NOT NULL CHECK (status IN ('active', 'disabled')),
    password_hash    TEXT COLLATE "C" NOT NULL,
    password_at      BIGINT NOT NULL,
    totp_sealed      BYTEA NOT NULL,
    totp_step        BIGINT NOT NULL,
    failures         BIGINT NOT NULL DEFAULT 0 CHECK (failures >= 0),
    retry_at         BIGINT,
    signed_in_at     BIGINT,
    created_at       BIGINT NOT NULL,
    updated_at       BIGINT NOT NULL
);
CREATE INDEX staff_merchant ON staff (merchant_id, id);

CREATE TABLE staff_recovery_codes (
    staff_id    BYTEA NOT NULL REFERENCES staff (id),
    code_hash   BYTEA NOT NULL,
    merchant_id BYTEA NOT NULL REFERENCES merchants (id),
    used_at     BIGINT,
    PRIMARY KEY (staff_id, code_hash)
);

CREATE TABLE staff_sessions (
    token_hash  BYTEA NOT NULL PRIMARY KEY,
    id          BYTEA NOT NULL UNIQUE,
    merchant_id BYTEA NOT NULL REFERENCES merchants (id),
    staff_id    BYTEA NOT NULL REFERENCES staff (id),
    created_at  BIGINT NOT NULL,
    seen_at     BIGINT NOT NULL,
    expires_at  BIGINT NOT NULL
);
CREATE INDEX staff_sessions_staff ON staff_sessions (staff_id);

-- The one-time way in for a merchant's owner. staff_id is the owner to be:
-- the secret under enrolment is sealed for this row.
CREATE TABLE staff_setup_links (
    staff_id    BYTEA NOT NULL PRIMARY KEY,
    merchant_id BYTEA NOT NULL REFERENCES merchants (id),
    token_hash  BYTEA NOT NULL UNIQUE,
    reissued    BIGINT NOT NULL DEFAULT 0 CHECK (reissued IN (0, 1)),
    totp_sealed BYTEA,
    handle_hash BYTEA,
    created_at  BIGINT NOT NULL,
    expires_at  BIGINT NOT NULL,
    used_at     BIGINT,
    CHECK ((totp_sealed IS NULL) = (handle_hash IS NULL))
);
CREATE UNIQUE INDEX staff_setup_links_open ON staff_setup_links (merchant_id) WHERE used_at IS NULL;

-- Failed sign-ins of logins that nobody has, so that they are delayed like
-- those of real ones. Logins share 4,096 buckets: whoever invents logins fills
-- no disk. They belong to no merchant.
CREATE TABLE staff_unknown_logins (
    bucket      BIGINT NOT NULL PRIMARY KEY,
    merchant_id BYTEA,
    failures    BIGINT NOT NULL DEFAULT 0 CHECK (failures >= 0),
    retry_at    BIGINT
);
