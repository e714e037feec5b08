-- +goose Up
-- What one member of staff asks and another allows, and the limit above which
-- a refund must be allowed. The exact effect is sealed while it waits (it may
-- hold the settings of a payment account) and gone when it is decided; its
-- digest stays. That the maker is not the checker stands here too: only a shop
-- of one person may decide for itself, after alone_from.
CREATE TABLE approvals (
    id            BLOB NOT NULL PRIMARY KEY,
    merchant_id   BLOB NOT NULL REFERENCES merchants (id),
    kind          TEXT NOT NULL,
    subject_kind  TEXT NOT NULL,
    subject_id    BLOB NOT NULL,
    amount        INTEGER NOT NULL DEFAULT 0,
    currency      TEXT NOT NULL DEFAULT '',
    reason        TEXT NOT NULL,
    detail        TEXT NOT NULL DEFAULT '',
    digest        BLOB NOT NULL,
    effect_sealed BLOB,
    status        TEXT NOT NULL CHECK (status IN ('pending', 'approved', 'rejected', 'withdrawn', 'expired')),
    requested_by  BLOB NOT NULL REFERENCES staff (id),
    requested_at  INTEGER NOT NULL,
    expires_at    INTEGER NOT NULL,
    alone_from    INTEGER,
    alerted_at    INTEGER,
    decided_by    BLOB REFERENCES staff (id),
    decided_at    INTEGER,
    note          TEXT NOT NULL DEFAULT '',
    CHECK ((status = 'pending') = (effect_sealed IS NOT NULL)),
    CHECK ((status = 'pending') = (decided_at IS NULL)),
    CHECK (status IN ('pending', 'expired') OR decided_by IS NOT NULL),
    CHECK (status <> 'approved' OR decided_at < expires_at),
    CHECK (status NOT IN ('approved', 'rejected') OR decided_by <> requested_by
        OR (status = 'approved' AND alone_from IS NOT NULL AND alerted_at IS NOT NULL AND decided_at >= alone_from))
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX approvals_open ON approvals (merchant_id, kind, subject_id) WHERE status = 'pending';
CREATE INDEX approvals_merchant ON approvals (merchant_id, id);
CREATE INDEX approvals_status ON approvals (merchant_id, status, id);
CREATE INDEX approvals_due ON approvals (expires_at) WHERE status = 'pending';

CREATE TABLE merchant_limits (
    merchant_id  BLOB NOT NULL PRIMARY KEY REFERENCES merchants (id),
    refund_limit INTEGER NOT NULL CHECK (refund_limit >= 0),
    updated_at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
